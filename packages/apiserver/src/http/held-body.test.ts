// Whatever is held for a long body is let go, however the body ends.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { heldBody } from './held-body.ts'
import { comesInPieces } from './message.ts'

async function* two(): AsyncGenerator<Uint8Array> {
  yield Buffer.from('a')
  yield Buffer.from('b')
}

test('heldBody() lets go when the body was read, left, or given up, and when nobody was there from the start', async () => {
  const counted = (signal: AbortSignal, body: AsyncIterable<Uint8Array> = two()) => {
    const count = { released: 0 }
    return { count, body: heldBody(body, signal, () => void (count.released += 1)) }
  }
  const calm = new AbortController().signal
  const read = counted(calm)
  for await (const _piece of read.body) assert.equal(read.count.released, 0)
  assert.equal(read.count.released, 1)
  const left = counted(calm)
  for await (const _piece of left.body) break
  assert.equal(left.count.released, 1)
  const stop = new AbortController()
  const aborted = counted(stop.signal)
  stop.abort()
  assert.equal(aborted.count.released, 1)
  assert.equal(counted(stop.signal).count.released, 1)
  const pieces = { [Symbol.asyncIterator]: two, inTurns: two }
  const turns = counted(calm, pieces)
  assert.ok(comesInPieces(turns.body))
  for await (const _piece of turns.body.inTurns());
  assert.equal(turns.count.released, 1)
})
