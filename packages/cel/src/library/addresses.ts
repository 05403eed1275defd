// IP addresses and CIDR blocks.

import { declare, type CostOf, type EstimateOf, type FunctionDeclaration } from '../functions.ts'
import { CelEvaluationError } from '../problems.ts'
import { exactly, plus, scaled, traversal, traversalFactor } from '../cost-ranges.ts'
import { OpaqueValue, sizeOf, type Value } from '../values.ts'
import {
  formatIp,
  isGlobalUnicast,
  isLinkLocalMulticast,
  isLinkLocalUnicast,
  isLoopback,
  isMapped,
  isSameNetwork,
  isUnspecified,
  parseIp,
  type IpAddress,
} from './ip-address.ts'

export class IpValue extends OpaqueValue {
  readonly typeName = 'net.IP'
  readonly address: IpAddress

  constructor(address: IpAddress) {
    super()
    this.address = address
  }

  override get size(): number {
    return Math.ceil(this.address.bits / 8)
  }

  equals(other: OpaqueValue): boolean {
    return (
      other instanceof IpValue && other.address.bits === this.address.bits && other.address.value === this.address.value
    )
  }
}

export class CidrValue extends OpaqueValue {
  readonly typeName = 'net.CIDR'
  readonly address: IpAddress
  readonly length: number

  constructor(address: IpAddress, length: number) {
    super()
    this.address = address
    this.length = length
  }

  override get size(): number {
    return Math.ceil(this.length / 8)
  }

  equals(other: OpaqueValue): boolean {
    return (
      other instanceof CidrValue &&
      other.length === this.length &&
      other.address.bits === this.address.bits &&
      other.address.value === this.address.value
    )
  }
}

/** An address, or why it is none. */
function readIp(text: string): IpValue | string {
  const quoted = JSON.stringify(text)
  if (text.includes('%') && parseIp(text.slice(0, text.indexOf('%'))) !== undefined) {
    return `IP address ${quoted} with zone value is not allowed`
  }
  const address = parseIp(text)
  if (address === undefined) {
    return `IP Address ${quoted} parse error during conversion from string: ParseAddr(${quoted}): unable to parse IP`
  }
  return isMapped(address) ? `IPv4-mapped IPv6 address ${quoted} is not allowed` : new IpValue(address)
}

function readCidr(text: string): CidrValue | string {
  const quoted = JSON.stringify(text)
  const slash = text.lastIndexOf('/')
  const address = slash < 0 ? undefined : parseIp(text.slice(0, slash))
  const length = text.slice(slash + 1)
  if (address === undefined || !/^(0|[1-9]\d{0,2})$/.test(length) || Number(length) > address.bits) {
    return `network address parse error during conversion from string: CIDR ${quoted} parse error`
  }
  return isMapped(address)
    ? `IPv4-mapped IPv6 address ${quoted} is not allowed`
    : new CidrValue(address, Number(length))
}

function must<T extends OpaqueValue>(read: T | string): T {
  if (typeof read === 'string') throw new CelEvaluationError(read)
  return read
}

const toIp = (text: string): IpValue => must(readIp(text))
const toCidr = (text: string): CidrValue => must(readCidr(text))

function containsIp(cidr: CidrValue, ip: IpValue): boolean {
  return isSameNetwork(cidr.address, ip.address, cidr.length)
}

function containsCidr(cidr: CidrValue, other: CidrValue): boolean {
  return other.length >= cidr.length && isSameNetwork(cidr.address, other.address, cidr.length)
}

function masked({ address, length }: CidrValue): CidrValue {
  const shift = BigInt(address.bits - length)
  return new CidrValue({ bits: address.bits, value: (address.value >> shift) << shift }, length)
}

const walk: CostOf = ([text]) => traversal(sizeOf(text!))
const walkEstimate: EstimateOf = ({ args }) => scaled(args[0]!.size, traversalFactor)

const addressBytes = { min: 4, max: 16 }

function containsCost(isCidr: boolean): CostOf {
  return ([cidr, other]) => {
    const size = sizeOf(cidr!)
    const compared = traversal(size + size) + (isCidr ? traversal(size) + 1 : 0)
    return compared + (typeof other === 'string' ? traversal(sizeOf(other)) : 0)
  }
}

function containsEstimate(isCidr: boolean): EstimateOf {
  return ({ args, params }) => {
    let cost = scaled(plus(addressBytes, addressBytes), traversalFactor)
    if (isCidr) cost = plus(cost, plus(scaled(addressBytes, traversalFactor), exactly(1)))
    return params[1]!.kind === 'string' ? plus(cost, scaled(args[0]!.size, traversalFactor)) : cost
  }
}

function property(name: string, judge: (address: IpAddress) => boolean): FunctionDeclaration {
  return declare(name, { 'net.IP.() -> bool': (ip: IpValue) => judge(ip.address) })
}

function isReadable(read: Value | string): boolean {
  return typeof read !== 'string'
}

export const addressFunctions: readonly FunctionDeclaration[] = [
  declare('ip', { '(string) -> net.IP': toIp }, { cost: walk, estimate: walkEstimate }),
  declare('ip', { 'net.CIDR.() -> net.IP': (cidr: CidrValue) => new IpValue(cidr.address) }),
  declare(
    'isIP',
    { '(string) -> bool': (text: string) => isReadable(readIp(text)) },
    { cost: walk, estimate: walkEstimate },
  ),
  declare(
    'ip.isCanonical',
    { '(string) -> bool': (text: string) => formatIp(toIp(text).address) === text },
    {
      cost: ([text]) => traversal(sizeOf(text!), 2),
      estimate: ({ args }) => scaled(args[0]!.size, 2 * traversalFactor),
    },
  ),
  declare('family', { 'net.IP.() -> int': (ip: IpValue) => (ip.address.bits === 32 ? 4n : 6n) }),
  property('isUnspecified', isUnspecified),
  property('isLoopback', isLoopback),
  property('isLinkLocalMulticast', isLinkLocalMulticast),
  property('isLinkLocalUnicast', isLinkLocalUnicast),
  property('isGlobalUnicast', isGlobalUnicast),
  declare('string', {
    '(net.IP) -> string': (ip: IpValue) => formatIp(ip.address),
    '(net.CIDR) -> string': (cidr: CidrValue) => `${formatIp(cidr.address)}/${cidr.length}`,
  }),
  declare('cidr', { '(string) -> net.CIDR': toCidr }, { cost: walk, estimate: walkEstimate }),
  declare(
    'isCIDR',
    { '(string) -> bool': (text: string) => isReadable(readCidr(text)) },
    { cost: walk, estimate: walkEstimate },
  ),
  declare(
    'containsIP',
    {
      'net.CIDR.(string) -> bool': (cidr: CidrValue, text: string) => containsIp(cidr, toIp(text)),
      'net.CIDR.(net.IP) -> bool': containsIp,
    },
    { cost: containsCost(false), estimate: containsEstimate(false) },
  ),
  declare(
    'containsCIDR',
    {
      'net.CIDR.(string) -> bool': (cidr: CidrValue, text: string) => containsCidr(cidr, toCidr(text)),
      'net.CIDR.(net.CIDR) -> bool': containsCidr,
    },
    { cost: containsCost(true), estimate: containsEstimate(true) },
  ),
  declare('prefixLength', { 'net.CIDR.() -> int': (cidr: CidrValue) => BigInt(cidr.length) }),
  declare('masked', { 'net.CIDR.() -> net.CIDR': masked }),
]
