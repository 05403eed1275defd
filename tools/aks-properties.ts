// Writes docs/coverage/aks-properties.md: which properties of a managed cluster and an agent pool change something here.
// Run it after a property gained an effect: `node tools/aks-properties.ts`.

import { readFileSync, writeFileSync } from 'node:fs'
import { clusterEffects, poolEffects, type Effects } from '@aksel/arm/resource-providers/container-service/recorded'
import type { Shape } from '@aksel/arm/resource-providers/container-service/shape'
import { clusterShape, poolShape } from '@aksel/arm/resource-providers/container-service/shapes'
import { repositoryRoot } from './source-files.ts'

export const propertiesPath = 'docs/coverage/aks-properties.md'

export interface PropertyRow {
  readonly path: string
  readonly state: 'works' | 'some values' | 'recorded'
  /** Values that take effect, where only some do. */
  readonly values: string
}

export function propertyRows(shape: Shape, effects: Effects): readonly PropertyRow[] {
  return leaves(shape, '').map((path) => {
    const effect = effects[path]
    if (effect === true) return { path, state: 'works', values: '' }
    if (effect === undefined) return { path, state: 'recorded', values: '' }
    return { path, state: 'some values', values: effect.map((value) => `\`${JSON.stringify(value)}\``).join(', ') }
  })
}

/** Paths of everything that is not a structure of its own; pools have a table of their own. */
function leaves(shape: Shape, prefix: string): readonly string[] {
  if (typeof shape === 'string' || !('fields' in shape)) return [prefix]
  return Object.entries(shape.fields)
    .filter(([name]) => prefix !== '' || name !== 'agentPoolProfiles')
    .flatMap(([name, inner]) => leaves(inner, prefix === '' ? name : `${prefix}.${name}`))
}

export function renderProperties(): string {
  return `# Properties of Azure Kubernetes Service

Written by \`tools/aks-properties.ts\` from the tables that the resource provider itself reads. A property \`works\` when
every valid value changes something here, or \`some values\` do. All others are \`recorded\`: kept, read back exactly, and
named in \`properties.aksel.recorded\` and in a \`Warning\` header of the answer, unless they are refused. Properties that
these tables do not know are recorded too. \`recorded\` never means done.

## Managed clusters

${table(propertyRows(clusterShape, clusterEffects))}
## Agent pools

${table(propertyRows(poolShape, poolEffects))}`
}

function table(rows: readonly PropertyRow[]): string {
  const lines = rows.map(({ path, state, values }) => [`\`${path}\``, state, values])
  const all = [['Property', 'State', 'Values'], ...lines]
  const widths = [0, 1, 2].map((column) => Math.max(...all.map((cells) => cells[column]!.length)))
  const row = (cells: readonly string[]): string =>
    `| ${cells.map((cell, column) => cell.padEnd(widths[column]!)).join(' | ')} |\n`
  const rule = widths.map((width) => '-'.repeat(width))
  return [all[0]!, rule, ...lines].map(row).join('')
}

/** True when the file was stale; it is then written anew. */
export function writeIfStale(): boolean {
  const path = `${repositoryRoot}${propertiesPath}`
  const text = renderProperties()
  try {
    if (readFileSync(path, 'utf8') === text) return false
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error
  }
  writeFileSync(path, text)
  return true
}

if (import.meta.main) process.stdout.write(`${propertiesPath}: ${writeIfStale() ? 'written' : 'fresh'}\n`)
