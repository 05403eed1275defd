// Ranges of addresses: taken apart, cut into subnets, counted into.

import { formatIp, parseIp, sizeOfRange, type IpRange } from '@aksel/base/ip-range'
import { integer, text } from '../arguments.ts'
import { BadArgument } from '../errors.ts'
import type { Value } from '../values.ts'
import { fn, type TemplateFunction } from './function.ts'

/** As written, host bits cleared: templates may give any address of a range. */
function readRange(args: readonly Value[]): IpRange {
  const given = text(args, 0)
  const [address, bits] = given.split('/')
  const parsed = parseIp(address ?? '')
  const bitsMax = parsed?.family === 6 ? 128 : 32
  const prefix = Number(bits)
  if (parsed === undefined || !/^\d{1,3}$/.test(bits ?? '') || prefix > bitsMax) {
    throw new BadArgument(`was given '${given}', which is no range of addresses`)
  }
  const size = 1n << BigInt(bitsMax - prefix)
  return { family: parsed.family, first: (parsed.value / size) * size, prefix }
}

function parseCidr(args: readonly Value[]): Value {
  const range = readRange(args)
  const last = range.first + sizeOfRange(range) - 1n
  const at = (value: bigint): string => formatIp({ family: range.family, value })
  const isWide = sizeOfRange(range) > 2n
  return {
    network: at(range.first),
    netmask: at(((1n << BigInt(bitsOf(range))) - 1n) ^ (sizeOfRange(range) - 1n)),
    ...(range.family === 4 ? { broadcast: at(last) } : {}),
    firstUsable: at(isWide && range.family === 4 ? range.first + 1n : range.first),
    lastUsable: at(isWide && range.family === 4 ? last - 1n : last),
    cidr: range.prefix,
  }
}

function cidrSubnet(args: readonly Value[]): string {
  const range = readRange(args)
  const [prefix, index] = [integer(args, 1), integer(args, 2)]
  if (prefix < range.prefix || prefix > bitsOf(range)) {
    throw new BadArgument(`expects a prefix between ${range.prefix} and ${bitsOf(range)}, and it is ${prefix}`)
  }
  const count = 1n << BigInt(prefix - range.prefix)
  if (index < 0 || BigInt(index) >= count) {
    throw new BadArgument(`has ${count} subnets of /${prefix} in '${text(args, 0)}', and none with the index ${index}`)
  }
  const value = range.first + BigInt(index) * (1n << BigInt(bitsOf(range) - prefix))
  return `${formatIp({ family: range.family, value })}/${prefix}`
}

/** The first usable address has the index 0. */
function cidrHost(args: readonly Value[]): string {
  const range = readRange(args)
  const index = BigInt(integer(args, 1))
  const value = range.first + index + (range.family === 4 && sizeOfRange(range) > 2n ? 1n : 0n)
  if (index < 0n || value >= range.first + sizeOfRange(range)) {
    throw new BadArgument(`has no address with the index ${index} in '${text(args, 0)}'`)
  }
  return formatIp({ family: range.family, value })
}

const bitsOf = ({ family }: IpRange): number => (family === 4 ? 32 : 128)

export const networks: Readonly<Record<string, TemplateFunction>> = {
  parseCidr: fn(1, 1, parseCidr),
  cidrSubnet: fn(3, 3, cidrSubnet),
  cidrHost: fn(2, 2, cidrHost),
}
