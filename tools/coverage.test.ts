// Holds docs/coverage/ to its word: every proof that a table names is a test that exists, and no row stands twice.

import assert from 'node:assert/strict'
import { existsSync, readFileSync } from 'node:fs'
import { test } from 'node:test'
import { propertiesPath, propertyRows, writeIfStale } from './aks-properties.ts'
import { sdkPaths } from './azure-sdk-properties.ts'
import { clusterShape } from '@aksel/arm/resource-providers/container-service/cluster-shape'
import { poolShape } from '@aksel/arm/resource-providers/container-service/pool-shape'
import { clusterEffects, poolEffects } from '@aksel/arm/resource-providers/container-service/recorded'
import { plain, tablesOf, type MarkdownTable } from './markdown-tables.ts'
import { repositoryRoot } from './source-files.ts'

/** States that need a proof, and states that may have none. */
interface Book {
  readonly path: string
  readonly proved: readonly string[]
  readonly unproved: readonly string[]
  /** Fewer rows mean that the check does not see the table. */
  readonly rowsMin: number
}

const books: readonly Book[] = [
  { path: 'docs/coverage/conformance.md', proved: ['passes'], unproved: ['open'], rowsMin: 446 },
  { path: 'docs/coverage/features.md', proved: ['works', 'simulated', 'recorded'], unproved: ['later'], rowsMin: 30 },
  {
    path: 'docs/security.md',
    proved: ['pass', 'equivalent'],
    unproved: ['no such part'],
    rowsMin: 30,
  },
]

interface Row {
  readonly name: string
  readonly state: string
  readonly proofs: readonly string[]
}

function rowsOf(tables: readonly MarkdownTable[]): readonly Row[] {
  return tables.flatMap(({ columns, rows }) => {
    const at = (column: string, cells: readonly string[]): string => cells[columns.indexOf(column)] ?? ''
    return rows.map((cells) => ({
      name: plain(cells[0]!),
      state: at('State', cells),
      proofs: at('Proof', cells)
        .split('<br>')
        .filter((proof) => proof !== ''),
    }))
  })
}

/** What is wrong with a row; nothing where all is well. `read` gives a file's text, or undefined. */
function faults(row: Row, book: Book, read: (path: string) => string | undefined): readonly string[] {
  const { name, state, proofs } = row
  if (book.unproved.includes(state)) return proofs.length === 0 ? [] : [`${name}: is ${state} and names a proof`]
  if (!book.proved.includes(state)) return [`${name}: unknown state "${state}"`]
  if (proofs.length === 0) return [`${name}: is ${state} and names no proof`]
  return proofs.flatMap((proof) => {
    const [, path, title] = /^`([^`]+\.test\.ts)` (.+)$/.exec(proof) ?? []
    if (path === undefined || title === undefined) return [`${name}: cannot read the proof "${proof}"`]
    const text = read(path)
    if (text === undefined) return [`${name}: there is no ${path}`]
    return holdsTest(text, title) ? [] : [`${name}: ${path} has no test "${title}"`]
  })
}

function holdsTest(text: string, title: string): boolean {
  return [`'${title}'`, `"${title}"`, `\`${title}\``].some((quoted) => {
    const at = text.indexOf(quoted)
    return at >= 0 && /(?:test|it)\(\s*$/.test(text.slice(0, at))
  })
}

function readFile(path: string): string | undefined {
  const absolute = `${repositoryRoot}${path}`
  return existsSync(absolute) ? readFileSync(absolute, 'utf8') : undefined
}

for (const book of books) {
  test(`every proof in ${book.path} is a test that exists`, () => {
    const rows = rowsOf(tablesOf(book.path))
    assert.ok(rows.length >= book.rowsMin, `only ${rows.length} rows were seen in ${book.path}`)
    assert.deepEqual(
      rows.flatMap((row) => faults(row, book, readFile)),
      [],
    )
  })

  test(`no row stands twice in ${book.path}`, () => {
    const names = rowsOf(tablesOf(book.path)).map(({ name }) => name)
    assert.deepEqual(
      names.filter((name, index) => names.indexOf(name) !== index),
      [],
    )
  })
}

test('the table of AKS properties is what the resource provider reads', () => {
  assert.equal(writeIfStale(), false, 'rewritten; look at the difference and commit it')
  const rows = tablesOf(propertiesPath).flatMap(({ rows: cells }) => cells)
  assert.ok(rows.length > 80, `only ${rows.length} properties were seen`)
})

test('a proof that is none is found', () => {
  const book = books[1]!
  const read = (path: string): string | undefined =>
    path === 'a.test.ts' ? "test('it runs', () => {})\nconst x = 'no test'" : undefined
  const judge = (state: string, ...proofs: readonly string[]): readonly string[] =>
    faults({ name: 'f', state, proofs }, book, read)
  assert.deepEqual(judge('works', '`a.test.ts` it runs'), [])
  assert.deepEqual(judge('later'), [])
  assert.match(judge('works').join(), /names no proof/)
  assert.match(judge('later', '`a.test.ts` it runs').join(), /names a proof/)
  assert.match(judge('done', '`a.test.ts` it runs').join(), /unknown state "done"/)
  assert.match(judge('works', '`b.test.ts` it runs').join(), /there is no b\.test\.ts/)
  assert.match(judge('works', '`a.test.ts` no test').join(), /has no test "no test"/)
  assert.match(judge('works', 'a.test.ts it runs').join(), /cannot read the proof/)
})

test('every property that the Azure SDK can send has a row', () => {
  for (const { serializer, rows, least } of [
    {
      serializer: 'managedClusterPropertiesSerializer',
      rows: propertyRows(clusterShape, clusterEffects),
      least: 150,
    },
    { serializer: 'managedClusterAgentPoolProfileSerializer', rows: propertyRows(poolShape, poolEffects), least: 90 },
  ]) {
    const sent = sdkPaths(serializer).filter((path) => path !== 'agentPoolProfiles')
    assert.ok(sent.length >= least, `only ${sent.length} properties were seen in ${serializer}`)
    const known = new Set(rows.map(({ path }) => path))
    assert.deepEqual(
      sent.filter((path) => !known.has(path)),
      [],
    )
  }
})

test('every effect that is claimed belongs to a property that exists', () => {
  for (const [shape, effects] of [
    [clusterShape, clusterEffects],
    [poolShape, poolEffects],
  ] as const) {
    const known = propertyRows(shape, {}).map(({ path }) => path)
    const strangers = Object.keys(effects).filter(
      (path) => !known.some((row) => row === path || row.startsWith(`${path}.`)),
    )
    assert.deepEqual(strangers, [])
  }
})
