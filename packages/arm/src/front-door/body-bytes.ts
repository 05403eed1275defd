// Bodies that are answered again and again while nothing changes have their bytes kept: a list of hundreds of clusters is then put together
// of what was written before.

export class BodyBytes {
  /** Undefined of one that nobody has asked for yet. */
  readonly #kept = new WeakMap<object, Buffer | undefined>()

  /** The body must stay as it is from now on. */
  keep(body: object): void {
    if (!this.#kept.has(body)) this.#kept.set(body, undefined)
  }

  /** As JSON. Text where nothing of it is kept. */
  of(body: object): Buffer | string {
    if (this.#kept.has(body)) return this.#bytesOf(body)
    const { value, ...rest } = body as { readonly value?: unknown }
    if (!Array.isArray(value) || !value.some((item) => this.#isKept(item))) return JSON.stringify(body)
    const pieces: Buffer[] = []
    value.forEach((item: unknown, index) =>
      pieces.push(Buffer.from(index === 0 ? '{"value":[' : ','), this.#item(item)),
    )
    const end = JSON.stringify(rest)
    pieces.push(Buffer.from(end === '{}' ? ']}' : `],${end.slice(1)}`))
    return Buffer.concat(pieces)
  }

  #item(item: unknown): Buffer {
    return this.#isKept(item) ? this.#bytesOf(item) : Buffer.from(JSON.stringify(item) ?? 'null')
  }

  #isKept(item: unknown): item is object {
    return typeof item === 'object' && item !== null && this.#kept.has(item)
  }

  #bytesOf(body: object): Buffer {
    const known = this.#kept.get(body)
    if (known !== undefined) return known
    const bytes = Buffer.from(JSON.stringify(body))
    this.#kept.set(body, bytes)
    return bytes
  }
}
