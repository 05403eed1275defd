// The operators of tolerations, one row each.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { toleratesTaint } from './tolerations.ts'

test('toleratesTaint() compares values, and numbers of 64 bits exactly', () => {
  const rows = [
    ['Equal', '5', '5', true],
    ['Equal', '5', '6', false],
    ['', '5', '5', true],
    ['Exists', '', '5', true],
    ['Gt', '5', '6', true],
    ['Gt', '5', '5', false],
    ['Lt', '5', '-6', true],
    ['Lt', '5', '5', false],
    ['Gt', '9007199254740992', '9007199254740993', true],
    ['Lt', '9007199254740993', '9007199254740993', false],
    ['Gt', '5', 'six', false],
    ['Near', '5', '5', false],
  ] as const
  for (const [operator, value, of, expected] of rows) {
    const taint = { key: 'size', value: of, effect: 'NoSchedule' }
    assert.equal(toleratesTaint({ key: 'size', operator, value }, taint), expected, `${of} ${operator} ${value}`)
    assert.equal(toleratesTaint({ key: 'other', operator, value }, taint), false)
    assert.equal(toleratesTaint({ key: 'size', operator, value, effect: 'NoExecute' }, taint), false)
  }
})
