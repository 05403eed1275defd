// Tokens that are known: while they are in force, and no more of them than there may be.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { KnownTokens } from './known-tokens.ts'

test('KnownTokens.find() gives what a token says from its beginning until its end', () => {
  const known = new KnownTokens(10)
  const payload = { nbf: 100, exp: 200, oid: 'one' }
  for (const [nowMs, found] of [
    [99_999, false],
    [100_000, true],
    [199_999, true],
    [200_000, false],
  ] as const) {
    known.add('token', payload)
    assert.equal(known.find('token', nowMs), found ? payload : undefined, String(nowMs))
  }
  assert.equal(known.size, 0, 'one that is over is not kept')
  assert.equal(known.find('other', 150_000), undefined)
})

test('KnownTokens keeps those that were used last', () => {
  const known = new KnownTokens(2)
  const payload = { exp: 200 }
  known.add('a', payload)
  known.add('b', payload)
  known.find('a', 0)
  known.add('c', payload)
  assert.equal(known.size, 2)
  assert.deepEqual(
    ['a', 'b', 'c'].map((token) => known.find(token, 0) !== undefined),
    [true, false, true],
  )
})
