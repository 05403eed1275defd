// The managedFields of a stored object, as text: half of many objects, and lists of rows only pass them on. They stand last in the
// metadata that we write, so that nothing of them need be parsed, nor written anew.

const metadataStart = Buffer.from('"metadata":{')
const fieldStart = Buffer.from('"managedFields":[')
const QUOTE = 0x22
const COMMA = 0x2c
const BACKSLASH = 0x5c
const OPEN_LIST = 0x5b
const CLOSE_LIST = 0x5d
const OPEN = 0x7b
const CLOSE = 0x7d

export interface WithoutManagers {
  /** JSON of the object without its managedFields. */
  readonly rest: string
  /** JSON of the list. */
  readonly managedFields: string
}

/** Undefined where the metadata has none, or they do not stand where we put them. */
export function withoutManagers(value: Uint8Array): WithoutManagers | undefined {
  const bytes = Buffer.from(value.buffer, value.byteOffset, value.byteLength)
  const metadata = bytes.indexOf(metadataStart)
  if (metadata === -1) return undefined
  const field = fieldOf(bytes, metadata + metadataStart.length)
  if (field === undefined || bytes[field - 1] !== COMMA) return undefined
  const list = field + fieldStart.length - 1
  const end = endOfList(bytes, list)
  if (bytes[end] !== CLOSE) return undefined
  return {
    rest: bytes.toString('utf8', 0, field - 1) + bytes.toString('utf8', end),
    managedFields: bytes.toString('utf8', list, end),
  }
}

/** Where it begins among the metadata's own fields. */
function fieldOf(bytes: Buffer, start: number): number | undefined {
  let depth = 0
  for (let at = start; at < bytes.length; at++) {
    const byte = bytes[at]!
    if (byte === QUOTE) {
      if (depth === 0 && fieldStart.compare(bytes, at, at + fieldStart.length) === 0) return at
      at = endOfString(bytes, at)
    } else if (byte === OPEN || byte === OPEN_LIST) depth += 1
    else if (byte === CLOSE || byte === CLOSE_LIST) {
      if (depth === 0) return undefined
      depth -= 1
    }
  }
  return undefined
}

/** Behind the bracket that closes the list which begins here. */
function endOfList(bytes: Buffer, start: number): number {
  let depth = 0
  for (let at = start; at < bytes.length; at++) {
    const byte = bytes[at]!
    if (byte === QUOTE) at = endOfString(bytes, at)
    else if (byte === OPEN || byte === OPEN_LIST) depth += 1
    else if (byte === CLOSE || byte === CLOSE_LIST) {
      depth -= 1
      if (depth === 0) return at + 1
    }
  }
  return bytes.length
}

/** Where the closing quote of the string that begins here stands. */
function endOfString(bytes: Buffer, start: number): number {
  let at = start + 1
  while (at < bytes.length && bytes[at] !== QUOTE) at += bytes[at] === BACKSLASH ? 2 : 1
  return at
}
