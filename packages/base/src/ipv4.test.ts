// Addresses and ranges read and written, held against each other, and handed out without overlap.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { contains, firstFreePart, formatAddress, overlaps, readAddress, readRange } from './ipv4.ts'

test('readRange() clears host bits and refuses what is no range', () => {
  assert.deepEqual(readRange('10.1.2.3/16'), { first: readAddress('10.1.0.0'), size: 65_536, prefixLength: 16 })
  assert.equal(readRange('0.0.0.0/0')?.size, 2 ** 32)
  for (const text of [
    '10.0.0.0',
    '10.0.0.0/33',
    '10.0.0/8',
    '10.0.0.256/8',
    '10.0.0.0/8/8',
    '10.0.0.0/x',
    '010.0.0.0/8',
    '',
  ]) {
    assert.equal(readRange(text), undefined, text)
  }
})

test('contains() and overlaps() hold at the edges', () => {
  const range = readRange('10.0.0.0/16')!
  assert.equal(contains(range, readAddress('10.0.255.255')!), true)
  assert.equal(contains(range, readAddress('10.1.0.0')!), false)
  assert.equal(overlaps(range, readRange('10.0.128.0/17')!), true)
  assert.equal(overlaps(range, readRange('10.1.0.0/16')!), false)
})

test('firstFreePart() fills gaps and ends at the end', () => {
  assert.equal(firstFreePart('10.244.0.0/22', 24, new Set(['10.244.0.0/24', '10.244.2.0/24'])), '10.244.1.0/24')
  assert.equal(firstFreePart('10.244.0.0/24', 24, new Set(['10.244.0.0/24'])), undefined)
  assert.equal(formatAddress(readAddress('255.255.255.254')!), '255.255.255.254')
})
