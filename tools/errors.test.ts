// Holds docs/errors.md against the tables of reasons and codes in the code.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { reasonCodes } from '@aksel/base/errors'
import { azureCodes, codesIn } from './azure-codes.ts'
import { plain, tablesOf } from './markdown-tables.ts'

const document = 'docs/errors.md'

function rowsUnder(heading: string): readonly (readonly string[])[] {
  const table = tablesOf(document).find((one) => one.heading === heading)
  assert.ok(table !== undefined && table.rows.length > 0, `${document} has no table under "${heading}"`)
  return table.rows
}

test('docs/errors.md lists every Kubernetes reason with its code, and no other', () => {
  const listed = rowsUnder('Kubernetes').map(([reason, code]) => `${plain(reason!)} ${code}`)
  const known = Object.entries(reasonCodes).map(([reason, code]) => `${reason} ${code}`)
  assert.deepEqual(listed.toSorted(), known.toSorted())
})

test('docs/errors.md lists every Azure code that is answered with its status, and no other', () => {
  const listed = rowsUnder('Azure').map(([status, code]) => `${status} ${plain(code!)}`)
  const known = azureCodes()
  assert.ok(known.length > 20, `only ${known.length} codes were seen: the check does not see the code`)
  assert.deepEqual(listed.toSorted(), known)
})

test('every row of docs/errors.md says when it comes', () => {
  const silent = tablesOf(document).flatMap(({ rows }) => rows.filter((cells) => (cells[2] ?? '').length < 10))
  assert.deepEqual(silent, [])
})

test('codesIn() sees codes on one line and on several, and no power state', () => {
  const text = `new ArmError(404, 'A', x) new AksError(\n  409,\n  'B',\n powerState: { code: 'Running' } { code: 'Cc', m refused('Dd', x)`
  assert.deepEqual(codesIn(text), ['404 A', '409 B', '400 Dd', 'operation Cc'])
})
