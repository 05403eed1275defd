// Writes docs/coverage/kinds.md from the rows and their refused examples: which kind each minor serves, how many of its
// refusals are shown, and what is special about it. Run it after a change of either: `node tools/kinds/generate.ts`.

import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { catalogOf, type Catalog } from '@aksel/api/catalog'
import type { KindRow } from '@aksel/api/kind-row'
import { allRefused } from '@aksel/api/refused/all'
import type { RefusedExamples } from '@aksel/api/refused/examples'
import { minors } from '@aksel/api/tables'
import { repositoryRoot } from '../source-files.ts'

export const kindsPath = 'docs/coverage/kinds.md'

const head = `# Kinds

Written by \`tools/kinds/generate.ts\` from the rows and their refused examples; do not edit by hand.

Versions are those that a default server of each minor serves. An example is one change that is refused with exactly
upstream's text, when the object is created, when it is updated, when its status is written, or through a further
subresource. \`packages/api/src/refused/refused.test.ts\` runs them all, and fails when a kind lacks a class that it can have.

| Kind | Versions | Refused on create | on update | on status | through | Subresources | Own columns |
| --- | --- | --- | --- | --- | --- | --- | --- |
`

interface Served {
  readonly row: KindRow
  /** The versions of each minor, in the order of `minors`. */
  readonly versions: readonly string[]
}

function keyOf(row: KindRow): string {
  return row.group === '' ? row.kind : `${row.kind}.${row.group}`
}

/** Kinds by key, each with its newest row. */
function servedKinds(catalogs: readonly Catalog[]): ReadonlyMap<string, Served> {
  const kinds = new Map<string, Served>()
  for (const [index, catalog] of catalogs.entries()) {
    for (const row of catalog.rows) {
      const before = kinds.get(keyOf(row))
      const versions = [...(before?.versions ?? catalogs.map(() => ''))]
      versions[index] = versions[index] === '' ? row.version : `${versions[index]}, ${row.version}`
      const newest = before === undefined || row.storedAs === undefined ? row : before.row
      kinds.set(keyOf(row), { row: newest, versions })
    }
  }
  return kinds
}

function versionsText(versions: readonly string[]): string {
  if (new Set(versions).size === 1) return versions[0]!
  return versions.map((version, index) => `${minors[index]}: ${version === '' ? 'none' : version}`).join('; ')
}

function examplesOf(row: KindRow): RefusedExamples | undefined {
  return allRefused.find(({ kind }) => {
    const [name, group] = kind.split('.')
    return name === row.kind && (group === undefined || row.group.split('.')[0] === group)
  })
}

function line({ row, versions }: Served): string {
  const examples = examplesOf(row)
  const count = (list: readonly unknown[] | undefined): string =>
    (list ?? []).length === 0 ? '' : String(list!.length)
  const through = Object.entries(examples?.through ?? {}).map(([name, list]) => `${name} ${list.length}`)
  const ownColumns = row.columns.some(({ name }) => name !== 'Name' && name !== 'Created At')
  const cells = [
    `\`${keyOf(row)}\``,
    versionsText(versions),
    count(examples?.create),
    count(examples?.update),
    count(examples?.status),
    through.join(', '),
    Object.keys(row.subresources).toSorted().join(', '),
    row.virtual && row.verbs.every((verb) => verb === 'create') ? '' : ownColumns ? 'yes' : 'no',
  ]
  return `| ${cells.join(' | ')} |`.replaceAll(/ {2,}/g, ' ')
}

export async function renderKinds(): Promise<string> {
  const catalogs = await Promise.all(minors.map((minor) => catalogOf(minor)))
  const kinds = [...servedKinds(catalogs).values()]
  const lines = kinds.map(line)
  const total = allRefused.reduce((sum, { create, update, status = [], through = {} }) => {
    const others = Object.values(through).reduce((more, list) => more + list.length, 0)
    return sum + create.length + update.length + status.length + others
  }, 0)
  return `${head}${lines.join('\n')}\n\n${kinds.length} kinds, ${total} refused examples.\n`
}

/** True when the file had to be written again. */
export async function writeKindsIfStale(): Promise<boolean> {
  const path = `${repositoryRoot}${kindsPath}`
  const rendered = await renderKinds()
  if (existsSync(path) && readFileSync(path, 'utf8') === rendered) return false
  writeFileSync(path, rendered)
  return true
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  process.stdout.write((await writeKindsIfStale()) ? `wrote ${kindsPath}\n` : `${kindsPath} is fresh\n`)
}
