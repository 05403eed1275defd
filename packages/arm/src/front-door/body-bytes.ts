// Bodies that are answered again and again while nothing changes have their bytes kept: a list of hundreds of clusters is then put together
// of what was written before, and one in which nothing changed is the very bytes of the last one.

interface KeptList {
  readonly items: readonly unknown[]
  readonly bytes: Buffer
}

export class BodyBytes {
  /** Undefined of one that nobody has asked for yet. */
  readonly #kept = new WeakMap<object, Buffer | undefined>()
  /** The items of the last list that began with this one, in order, joined by commas: megabytes that need not be made anew. */
  readonly #lists = new WeakMap<object, KeptList>()

  /** The body must stay as it is from now on. */
  keep(body: object): void {
    if (!this.#kept.has(body)) this.#kept.set(body, undefined)
  }

  /** As JSON. Text where nothing of it is kept. */
  of(body: object): Buffer | string {
    if (this.#kept.has(body)) return this.#bytesOf(body)
    const { value, ...rest } = body as { readonly value?: unknown }
    if (!Array.isArray(value) || !value.every((item) => this.#isKept(item)) || value.length === 0)
      return JSON.stringify(body)
    return this.#list(value as readonly object[], rest)
  }

  #list(items: readonly object[], rest: object): Buffer {
    // Another link at the end is another body: only whole lists are the same bytes again.
    const isWhole = Object.keys(rest).length === 0
    const known = isWhole ? this.#lists.get(items[0]!) : undefined
    if (known !== undefined && isSame(known.items, items)) return known.bytes
    const pieces: Buffer[] = [opening]
    items.forEach((item, index) => {
      if (index > 0) pieces.push(comma)
      pieces.push(this.#bytesOf(item))
    })
    pieces.push(isWhole ? closing : Buffer.from(`],${JSON.stringify(rest).slice(1)}`))
    const bytes = Buffer.concat(pieces)
    if (isWhole) this.#lists.set(items[0]!, { items, bytes })
    return bytes
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

const opening = Buffer.from('{"value":[')
const comma = Buffer.from(',')
const closing = Buffer.from(']}')

function isSame(left: readonly unknown[], right: readonly unknown[]): boolean {
  return left.length === right.length && left.every((item, index) => item === right[index])
}
