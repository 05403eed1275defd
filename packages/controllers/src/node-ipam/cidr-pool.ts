// The ranges that nodes get out of one range of the cluster: which are taken, and which is next.

import { formatRange, parseRange, rangeContains, rangesOverlap, sizeOfRange, type IpRange } from '@aksel/base/ip-range'

/** Of a larger range only the first so many are given: more nodes than that no cluster has. */
const COUNT_MAX = 65_536

export class CidrPool {
  readonly #range: IpRange
  readonly #mask: number
  readonly #count: number
  readonly #taken = new Set<number>()
  /** Ranges are handed out from the end: those who plan their machines' ranges ahead do so from the start. */
  #next: number

  /** Throws where the range has no room for one range of `mask` bits. */
  constructor(cidr: string, mask: number) {
    const range = parseRange(cidr)
    if (range === undefined) throw new Error(`Cannot hand out ranges of "${cidr}": it is no CIDR`)
    if (mask < range.prefix) throw new Error(`Cannot hand out ranges of ${mask} bits of "${cidr}": it is smaller`)
    this.#range = range
    this.#mask = mask
    this.#count = Math.min(2 ** (mask - range.prefix), COUNT_MAX)
    this.#next = this.#count - 1
  }

  get family(): IpRange['family'] {
    return this.#range.family
  }

  /** False where the range is not of this pool, or overlaps one that is taken. */
  occupy(cidr: string): boolean {
    const indexes = this.#indexesOf(cidr)
    if (indexes === undefined || indexes.some((index) => this.#taken.has(index))) return false
    for (const index of indexes) this.#taken.add(index)
    return true
  }

  release(cidr: string): void {
    for (const index of this.#indexesOf(cidr) ?? []) this.#taken.delete(index)
  }

  /** A free range, which is taken from now on; undefined where there is none. One that came free is given last. */
  take(): string | undefined {
    if (this.#taken.size >= this.#count) return undefined
    while (this.#taken.has(this.#next)) this.#next = this.#next === 0 ? this.#count - 1 : this.#next - 1
    const index = this.#next
    this.#taken.add(index)
    this.#next = index === 0 ? this.#count - 1 : index - 1
    return formatRange({ ...this.#range, first: this.#range.first + BigInt(index) * this.#step, prefix: this.#mask })
  }

  /** All that overlaps it is never given: service addresses that lie within. */
  exclude(cidr: string): void {
    const other = parseRange(cidr)
    if (other === undefined || !rangesOverlap(this.#range, other)) return
    if (rangeContains(other, this.#range))
      throw new Error(`Nothing is left of "${formatRange(this.#range)}" beside "${cidr}"`)
    for (const index of this.#indexesOf(cidr) ?? []) this.#taken.add(index)
  }

  get #step(): bigint {
    return sizeOfRange({ ...this.#range, prefix: this.#mask })
  }

  #indexesOf(cidr: string): readonly number[] | undefined {
    const range = parseRange(cidr)
    if (range === undefined || !rangeContains(this.#range, range)) return undefined
    const first = Number((range.first - this.#range.first) / this.#step)
    const size = sizeOfRange(range)
    const count = size <= this.#step ? 1 : Number(size / this.#step)
    return Array.from({ length: count }, (_, at) => first + at)
  }
}
