// Public IP addresses: reserved from the host's range for public addresses as soon as they are written.

import { isObject, textAt } from '../body.ts'
import type { DocumentRecord, Json } from '../../records.ts'
import { refused } from './network-errors.ts'
import { readNumber, readWord, type NetworkType } from './network-type.ts'
import { natGatewayOf } from './nat-gateways.ts'

export const publicAddresses: NetworkType = {
  path: 'publicIPAddresses',
  children: [],
  envelope: { sku: { name: 'Standard', tier: 'Regional' } },
  write: (given, { id, name, envelope, before }) => {
    const sku = envelope['sku']
    if (isObject(sku) && textAt(sku, 'name')?.toLowerCase() === 'basic') {
      throw refused(
        'IPv4BasicSkuPublicIpCountLimitReached',
        'Cannot create more than 0 IPv4 Basic SKU public IP addresses for this subscription in this region.',
      )
    }
    const method = readWord(given, 'publicIPAllocationMethod', {
      id,
      words: ['Static', 'Dynamic'],
      otherwise: 'Static',
    })
    if (method === 'Dynamic') {
      throw refused(
        'StandardSkuPublicIPAddressMustBeStatic',
        `Standard sku publicIp ${id} must have AllocationMethod set to Static.`,
      )
    }
    if (textAt(given, 'publicIPAddressVersion') === 'IPv6') {
      throw refused(
        'PublicIPAddressVersionNotSupported',
        `Public IP address ${name} is IPv6, and only IPv4 is available here.`,
      )
    }
    judgeLabel(given, id)
    const address = before?.properties['ipAddress']
    return {
      ...given,
      ...(address === undefined ? { ipAddress: undefined } : { ipAddress: address }),
      publicIPAllocationMethod: method,
      publicIPAddressVersion: 'IPv4',
      idleTimeoutInMinutes: readNumber(given, 'idleTimeoutInMinutes', { least: 4, most: 30, otherwise: 4 }),
    }
  },
  show: ({ value }, world) => {
    const gateway = natGatewayOf(world, value.id)
    const frontend = world.balancers().frontends.get(value.id.toLowerCase())
    const settings = value.properties['dnsSettings']
    const label = isObject(settings) ? textAt(settings, 'domainNameLabel') : undefined
    return {
      ...(gateway === undefined ? {} : { natGateway: { id: gateway } }),
      ...(frontend === undefined ? {} : { ipConfiguration: { id: frontend } }),
      ...(label === undefined
        ? {}
        : { dnsSettings: { ...(settings as Json), fqdn: `${label}.${value.location}.cloudapp.azure.com` } }),
    }
  },
  judgeDelete: ({ id, name, properties }, world) => {
    const frontend = world.balancers().frontends.get(id.toLowerCase())
    const user = natGatewayOf(world, id) ?? frontend ?? textAt(properties, 'usedBy')
    if (user === undefined) return
    throw refused(
      'PublicIPAddressCannotBeDeleted',
      `Public IP address ${name} can not be deleted since it is still allocated to resource ${user}. In order to delete the public IP, disassociate/detach the Public IP address from the resource. To learn how to do this, see aka.ms/deletepublicip.`,
    )
  },
}

function judgeLabel(given: Json, id: string): void {
  const settings = given['dnsSettings']
  const label = isObject(settings) ? textAt(settings, 'domainNameLabel') : undefined
  if (label === undefined || /^[a-z][a-z0-9-]{1,61}[a-z0-9]$/.test(label)) return
  throw refused(
    'InvalidDomainNameLabel',
    `The domain name label ${label} of ${id} is invalid. It must conform to the following regular expression: ^[a-z][a-z0-9-]{1,61}[a-z0-9]$.`,
  )
}

export const publicPrefixes: NetworkType = {
  path: 'publicIPPrefixes',
  children: [],
  envelope: { sku: { name: 'Standard', tier: 'Regional' } },
  write: (given, { id, before }) => {
    const prefixLength = readNumber(given, 'prefixLength', { least: 28, most: 31, otherwise: 28 })
    const standing = before?.properties['prefixLength']
    if (standing !== undefined && standing !== prefixLength) {
      throw refused(
        'PublicIpPrefixLengthCannotBeChanged',
        `The prefix length of public IP prefix ${id} cannot be changed.`,
      )
    }
    return { ...given, ipPrefix: before?.properties['ipPrefix'], prefixLength, publicIPAddressVersion: 'IPv4' }
  },
  show: ({ value }, world) => {
    const gateway = natGatewayOf(world, value.id)
    return gateway === undefined ? {} : { natGateway: { id: gateway } }
  },
  judgeDelete: ({ id, name }, world) => {
    const user = natGatewayOf(world, id)
    if (user === undefined) return
    throw refused(
      'InUsePublicIpPrefixCannotBeDeleted',
      `Public IP prefix ${name} cannot be deleted because it is in use by ${user}.`,
    )
  },
}

/** What the fabric must still reserve for the resource: a prefix length, and where the range is kept. */
export function wantedRange({
  type,
  properties,
}: DocumentRecord): { readonly field: string; readonly prefixLength: number } | undefined {
  if (type === 'Microsoft.Network/publicIPAddresses') {
    return properties['ipAddress'] === undefined ? { field: 'ipAddress', prefixLength: 32 } : undefined
  }
  if (type !== 'Microsoft.Network/publicIPPrefixes' || properties['ipPrefix'] !== undefined) return undefined
  return { field: 'ipPrefix', prefixLength: Number(properties['prefixLength']) }
}
