// A response's body, whole or line by line. A watch's lines come in pieces that end anywhere, in the middle of a character too.

/** All pieces in one array; the piece itself where there is only one. */
export async function readBody(body: AsyncIterable<Uint8Array>): Promise<Uint8Array> {
  const pieces: Uint8Array[] = []
  for await (const piece of body) pieces.push(piece)
  return joined(pieces)
}

/** The lines of a body as bytes, without their newline; empty ones are left out. */
export async function* readLines(body: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
  let rest: Uint8Array[] = []
  for await (const piece of body) {
    let start = 0
    for (let end = piece.indexOf(NEWLINE); end >= 0; end = piece.indexOf(NEWLINE, start)) {
      rest.push(piece.subarray(start, end))
      start = end + 1
      const line = joined(rest)
      rest = []
      if (line.length > 0) yield line
    }
    if (start < piece.length) rest.push(piece.subarray(start))
  }
  const last = joined(rest)
  if (last.length > 0) yield last
}

const NEWLINE = 0x0a

function joined(pieces: readonly Uint8Array[]): Uint8Array {
  if (pieces.length === 1) return pieces[0]!
  const whole = new Uint8Array(pieces.reduce((sum, piece) => sum + piece.length, 0))
  let at = 0
  for (const piece of pieces) {
    whole.set(piece, at)
    at += piece.length
  }
  return whole
}
