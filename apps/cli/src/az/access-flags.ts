// The flags of `az aks create` and `az aks update` about who reaches a cluster's API server, and by what name.

import type { Command } from 'commander'
import { AzError } from './az-error.ts'
import { present } from './resources.ts'

export interface AccessFlags {
  readonly apiServerAuthorizedIpRanges?: string
  readonly enablePrivateCluster?: boolean
  readonly privateDnsZone?: string
  readonly enablePublicFqdn?: boolean
  readonly disablePublicFqdn?: boolean
}

type Properties = Readonly<Record<string, unknown>>

export function accessFlags(command: Command): Command {
  return command
    .option('--api-server-authorized-ip-ranges <ranges>', 'joined by commas; empty text opens it to all')
    .option('--private-dns-zone <zone>', 'system, none, or the id of a zone; of private clusters')
    .option('--disable-public-fqdn', 'a private cluster has no name outside its zone')
}

export function accessCreateFlags(command: Command): Command {
  return accessFlags(command)
    .option('--enable-private-cluster', 'the API server is reached in its network alone')
    .option('--fqdn-subdomain <name>', "name in a private DNS zone of one's own, in place of --dns-name-prefix")
}

export function accessUpdateFlags(command: Command): Command {
  return accessFlags(command).option('--enable-public-fqdn', 'a private cluster has its public name again')
}

/** `apiServerAccessProfile` over what stands; undefined where no flag was given. In az's words where flags do not go together. */
export function accessProfile(flags: AccessFlags, standing?: unknown): Properties | undefined {
  const before = (standing as Properties | undefined) ?? {}
  const isPrivate = flags.enablePrivateCluster === true || before['enablePrivateCluster'] === true
  if (flags.enablePublicFqdn === true && flags.disablePublicFqdn === true)
    throw new AzError('Cannot specify "--enable-public-fqdn" and "--disable-public-fqdn" at the same time', 2)
  for (const [flag, isGiven] of [
    ['--enable-public-fqdn', flags.enablePublicFqdn === true],
    ['--disable-public-fqdn', flags.disablePublicFqdn === true],
    ['--private-dns-zone', flags.privateDnsZone !== undefined],
  ] as const)
    if (isGiven && !isPrivate) throw new AzError(`${flag} can only be used for private cluster`, 2)
  const ranges = flags.apiServerAuthorizedIpRanges
  if (isPrivate && ranges !== undefined && ranges !== '')
    throw new AzError('--api-server-authorized-ip-ranges is not supported for private cluster', 2)
  const given = present({
    authorizedIPRanges: ranges
      ?.split(',')
      .map((range) => range.trim())
      .filter((range) => range !== ''),
    enablePrivateCluster: flags.enablePrivateCluster === true ? true : undefined,
    privateDNSZone: flags.privateDnsZone,
    enablePrivateClusterPublicFQDN:
      flags.enablePublicFqdn === true ? true : flags.disablePublicFqdn === true ? false : undefined,
  })
  return Object.keys(given).length === 0 ? undefined : { ...before, ...given }
}
