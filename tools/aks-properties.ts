// Writes docs/coverage/aks-properties.md: which properties of a managed cluster and an agent pool change something here.
// Run it after a property gained an effect: `node tools/aks-properties.ts`.

import { readFileSync, writeFileSync } from 'node:fs'
import { clusterShape } from '@aksel/arm/resource-providers/container-service/cluster-shape'
import { poolShape } from '@aksel/arm/resource-providers/container-service/pool-shape'
import {
  clusterEffects,
  poolEffects,
  valueEffects,
  type Effects,
} from '@aksel/arm/resource-providers/container-service/recorded'
import type { Shape } from '@aksel/arm/resource-providers/container-service/shape'
import { repositoryRoot } from './source-files.ts'

export const propertiesPath = 'docs/coverage/aks-properties.md'

export interface PropertyRow {
  readonly path: string
  readonly state: 'works' | 'simulated' | 'recorded' | 'refused'
  /** Where values differ: which take effect, which are simulated, which are refused. All others are recorded. */
  readonly values: string
}

export function propertyRows(shape: Shape, effects: Effects): readonly PropertyRow[] {
  return leaves(shape, '').map((path) => {
    const effect = effects[path] ?? effects[path.slice(0, Math.max(path.lastIndexOf('.'), 0))]
    if (effect === undefined) return { path, state: 'recorded', values: '' }
    if (effect === true) return { path, state: 'works', values: '' }
    if (effect === 'simulated') return { path, state: 'simulated', values: '' }
    const { works = [], simulated = [], refused = [] } = valueEffects(effect)
    const state = works.length > 0 ? 'works' : simulated.length > 0 ? 'simulated' : 'refused'
    const named = (word: string, values: readonly unknown[]): readonly string[] =>
      values.length === 0 ? [] : [`${word}: ${values.map((value) => `\`${JSON.stringify(value)}\``).join(', ')}`]
    const lists = [...named('works', works), ...named('simulated', simulated), ...named('refused', refused)]
    return { path, state, values: lists.join('; ') }
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

Written by \`tools/aks-properties.ts\` from the tables that the resource provider itself reads; a test compares them with the
properties that Azure's own SDK can send (api-version 2026-06-01). A property \`works\` when it changes something here, is
\`simulated\` when everything but the thing itself is there, \`recorded\` when it is kept, read back exactly and changes nothing,
\`refused\` when it cannot be. Where values differ, they are listed; all others are recorded. What is recorded is named in
\`properties.aksel.recorded\`, in a \`Warning\` header and by the command line; \`./aksel up --strict\`, or a header
\`x-aksel-strict: true\`, refuses it. Properties that these tables do not know are recorded too.

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
