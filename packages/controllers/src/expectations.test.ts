// What a loop did and its cache does not show yet.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { ReplacedRevisions } from './expectations.ts'

const at = (resourceVersion: string) => ({ metadata: { name: 'a', uid: 'u', resourceVersion } })

test('after two writes in a row a cache that shows what stood before the first is stale too', () => {
  const replaced = new ReplacedRevisions()
  replaced.note(at('9'), at('12'))
  replaced.note(at('12'), at('15'))
  assert.equal(replaced.isStale(at('9')), true)
  assert.equal(replaced.isStale(at('12')), true)
  assert.equal(replaced.isStale(at('15')), false)
})
