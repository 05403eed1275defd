// Slashes go from the end and from nowhere else, however many there are.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { withoutTrailingSlashes } from './slashes.ts'

test('withoutTrailingSlashes() reads a text of half a million slashes once', () => {
  const slashes = '/'.repeat(500_000)
  for (const [text, expected] of [
    ['', ''],
    ['/', ''],
    ['/a/b', '/a/b'],
    ['/a/b//', '/a/b'],
    [slashes, ''],
    [`a${slashes}`, 'a'],
    [`a${slashes}x`, `a${slashes}x`],
  ] as const)
    assert.equal(withoutTrailingSlashes(text), expected)
})
