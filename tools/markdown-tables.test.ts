// How tables are read, and that a crooked one is found.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { parseTables, plain } from './markdown-tables.ts'

test('parseTables() reads heads, rows and bars within cells', () => {
  const text = '# A\n\n| x | y |\n| - | --- |\n| `1` | a \\| b |\n\n## B\n| z |\n|---|\n| 2 |\n'
  assert.deepEqual(parseTables(text), [
    { heading: 'A', columns: ['x', 'y'], rows: [['`1`', 'a | b']] },
    { heading: 'B', columns: ['z'], rows: [['2']] },
  ])
  assert.equal(plain('`1`'), '1')
})

test('parseTables() refuses a row of the wrong width', () => {
  assert.throws(() => parseTables('| x | y |\n|---|---|\n| 1 |\n'), /line 3 has 1 cells under 2 columns/)
})
