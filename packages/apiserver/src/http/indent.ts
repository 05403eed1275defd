// JSON for people to read: indented as Go indents it. Works on bytes in pieces, so that exact numbers stay exact and a long list
// is never held whole.

const QUOTE = 0x22
const BACKSLASH = 0x5c
const COMMA = 0x2c
const COLON = 0x3a
const NEWLINE = 0x0a
const opening: ReadonlySet<number> = new Set([0x7b, 0x5b])
const closing: ReadonlySet<number> = new Set([0x7d, 0x5d])
/** Between tokens of what our encoder writes there is nothing, or a newline at the end. */
const blank: ReadonlySet<number> = new Set([0x20, NEWLINE, 0x0d, 0x09])

/** One document; give it its pieces in order. */
export class Indenter {
  #depth = 0
  #inText = false
  #escaped = false
  /** Just behind an opening brace: whether a line is broken depends on what follows. */
  #opened = false

  push(piece: Uint8Array): Buffer {
    const out: string[] = []
    // Text is copied in runs; only the marks between are looked at one by one.
    const source = Buffer.from(piece.buffer, piece.byteOffset, piece.byteLength)
    let from = 0
    const flush = (to: number): void => {
      if (to > from) out.push(source.toString('latin1', from, to))
      from = to
    }
    for (let at = 0; at < source.length; at += 1) {
      const byte = source[at]!
      if (this.#inText) {
        if (this.#escaped) this.#escaped = false
        else if (byte === BACKSLASH) this.#escaped = true
        else if (byte === QUOTE) this.#inText = false
        continue
      }
      if (blank.has(byte)) {
        flush(at)
        from = at + 1
        continue
      }
      flush(at)
      from = at + 1
      out.push(this.#mark(byte))
    }
    flush(source.length)
    return Buffer.from(out.join(''), 'latin1')
  }

  #mark(byte: number): string {
    const mark = String.fromCharCode(byte)
    if (closing.has(byte)) {
      this.#depth -= 1
      const wasEmpty = this.#opened
      this.#opened = false
      return wasEmpty ? mark : `${this.#line()}${mark}`
    }
    const before = this.#opened ? this.#line() : ''
    this.#opened = false
    if (byte === QUOTE) this.#inText = true
    if (opening.has(byte)) {
      this.#depth += 1
      this.#opened = true
    }
    if (byte === COMMA) return `${before},${this.#line()}`
    return byte === COLON ? `${before}: ` : `${before}${mark}`
  }

  #line(): string {
    return `\n${'  '.repeat(this.#depth)}`
  }
}
