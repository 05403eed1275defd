// IPv4 addresses and ranges as numbers, for handing out addresses and judging which range holds one.

export interface Range {
  /** First address as an unsigned number. */
  readonly first: number
  readonly prefixLength: number
  /** How many addresses it holds. */
  readonly size: number
}

/** `10.0.0.1` as an unsigned number; undefined for anything else. */
export function readAddress(text: string): number | undefined {
  const parts = text.split('.')
  if (parts.length !== 4 || !parts.every((part) => /^(0|[1-9]\d{0,2})$/.test(part) && Number(part) < 256))
    return undefined
  return parts.reduce((sum, part) => sum * 256 + Number(part), 0)
}

/** As `readAddress`; throws on anything else. */
export function parseAddress(text: string): number {
  const address = readAddress(text)
  if (address === undefined) throw new Error(`"${text}" is no IPv4 address`)
  return address
}

export function isAddress(text: string): boolean {
  return readAddress(text) !== undefined
}

export function formatAddress(value: number): string {
  return [24, 16, 8, 0].map((shift) => (value >>> shift) & 255).join('.')
}

/** `10.224.0.0/12`; bits beyond the prefix are cleared. Undefined for anything else. */
export function readRange(text: string): Range | undefined {
  const [address, length, ...rest] = text.split('/')
  const value = readAddress(address ?? '')
  const prefixLength = Number(length)
  if (value === undefined || rest.length > 0 || !/^\d{1,2}$/.test(length ?? '') || prefixLength > 32) return undefined
  const size = 2 ** (32 - prefixLength)
  return { first: Math.floor(value / size) * size, prefixLength, size }
}

/** As `readRange`; throws on anything else. */
export function parseRange(text: string): Range {
  const range = readRange(text)
  if (range === undefined) throw new Error(`"${text}" is no IPv4 range`)
  return range
}

export function formatRange(range: Range): string {
  return `${formatAddress(range.first)}/${range.prefixLength}`
}

/** The address at this offset from the range's first. */
export function addressAt(range: Range, offset: number): string {
  return formatAddress(range.first + offset)
}

export function contains(range: Range, address: number): boolean {
  return address >= range.first && address < range.first + range.size
}

export function overlaps(a: Range, b: Range): boolean {
  return contains(a, b.first) || contains(b, a.first)
}

/** The lowest number from `from` up to, not including, `to` that is not taken. */
export function lowestFree(from: number, to: number, isTaken: (candidate: number) => boolean): number | undefined {
  for (let candidate = from; candidate < to; candidate += 1) {
    if (!isTaken(candidate)) return candidate
  }
  return undefined
}

/** The first part with this prefix length that is not used; undefined where the range is full. */
export function firstFreePart(text: string, prefixLength: number, used: ReadonlySet<string>): string | undefined {
  const whole = readRange(text)
  if (whole === undefined) return undefined
  const size = 2 ** (32 - prefixLength)
  for (let first = whole.first; first + size <= whole.first + whole.size; first += size) {
    const part = `${formatAddress(first)}/${prefixLength}`
    if (!used.has(part)) return part
  }
  return undefined
}

/** Ranges that no other one holds: an interval set refuses rows that overlap. */
export function withoutNested(texts: readonly string[]): readonly string[] {
  const ranges = texts.map(parseRange).sort((a, b) => a.prefixLength - b.prefixLength)
  const kept: Range[] = []
  for (const range of ranges) {
    if (!kept.some((wider) => overlaps(wider, range))) kept.push(range)
  }
  return kept.map(formatRange)
}
