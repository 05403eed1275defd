// Quantities against the canonical forms that upstream prints.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import {
  addQuantities,
  canonicalQuantity,
  compareQuantities,
  formatQuantity,
  parseQuantity,
  quantityMilli,
  quantityUnits,
  subtractQuantities,
} from './quantity.ts'

const canonical: readonly (readonly [string | number, string])[] = [
  ['1500m', '1500m'],
  ['1.5', '1500m'],
  ['0.5Gi', '512Mi'],
  ['1024Mi', '1Gi'],
  ['1000m', '1'],
  ['1e3', '1e3'],
  ['12e6', '12e6'],
  ['100M', '100M'],
  ['0.1', '100m'],
  ['0', '0'],
  ['0Gi', '0'],
  ['1000', '1k'],
  ['1000Mi', '1000Mi'],
  ['1Ki', '1Ki'],
  ['0.5Ki', '512'],
  ['1.5Ki', '1536'],
  ['1.1Ki', '1126400m'],
  ['0.1n', '1n'],
  ['-1500m', '-1500m'],
  ['+5', '5'],
  ['1500e3', '1500e3'],
  ['1.2e4', '12e3'],
  ['100E', '9223372036854775807'],
  [2, '2'],
  [0.25, '250m'],
  ['5.', '5'],
  ['.5', '500m'],
]

test('a quantity is written in its canonical form', () => {
  for (const [text, wanted] of canonical) assert.equal(canonicalQuantity(text), wanted, String(text))
})

test('the canonical form is a fixed point, and the same number', () => {
  for (const [text] of canonical) {
    const once = canonicalQuantity(text)
    assert.equal(canonicalQuantity(once), once)
    assert.equal(compareQuantities(parseQuantity(once), parseQuantity(text)), 0, String(text))
  }
})

test('what is no quantity is refused in upstream’s words', () => {
  for (const bad of ['x', '1 Gi', '--1', '1..2', 'Gi', '1KiB']) {
    assert.throws(
      () => parseQuantity(bad),
      /quantities must match the regular expression '\^\(\[\+-\]\?\[0-9\.\]\+\)|suffix/,
      bad,
    )
  }
  assert.throws(() => parseQuantity('1ki'), /unable to parse quantity's suffix/)
  assert.throws(() => parseQuantity(''), /empty string/)
})

test('sums keep the family of the first', () => {
  const sum = addQuantities(parseQuantity('1Gi'), parseQuantity('512Mi'))
  assert.equal(formatQuantity(sum), '1536Mi')
  assert.equal(formatQuantity(subtractQuantities(sum, parseQuantity('1.5Gi'))), '0')
  assert.equal(formatQuantity(addQuantities(parseQuantity('0'), parseQuantity('2Gi'))), '2Gi')
})

test('units and thousandths are rounded up', () => {
  assert.equal(quantityUnits('1500m'), 2)
  assert.equal(quantityUnits('1Gi'), 1073741824)
  assert.equal(quantityMilli('0.1'), 100)
  assert.equal(quantityMilli('1u'), 1)
})

test('common spellings are read as the long way reads them', () => {
  for (const digits of ['0', '7', '007', '128', '999999999'])
    for (const suffix of ['', 'm', 'k', 'M', 'G', 'Ki', 'Mi', 'Gi'])
      assert.deepEqual(parseQuantity(`${digits}${suffix}`), parseQuantity(`${digits}.0${suffix}`), `${digits}${suffix}`)
})
