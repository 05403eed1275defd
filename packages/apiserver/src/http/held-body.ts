// A long body that something is held for until it is over: a seat, most of all.

import { comesInPieces, type Pieces } from './message.ts'

/** `release` is called once the body was read to its end, or nobody reads it any more. */
export function heldBody(
  body: AsyncIterable<Uint8Array>,
  signal: AbortSignal,
  release: () => void,
): AsyncIterable<Uint8Array> | Pieces {
  // Whoever was gone before there was an answer reads none of it.
  if (signal.aborted) release()
  else signal.addEventListener('abort', release, { once: true })
  if (!comesInPieces(body)) return until(body, release)
  return {
    [Symbol.asyncIterator]: () => until(body, release)[Symbol.asyncIterator](),
    inTurns: () => until(body.inTurns(), release),
  }
}

async function* until(body: AsyncIterable<Uint8Array>, release: () => void): AsyncGenerator<Uint8Array> {
  try {
    yield* body
  } finally {
    release()
  }
}
