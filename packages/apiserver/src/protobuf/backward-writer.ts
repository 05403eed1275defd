// Writes protobuf from its end to its beginning, as Go's generated code does: the length of a nested message is known when
// its prefix is due, and nothing is moved.

const START_BYTES = 4 * 1024

export class BackwardWriter {
  #buffer = Buffer.allocUnsafe(START_BYTES)
  #at = START_BYTES

  /** Bytes written so far. */
  get length(): number {
    return this.#buffer.length - this.#at
  }

  /** A copy of what was written; the writer is empty then and may be used again. */
  take(): Buffer {
    const bytes = Buffer.from(this.#buffer.subarray(this.#at))
    this.#at = this.#buffer.length
    return bytes
  }

  byte(value: number): void {
    this.#room(1)
    this.#buffer[--this.#at] = value
  }

  /** Field number and wire type: 0 varint, 1 eight bytes, 2 with a length. */
  tag(number: number, wireType: 0 | 1 | 2): void {
    const tag = number * 8 + wireType
    if (tag < 0x80) this.byte(tag)
    else this.varint(tag)
  }

  /** Negative numbers take ten bytes. */
  varint(value: number | bigint): void {
    if (typeof value === 'bigint' || value < 0) return this.#wide(BigInt.asUintN(64, BigInt(value)))
    const length = varintLength(value)
    this.#room(length)
    this.#at -= length
    let rest = value
    let at = this.#at
    while (rest >= 0x80) {
      this.#buffer[at++] = (rest % 0x80) | 0x80
      rest = Math.floor(rest / 0x80)
    }
    this.#buffer[at] = rest
  }

  double(value: number): void {
    this.#room(8)
    this.#at -= 8
    this.#buffer.writeDoubleLE(value, this.#at)
  }

  /** The text in UTF-8; answers its length. */
  text(value: string): number {
    const length = Buffer.byteLength(value)
    this.#room(length)
    this.#at -= length
    this.#buffer.write(value, this.#at, length, 'utf8')
    return length
  }

  raw(bytes: Uint8Array): void {
    this.#room(bytes.length)
    this.#at -= bytes.length
    this.#buffer.set(bytes, this.#at)
  }

  #wide(value: bigint): void {
    const bytes: number[] = []
    let rest = value
    while (rest >= 0x80n) {
      bytes.push(Number(rest & 0x7fn) | 0x80)
      rest >>= 7n
    }
    bytes.push(Number(rest))
    this.raw(Uint8Array.from(bytes))
  }

  #room(bytes: number): void {
    if (this.#at >= bytes) return
    const used = this.length
    const grown = Buffer.allocUnsafe(Math.max(this.#buffer.length * 2, used + bytes))
    this.#buffer.copy(grown, grown.length - used, this.#at)
    this.#at = grown.length - used
    this.#buffer = grown
  }
}

function varintLength(value: number): number {
  let length = 1
  for (let rest = value; rest >= 0x80; rest = Math.floor(rest / 0x80)) length += 1
  return length
}
