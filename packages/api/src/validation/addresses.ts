// IP addresses and ranges as texts. No `node:net` here: this package runs in browsers too.

const octet = '(?:25[0-5]|2[0-4]\\d|1\\d\\d|[1-9]?\\d)'
const ipv4 = new RegExp(`^${octet}(?:\\.${octet}){3}$`)

export function isIpv4(text: string): boolean {
  return ipv4.test(text)
}

export function isIpv6(text: string): boolean {
  if (!/^[0-9a-fA-F:.]+$/.test(text) || !text.includes(':')) return false
  const [head = '', tail, ...more] = text.split('::')
  if (more.length > 0) return false
  const groups = [head, tail ?? ''].flatMap((part) => (part === '' ? [] : part.split(':')))
  const last = groups.at(-1)
  const hasIpv4 = last?.includes('.') === true
  if (hasIpv4 && !isIpv4(last)) return false
  const hex = hasIpv4 ? groups.slice(0, -1) : groups
  if (!hex.every((group) => /^[0-9a-fA-F]{1,4}$/.test(group))) return false
  const count = hex.length + (hasIpv4 ? 2 : 0)
  return tail === undefined ? count === 8 : count < 8
}

export function isIpAddress(text: string): boolean {
  return isIpv4(text) || isIpv6(text)
}

const sloppyOctet = /^0*(\d{1,3})$/

/**
 * The address as it is written today, for texts that older fields take: octets with leading zeroes count as decimal, and an
 * IPv4 address inside an IPv6 one (`::ffff:10.0.0.1`) is that address. Undefined where the text is no address even so.
 */
export function plainAddress(text: string): string | undefined {
  const octets = text.split('.')
  if (octets.length === 4 && octets.every((part) => sloppyOctet.test(part))) {
    const plain = octets.map((part) => String(Number(part))).join('.')
    return isIpv4(plain) ? plain : undefined
  }
  const mapped = /^(.*:)([^:]*\.[^:]*)$/.exec(text)
  const inner = mapped === null ? undefined : plainAddress(mapped[2]!)
  const whole = inner === undefined ? text : `${mapped![1]}${inner}`
  const canonical = canonicalAddress(whole)
  const low = canonical === undefined ? null : /^::ffff:([0-9a-f]+):([0-9a-f]+)$/.exec(canonical)
  if (low === null) return canonical
  const [high, tail] = [Number.parseInt(low[1]!, 16), Number.parseInt(low[2]!, 16)]
  return [high >> 8, high & 255, tail >> 8, tail & 255].join('.')
}

/** What rules of packets, names and pools are made of: the address as it is written today, or the text that is none. */
export function standardAddress(text: string): string {
  return plainAddress(text) ?? text
}

/** The range as it is written today, or the text that is none. */
export function standardCidr(text: string): string {
  return legacyCidr(text)?.plain ?? text
}

/** Older fields take what `plainAddress` reads. */
export function isLegacyIp(text: string): boolean {
  return plainAddress(text) !== undefined
}

/** A range as older fields take it: the address as written, and the whole as it is written today. */
export function legacyCidr(text: string): { readonly address: string; readonly plain: string } | undefined {
  const [address = '', bits = '', ...more] = text.split('/')
  const plain = plainAddress(address)
  if (plain === undefined || more.length > 0 || !/^\d{1,3}$/.test(bits)) return undefined
  const isMapped = isIpv4(plain) && address.includes(':')
  const length = Number(bits) - (isMapped ? 96 : 0)
  const range = `${plain}/${length}`
  return length >= 0 && isCidr(range) ? { address, plain: range } : undefined
}

export function isLegacyCidr(text: string): boolean {
  return legacyCidr(text) !== undefined
}

export const ipComplaint = 'must be a valid IP address, (e.g. 10.9.8.7 or 2001:db8::ffff)'
export const cidrComplaint = 'must be a valid CIDR value, (e.g. 10.9.8.0/24 or 2001:db8::/64)'

export function isCidr(text: string): boolean {
  const [address = '', bits = '', ...more] = text.split('/')
  if (more.length > 0 || !/^\d{1,3}$/.test(bits)) return false
  return isIpv4(address) ? Number(bits) <= 32 : isIpv6(address) && Number(bits) <= 128
}

/** The one way to write this address; undefined where it is none. */
export function canonicalAddress(text: string): string | undefined {
  if (isIpv4(text)) return text
  return isIpv6(text) ? ipv6Text(ipv6Groups(text)) : undefined
}

/** The network of a range in its one way of writing; undefined where it is none. */
export function canonicalCidr(text: string): string | undefined {
  if (!isCidr(text)) return undefined
  const [address = '', bits = ''] = text.split('/')
  const length = Number(bits)
  if (isIpv4(address)) return `${maskIpv4(address, length)}/${length}`
  const groups = ipv6Groups(address).map((group, index) => {
    const kept = Math.min(Math.max(length - index * 16, 0), 16)
    return group & ((0xffff << (16 - kept)) & 0xffff)
  })
  return `${ipv6Text(groups)}/${length}`
}

function maskIpv4(address: string, length: number): string {
  const octets = address.split('.').map(Number)
  return octets
    .map((octet, index) => octet & ((0xff << (8 - Math.min(Math.max(length - index * 8, 0), 8))) & 0xff))
    .join('.')
}

/** Eight numbers of 16 bits. */
function ipv6Groups(text: string): readonly number[] {
  const plain = text.replace(/(\d+)\.(\d+)\.(\d+)\.(\d+)$/, (_all, a: string, b: string, c: string, d: string) => {
    const pair = (high: string, low: string): string => ((Number(high) << 8) | Number(low)).toString(16)
    return `${pair(a, b)}:${pair(c, d)}`
  })
  const [head = '', tail] = plain.split('::')
  const numbers = (part: string): number[] =>
    part === '' ? [] : part.split(':').map((hex) => Number.parseInt(hex, 16))
  const [first, last] = [numbers(head), numbers(tail ?? '')]
  return [...first, ...Array<number>(8 - first.length - last.length).fill(0), ...last]
}

/** RFC 5952: the longest run of zeroes, of at least two, is left out. */
function ipv6Text(groups: readonly number[]): string {
  let [from, length] = [-1, 1]
  for (let at = 0; at < groups.length; at += 1) {
    let run = 0
    while (groups[at + run] === 0) run += 1
    if (run > length) [from, length] = [at, run]
  }
  const hex = groups.map((group) => group.toString(16))
  return from < 0 ? hex.join(':') : `${hex.slice(0, from).join(':')}::${hex.slice(from + length).join(':')}`
}
