// A document as JSON, in steps: its paths and schemas are too many for one turn.

import type { Steps } from './steps.ts'

type Json = Readonly<Record<string, unknown>>

/** Objects whose entries are written one by one. */
const large: ReadonlySet<string> = new Set(['components', 'definitions', 'paths', 'schemas'])

export function* jsonSteps(document: Json): Steps<Uint8Array> {
  const pieces: string[] = []
  yield* write(document, pieces)
  return new TextEncoder().encode(pieces.join(''))
}

function* write(object: Json, pieces: string[]): Steps<void> {
  let before = '{'
  for (const [key, value] of Object.entries(object)) {
    pieces.push(before, JSON.stringify(key), ':')
    before = ','
    if (large.has(key)) yield* write(value as Json, pieces)
    else pieces.push(JSON.stringify(value))
    yield
  }
  pieces.push(before === '{' ? '{}' : '}')
}
