// What a body can call forth in headers is bounded: a client that cannot read the head of an answer does not learn what happened.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { textAnswer, withWarnings } from './answer.ts'

test('warnings are whole while they are few, cut when they are long, and left out when they are many', () => {
  const warned = (...texts: readonly string[]): string =>
    withWarnings(textAnswer(200, 'ok'), new Set(texts)).headers['warning'] ?? ''
  assert.equal(warned('a', 'b'), '299 - "a", 299 - "b"')
  assert.equal(warned('x'.repeat(4000)), `299 - "${'x'.repeat(4000)}"`)
  assert.equal(warned('x'.repeat(5000), 'y'), `299 - "${'x'.repeat(256)}", 299 - "y"`)
  const many = warned(...Array.from({ length: 20_000 }, (_, at) => `unknown field "f${at}"`))
  assert.ok(many.length > 3000 && many.length < 8000, `${many.length}`)
})
