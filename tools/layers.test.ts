// Holds every import line against the rows of the design: imports point down, components never import one another,
// and what runs in a browser asks nothing of Node.

import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { test } from 'node:test'
import { importsOf, sourceFiles } from './source-files.ts'

/** Packages by row, lowest first. A package may import only from rows below its own. */
const rows: readonly (readonly string[])[] = [
  ['base'],
  ['cel'],
  ['api'],
  ['client', 'store'],
  ['runtime', 'host', 'provider'],
  ['apiserver', 'controllers', 'scheduler', 'node', 'network', 'storage', 'compute', 'arm', 'diagnosis'],
  ['testing', 'desktop'],
  ['server', 'agent', 'cli', 'desktop-app'],
  ['tools', 'tests'],
]

const browserSafe = new Set(['base', 'cel', 'api', 'client', 'desktop-app'])

/** Who may import the store: the API server and the hub's resources, and those that wire or test. */
const storeUsers = new Set(['store', 'apiserver', 'arm', 'server', 'testing', 'tools', 'tests'])

/** Folders whose name is not their package's. */
const packageOfFolder: Readonly<Record<string, string>> = { 'apps/node': 'agent', 'apps/desktop': 'desktop-app' }

function packageOf(path: string): string {
  const [top, name] = path.split('/') as [string, string]
  if (top === 'tools' || top === 'tests') return top
  return packageOfFolder[`${top}/${name}`] ?? name
}

function rowOf(name: string): number {
  const row = rows.findIndex((names) => names.includes(name))
  assert.notEqual(row, -1, `package "${name}" stands in no row of tools/layers.test.ts`)
  return row
}

/** Why this import may not stand, or undefined. */
function judge(path: string, specifier: string): string | undefined {
  const from = packageOf(path)
  const isTest = path.includes('.test.') || path.includes('/testing/') || path.endsWith('contract.ts')
  if (specifier.startsWith('node:')) {
    return browserSafe.has(from) && !isTest ? `${from} runs in a browser and may not import ${specifier}` : undefined
  }
  const match = /^@aksel\/([\w-]+)\//.exec(specifier)
  if (match === null) return undefined
  const to = match[1]!
  if (to === from || (isTest && to === 'testing')) return undefined
  if (to === 'store' && !storeUsers.has(from) && !isTest) return `${from} may not touch the store`
  if (isTest) return undefined
  return rowOf(to) < rowOf(from)
    ? undefined
    : `${from} (row ${rowOf(from) + 1}) may not import ${to} (row ${rowOf(to) + 1})`
}

test('every import points down, and components meet only in objects', () => {
  const wrong: string[] = []
  let seen = 0
  for (const path of sourceFiles()) {
    for (const specifier of importsOf(readFileSync(path.absolute, 'utf8'))) {
      seen += 1
      const verdict = judge(path.relative, specifier)
      if (verdict !== undefined) wrong.push(`${path.relative}: ${verdict}`)
    }
  }
  assert.ok(seen > 100, `only ${seen} imports were seen: the check does not see the code`)
  assert.deepEqual(wrong, [])
})

test('a wrong import is found', () => {
  assert.match(judge('packages/node/src/x.ts', '@aksel/network/dns/dns') ?? '', /may not import network/)
  assert.match(judge('packages/controllers/src/x.ts', '@aksel/store/store') ?? '', /may not touch the store/)
  assert.match(judge('packages/api/src/x.ts', 'node:fs') ?? '', /runs in a browser/)
  assert.equal(judge('packages/node/src/x.ts', '@aksel/base/errors'), undefined)
})
