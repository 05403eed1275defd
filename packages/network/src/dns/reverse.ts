// Addresses written backwards as names, for PTR records (RFC 1035, 3.5; RFC 3596, 2.5).

import { isIPv4 } from 'node:net'
import { bytesOfIpv6 } from './wire.ts'

/** The address of `4.3.2.1.in-addr.arpa` or `….ip6.arpa` (eight full groups); undefined for what names no whole address. */
export function reverseAddress(name: string): string | undefined {
  const parts = name.split('.').toReversed()
  if (parts[0] !== 'arpa') return undefined
  const digits = parts.slice(2)
  if (parts[1] === 'in-addr') {
    const address = digits.join('.')
    return isIPv4(address) ? address : undefined
  }
  if (parts[1] !== 'ip6' || digits.length !== 32 || !digits.every((digit) => /^[0-9a-f]$/.test(digit))) return undefined
  return wholeIpv6(Buffer.from(digits.join(''), 'hex'))
}

/** One spelling for each IPv6 address; others stay as they are. */
export function canonicalAddress(address: string): string {
  return address.includes(':') ? wholeIpv6(bytesOfIpv6(address)) : address
}

function wholeIpv6(bytes: Buffer): string {
  return Array.from({ length: 8 }, (_, group) => bytes.readUInt16BE(group * 2).toString(16)).join(':')
}
