// IPv4 ranges as numbers: parse, contain, overlap, and the n-th part of a range.

export interface Ipv4Range {
  readonly first: number
  readonly size: number
  readonly prefixLength: number
}

export function parseIpv4(text: string): number | undefined {
  const match = /^(\d{1,3})\.(\d{1,3})\.(\d{1,3})\.(\d{1,3})$/.exec(text)
  if (match === null) return undefined
  const parts = match.slice(1).map(Number)
  return parts.every((part) => part <= 255) ? parts.reduce((sum, part) => sum * 256 + part, 0) : undefined
}

/** `10.0.0.0/16`; host bits are cleared. */
export function parseRange(text: string): Ipv4Range | undefined {
  const [address, length, ...rest] = text.split('/')
  const value = parseIpv4(address ?? '')
  const prefixLength = Number(length)
  if (value === undefined || rest.length > 0 || !/^\d{1,2}$/.test(length ?? '') || prefixLength > 32) return undefined
  const size = 2 ** (32 - prefixLength)
  return { first: value - (value % size), size, prefixLength }
}

export function formatIpv4(value: number): string {
  return [24, 16, 8, 0].map((shift) => Math.floor(value / 2 ** shift) % 256).join('.')
}

export function contains(range: Ipv4Range, address: number): boolean {
  return address >= range.first && address < range.first + range.size
}

export function overlap(left: Ipv4Range, right: Ipv4Range): boolean {
  return left.first < right.first + right.size && right.first < left.first + left.size
}

/** The first part with this prefix length that is not used; undefined where the range is full. */
export function firstFreePart(range: string, prefixLength: number, used: ReadonlySet<string>): string | undefined {
  const whole = parseRange(range)
  if (whole === undefined) return undefined
  const size = 2 ** (32 - prefixLength)
  for (let first = whole.first; first + size <= whole.first + whole.size; first += size) {
    const part = `${formatIpv4(first)}/${prefixLength}`
    if (!used.has(part)) return part
  }
  return undefined
}
