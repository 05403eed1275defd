// A list of whole objects as it is sent: in pieces of some hundred kilobytes that are made when the one before has been taken. Ten
// slow readers of a large list cost ten pieces, not ten lists.

import type { Pieces } from '../http/message.ts'
import type { Turns } from '../turns.ts'
import type { StoredRecord } from './record.ts'

/** Lists up to this size are made at once: they can be compressed whole and have a length. */
export const WHOLE_MAX_BYTES = 512 << 10
const PIECE_BYTES = 256 << 10
/** What a record's JSON has beside its stored value: comma and resourceVersion. */
const VERSION_BYTES_MAX = 48

const comma = Buffer.from(',')
const end = Buffer.from(']}\n')

export function isLargeList(records: readonly StoredRecord[]): boolean {
  let bytes = 0
  for (const record of records) {
    bytes += record.sizeBytes
    if (bytes > WHOLE_MAX_BYTES) return true
  }
  return false
}

/** `head`: the list's own fields, as JSON without the closing brace. */
export function listPieces(head: string, records: readonly StoredRecord[], turns: Turns): Pieces {
  return {
    [Symbol.asyncIterator]: () => piecesOf(head, records, turns, (sizeBytes) => Buffer.allocUnsafe(sizeBytes)),
    inTurns: () => piecesOf(head, records, turns, twoInTurns()),
  }
}

/** Buffers outside the heap cost whole collections: a list of 40 MB in fresh ones spent two fifths of its time on them. */
function twoInTurns(): (sizeBytes: number) => Buffer {
  const buffers: Buffer[] = []
  let turn = 0
  return (sizeBytes) => {
    turn = 1 - turn
    const known = buffers[turn]
    if (known !== undefined && known.length >= sizeBytes) return known
    return (buffers[turn] = Buffer.allocUnsafe(sizeBytes))
  }
}

async function* piecesOf(
  head: string,
  records: readonly StoredRecord[],
  turns: Turns,
  take: (sizeBytes: number) => Buffer,
): AsyncGenerator<Uint8Array> {
  let piece = take(PIECE_BYTES)
  let at = piece.write(`${head},"items":[`)
  for (const [i, record] of records.entries()) {
    const needed = record.sizeBytes + VERSION_BYTES_MAX
    if (at + needed > piece.length) {
      yield piece.subarray(0, at)
      // A piece is encrypted and sent in the same round.
      await turns.take()
      // The one before may still be on its way.
      piece = take(Math.max(PIECE_BYTES, needed))
      at = 0
    }
    if (i > 0) at += comma.copy(piece, at)
    at = record.writeJson(piece, at)
  }
  yield piece.subarray(0, at)
  yield end
}
