// Addresses and ranges of both families as numbers: what counts, compares and hands out ranges needs no text.

export type IpFamily = 4 | 6

export interface IpAddress {
  readonly family: IpFamily
  readonly value: bigint
}

export interface IpRange {
  readonly family: IpFamily
  /** The first address; bits behind the prefix are zero. */
  readonly first: bigint
  /** Bits that all its addresses share. */
  readonly prefix: number
}

const bitsOf = { 4: 32, 6: 128 } as const

/** Undefined for what is no address. Leading zeros and zones are refused, as Go's ParseAddr refuses them. */
export function parseIp(text: string): IpAddress | undefined {
  const value = text.includes(':') ? parseIpv6(text) : parseIpv4(text)
  return value === undefined ? undefined : { family: text.includes(':') ? 6 : 4, value }
}

/** Undefined for what is no range; bits behind the prefix are dropped. */
export function parseRange(cidr: string): IpRange | undefined {
  const slash = cidr.lastIndexOf('/')
  const address = slash < 0 ? undefined : parseIp(cidr.slice(0, slash))
  const length = cidr.slice(slash + 1)
  if (address === undefined || !/^(?:0|[1-9]\d{0,2})$/.test(length)) return undefined
  const { family, value } = address
  const prefix = Number(length)
  if (prefix > bitsOf[family]) return undefined
  const behind = BigInt(bitsOf[family] - prefix)
  return { family, first: (value >> behind) << behind, prefix }
}

/** How many addresses it holds. */
export function sizeOfRange({ family, prefix }: IpRange): bigint {
  return 1n << BigInt(bitsOf[family] - prefix)
}

export function rangeHolds(range: IpRange, { family, value }: IpAddress): boolean {
  return family === range.family && value >= range.first && value < range.first + sizeOfRange(range)
}

/** True where every address of `inner` is one of `outer`; a range contains itself. */
export function rangeContains(outer: IpRange, inner: IpRange): boolean {
  return inner.prefix >= outer.prefix && rangeHolds(outer, { family: inner.family, value: inner.first })
}

export function rangesOverlap(one: IpRange, other: IpRange): boolean {
  return rangeContains(one, other) || rangeContains(other, one)
}

export function formatRange({ family, first, prefix }: IpRange): string {
  return `${formatIp({ family, value: first })}/${prefix}`
}

/** IPv6 as RFC 5952 writes it: lower case, the longest run of zeros left out. */
export function formatIp({ family, value }: IpAddress): string {
  if (family === 4) return [24n, 16n, 8n, 0n].map((shift) => (value >> shift) & 255n).join('.')
  const groups = Array.from({ length: 8 }, (_, at) => (value >> BigInt(112 - 16 * at)) & 0xffffn)
  let best = { at: -1, length: 1 }
  for (let at = 0; at < 8; at += 1) {
    let length = 0
    while (at + length < 8 && groups[at + length] === 0n) length += 1
    if (length > best.length) best = { at, length }
  }
  const text = groups.map((group) => group.toString(16))
  if (best.at < 0) return text.join(':')
  return `${text.slice(0, best.at).join(':')}::${text.slice(best.at + best.length).join(':')}`
}

function parseIpv4(text: string): bigint | undefined {
  const parts = text.split('.')
  if (parts.length !== 4 || !parts.every((part) => /^(?:0|[1-9]\d{0,2})$/.test(part) && Number(part) < 256))
    return undefined
  return parts.reduce((sum, part) => sum * 256n + BigInt(part), 0n)
}

function parseIpv6(text: string): bigint | undefined {
  const lastColon = text.lastIndexOf(':')
  const tail = text.slice(lastColon + 1)
  const mapped = tail.includes('.') ? parseIpv4(tail) : undefined
  if (tail.includes('.') && mapped === undefined) return undefined
  const plain =
    mapped === undefined
      ? text
      : `${text.slice(0, lastColon + 1)}${(mapped >> 16n).toString(16)}:${(mapped & 0xffffn).toString(16)}`
  const halves = plain.split('::')
  if (halves.length > 2) return undefined
  const [head, rest] = halves.map((half) => (half === '' ? [] : half.split(':'))) as [string[], string[]?]
  const missing = 8 - head.length - (rest?.length ?? 0)
  if (rest === undefined ? missing !== 0 : missing < 1) return undefined
  const groups = [...head, ...Array.from({ length: rest === undefined ? 0 : missing }, () => '0'), ...(rest ?? [])]
  if (!groups.every((group) => /^[0-9a-f]{1,4}$/i.test(group))) return undefined
  return groups.reduce((sum, group) => (sum << 16n) + BigInt(`0x${group}`), 0n)
}
