// IP addresses as numbers: read, written canonically, and sorted into their kinds.

export interface IpAddress {
  readonly bits: 32 | 128
  readonly value: bigint
}

/** Undefined where it is no address. Zones are no part of one. */
export function parseIp(text: string): IpAddress | undefined {
  if (text.includes(':')) return parseIpv6(text)
  const value = parseIpv4(text)
  return value === undefined ? undefined : { bits: 32, value }
}

function parseIpv4(text: string): bigint | undefined {
  const parts = text.split('.')
  if (parts.length !== 4) return undefined
  let value = 0n
  for (const part of parts) {
    if (!/^(0|[1-9]\d{0,2})$/.test(part) || Number(part) > 255) return undefined
    value = (value << 8n) | BigInt(part)
  }
  return value
}

function parseIpv6(text: string): IpAddress | undefined {
  let head = text
  let tail: bigint | undefined
  const dotted = /^(.*:)(\d+\.\d+\.\d+\.\d+)$/.exec(text)
  if (dotted !== null) {
    tail = parseIpv4(dotted[2]!)
    if (tail === undefined) return undefined
    head = `${dotted[1]!}${(tail >> 16n).toString(16)}:${(tail & 0xffffn).toString(16)}`
  }
  const halves = head.split('::')
  if (halves.length > 2) return undefined
  const groups = halves.map((half) => (half === '' ? [] : half.split(':')))
  if (groups.flat().some((group) => !/^[0-9a-fA-F]{1,4}$/.test(group))) return undefined
  const count = groups.flat().length
  if (halves.length === 2 ? count > 7 : count !== 8) return undefined
  const zeros = Array.from({ length: 8 - count }, () => '0')
  const all = halves.length === 2 ? [...groups[0]!, ...zeros, ...groups[1]!] : groups[0]!
  return { bits: 128, value: all.reduce((value, group) => (value << 16n) | BigInt(`0x${group}`), 0n) }
}

/** The one canonical text. */
export function formatIp({ bits, value }: IpAddress): string {
  if (bits === 32) return [24n, 16n, 8n, 0n].map((shift) => ((value >> shift) & 255n).toString()).join('.')
  if (isMapped({ bits, value })) return `::ffff:${formatIp({ bits: 32, value: value & 0xffffffffn })}`
  const groups = Array.from({ length: 8 }, (_, index) => ((value >> BigInt(112 - 16 * index)) & 0xffffn).toString(16))
  const run = longestZeros(groups)
  if (run.size < 2) return groups.join(':')
  return `${groups.slice(0, run.start).join(':')}::${groups.slice(run.start + run.size).join(':')}`
}

function longestZeros(groups: readonly string[]): { start: number; size: number } {
  let best = { start: 0, size: 0 }
  let start = 0
  for (let at = 0; at <= groups.length; at += 1) {
    if (groups[at] === '0') continue
    if (at - start > best.size) best = { start, size: at - start }
    start = at + 1
  }
  return best
}

/** An IPv4 address in IPv6 clothes. */
export function isMapped({ bits, value }: IpAddress): boolean {
  return bits === 128 && value >> 32n === 0xffffn
}

function startsWith(address: IpAddress, prefix: string, length: number): boolean {
  const other = parseIp(prefix)!
  return other.bits === address.bits && isSameNetwork(address, other, length)
}

export function isSameNetwork(left: IpAddress, right: IpAddress, length: number): boolean {
  const shift = BigInt(left.bits - length)
  return left.bits === right.bits && left.value >> shift === right.value >> shift
}

export function isUnspecified({ value }: IpAddress): boolean {
  return value === 0n
}

export function isLoopback(address: IpAddress): boolean {
  return address.bits === 32 ? startsWith(address, '127.0.0.0', 8) : address.value === 1n
}

export function isLinkLocalMulticast(address: IpAddress): boolean {
  if (address.bits === 32) return startsWith(address, '224.0.0.0', 24)
  // ff02::/16 with any flags.
  return ((address.value >> 112n) & 0xff0fn) === 0xff02n
}

export function isLinkLocalUnicast(address: IpAddress): boolean {
  return address.bits === 32 ? startsWith(address, '169.254.0.0', 16) : startsWith(address, 'fe80::', 10)
}

function isMulticast(address: IpAddress): boolean {
  return address.bits === 32 ? startsWith(address, '224.0.0.0', 4) : startsWith(address, 'ff00::', 8)
}

export function isGlobalUnicast(address: IpAddress): boolean {
  const isBroadcast = address.bits === 32 && address.value === 0xffffffffn
  return (
    !isBroadcast &&
    !isUnspecified(address) &&
    !isLoopback(address) &&
    !isMulticast(address) &&
    !isLinkLocalUnicast(address)
  )
}
