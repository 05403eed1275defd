// Addresses in older fields: several ways of writing one address are taken there, and from 1.36 on fewer. A kind lists those
// that an object of it has; the rule and the warnings on them are the same for all.

import { invalid, type FieldError } from '../field-errors.ts'
import {
  canonicalAddress,
  canonicalCidr,
  isCidr,
  isIpAddress,
  isIpv4,
  legacyCidr,
  plainAddress,
} from '../validation/addresses.ts'

export interface LegacyAddress {
  readonly path: string
  readonly kind: 'ip' | 'cidr'
  readonly text: string
}

const ambiguousBits = 'must not have bits set beyond the prefix length'

export interface Strictness {
  /** Texts in these stay allowed. */
  readonly old?: readonly LegacyAddress[]
  readonly isStrict: boolean
}

/** What is refused though older fields took it once. */
export function strictAddressErrors(
  addresses: readonly LegacyAddress[],
  { old = [], isStrict }: Strictness,
): readonly FieldError[] {
  if (!isStrict) return []
  const known = new Set(old.map(({ text }) => text))
  return addresses.flatMap(({ path, kind, text }) => {
    if (known.has(text)) return []
    const why = kind === 'ip' ? strictIp(text) : strictCidr(text)
    return why === undefined ? [] : [invalid(path, text, why)]
  })
}

function strictIp(text: string): string | undefined {
  if (plainAddress(text) === undefined) return undefined
  if (!isIpAddress(text)) return 'must not have leading 0s'
  return isMapped(text) ? 'must not be an IPv4-mapped IPv6 address' : undefined
}

function strictCidr(text: string): string | undefined {
  const parsed = legacyCidr(text)
  if (parsed === undefined) return undefined
  if (!isCidr(text) || /\/0\d/.test(text)) return 'must not have leading 0s in IP or prefix length'
  if (isMapped(parsed.address)) return 'must not have an IPv4-mapped IPv6 address'
  return hasBitsBeyond(parsed.plain) ? ambiguousBits : undefined
}

/** Texts that are no address at all are another rule's to refuse. */
export function addressWarnings(addresses: readonly LegacyAddress[]): readonly string[] {
  return addresses.flatMap(({ path, kind, text }) =>
    kind === 'ip' ? ipWarnings(path, text) : cidrWarnings(path, text),
  )
}

function ipWarnings(path: string, text: string): readonly string[] {
  const plain = plainAddress(text)
  if (plain === undefined) return []
  if (!isIpAddress(text) || isMapped(text))
    return [`${path}: non-standard IP address "${text}" is invalid: use "${plain}"`]
  const canonical = canonicalAddress(text)
  if (isIpv4(text) || canonical === text) return []
  return [`${path}: IPv6 address "${text}" should be in RFC 5952 canonical format ("${canonical}")`]
}

function cidrWarnings(path: string, text: string): readonly string[] {
  const parsed = legacyCidr(text)
  if (parsed === undefined) return []
  const network = canonicalCidr(parsed.plain)!
  const warnings: string[] = []
  if (hasBitsBeyond(parsed.plain)) {
    const [address = ''] = parsed.plain.split('/')
    const single = `${canonicalAddress(address)}/${isIpv4(address) ? 32 : 128}`
    warnings.push(`${path}: CIDR value "${text}" is ambiguous in this context (should be "${network}" or "${single}"?)`)
  }
  if (!isCidr(text) || /\/0\d/.test(text) || isMapped(parsed.address))
    warnings.push(`${path}: non-standard CIDR value "${text}" is invalid: use "${network}"`)
  const [address = ''] = text.split('/')
  if (warnings.length === 0 && !isIpv4(address) && network !== text)
    warnings.push(`${path}: IPv6 CIDR value "${text}" should be in RFC 5952 canonical format ("${network}")`)
  return warnings
}

function isMapped(text: string): boolean {
  return !isIpv4(text) && isIpAddress(text) && (canonicalAddress(text) ?? '').startsWith('::ffff:')
}

function hasBitsBeyond(plain: string): boolean {
  const [address = '', bits = ''] = plain.split('/')
  return canonicalCidr(plain) !== `${canonicalAddress(address)}/${Number(bits)}`
}
