// The protobuf wire format, read field by field: tag, then a varint, eight bytes, four bytes, or a length and bytes.

export class WireError extends Error {
  constructor(message: string) {
    super(message)
    this.name = 'WireError'
  }
}

export interface WireField {
  readonly number: number
  /** For varints and fixed numbers; bytes for everything that has a length. */
  readonly value: bigint | Buffer
}

/** The fields of one message, in the order in which they stand. Throws WireError. */
export function* readFields(bytes: Buffer): Generator<WireField> {
  let at = 0
  while (at < bytes.length) {
    const tag = readVarint(bytes, at)
    at = tag.next
    const number = Number(tag.value >> 3n)
    const kind = Number(tag.value & 7n)
    switch (kind) {
      case 0: {
        const { value, next } = readVarint(bytes, at)
        at = next
        yield { number, value }
        break
      }
      case 1:
        yield { number, value: bytes.readBigUInt64LE(checked(bytes, at, 8)) }
        at += 8
        break
      case 2: {
        const { value, next } = readVarint(bytes, at)
        const length = Number(value)
        checked(bytes, next, length)
        at = next + length
        yield { number, value: bytes.subarray(next, at) }
        break
      }
      case 5:
        yield { number, value: BigInt(bytes.readUInt32LE(checked(bytes, at, 4))) }
        at += 4
        break
      default:
        throw new WireError(`proto: illegal wireType ${kind}`)
    }
  }
}

function checked(bytes: Buffer, at: number, length: number): number {
  if (length < 0 || at + length > bytes.length) throw new WireError('unexpected EOF')
  return at
}

function readVarint(bytes: Buffer, start: number): { readonly value: bigint; readonly next: number } {
  let value = 0n
  for (let at = start; at < start + 10; at += 1) {
    const byte = bytes[at]
    if (byte === undefined) throw new WireError('unexpected EOF')
    value |= BigInt(byte & 0x7f) << BigInt(7 * (at - start))
    if (byte < 0x80) return { value, next: at + 1 }
  }
  throw new WireError('proto: integer overflow')
}

/** A signed 64-bit integer: a number where that is exact. */
export function signed(value: bigint): number | bigint {
  const wide = BigInt.asIntN(64, value)
  return wide >= BigInt(Number.MIN_SAFE_INTEGER) && wide <= BigInt(Number.MAX_SAFE_INTEGER) ? Number(wide) : wide
}
