// From the flags of `az aks create` to the body of its PUT.

import type { Command } from 'commander'
import { existsSync, readFileSync } from 'node:fs'
import { accessCreateFlags, accessProfile, type AccessFlags } from './access-flags.ts'
import { AzError } from './az-error.ts'
import { identityFlags, identityProperties, type IdentityFlags } from './identity-flags.ts'
import { poolFlags, poolProperties, simulatedTag, type PoolFlags } from './pool-body.ts'
import { parsePairs, present } from './resources.ts'
import type { CommonFlags } from './session.ts'

export interface CreateFlags extends CommonFlags, PoolFlags, IdentityFlags, AccessFlags {
  readonly resourceGroup: string
  readonly name: string
  readonly wait?: boolean
  readonly location?: string
  readonly kubernetesVersion?: string
  readonly dnsNamePrefix?: string
  readonly fqdnSubdomain?: string
  readonly nodepoolName: string
  readonly nodeResourceGroup?: string
  readonly adminUsername: string
  readonly sshKeyValue?: string
  readonly sshKey?: boolean
  readonly tags?: readonly string[]
  readonly nodepoolTags?: readonly string[]
  readonly nodepoolLabels?: readonly string[]
  readonly nodepoolTaints?: string
  readonly networkPlugin?: string
  readonly networkPluginMode?: string
  readonly ipFamilies?: string
  readonly podCidrs?: string
  readonly serviceCidrs?: string
  readonly networkPolicy?: string
  readonly networkDataplane?: string
  readonly enableAcns?: boolean
  readonly podCidr?: string
  readonly serviceCidr?: string
  readonly dnsServiceIp?: string
  readonly loadBalancerSku?: string
  readonly outboundType?: string
  readonly tier?: string
  readonly sku?: string
}

export function createFlags(command: Command): Command {
  return accessCreateFlags(identityFlags(poolFlags(command)))
    .option('-l, --location <location>', "location; the resource group's when absent")
    .option('-k, --kubernetes-version <version>', 'Kubernetes version, such as 1.35 or 1.35.7')
    .option('-p, --dns-name-prefix <prefix>', 'prefix of the API server name')
    .option('--nodepool-name <name>', 'name of the first node pool', 'nodepool1')
    .option('--node-resource-group <name>', "name of the cluster's own resource group")
    .option('-u, --admin-username <name>', 'user of the nodes', 'azureuser')
    .option('--ssh-key-value <key-or-file>', 'SSH public key, or a file that holds one')
    .option('--generate-ssh-keys', 'accepted for the sake of scripts')
    .option('-x, --no-ssh-key', 'no SSH key on the nodes')
    .option('--enable-managed-identity', 'a system-assigned identity; the default')
    .option('--tags <key=value...>', 'tags of the cluster')
    .option('--nodepool-tags <key=value...>', 'tags of the first node pool')
    .option('--nodepool-labels <key=value...>', 'labels of its nodes')
    .option('--nodepool-taints <taints>', 'taints of its nodes, joined by commas')
    .option('--network-plugin <plugin>', 'azure, kubenet or none')
    .option('--network-plugin-mode <mode>', 'overlay')
    .option('--network-policy <policy>', 'none, azure, calico or cilium')
    .option('--network-dataplane <dataplane>', 'azure or cilium')
    .option('--enable-acns', 'Advanced Container Networking Services: flow logs and their metrics')
    .option('--pod-cidr <cidr>', 'range of the pods')
    .option('--ip-families <families>', 'ipv4 or ipv4,ipv6')
    .option('--pod-cidrs <cidrs>', 'ranges of the pods, one of each family, joined by a comma')
    .option('--service-cidrs <cidrs>', 'ranges of the services, likewise')
    .option('--service-cidr <cidr>', 'range of the services')
    .option('--dns-service-ip <address>', 'address of the DNS service')
    .option('--load-balancer-sku <sku>', 'standard')
    .option('--outbound-type <type>', 'loadBalancer')
    .option('--tier <tier>', 'free, standard or premium')
    .option('--sku <sku>', 'base or automatic')
    .option('-y, --yes', 'do not prompt for confirmation')
}

export function clusterBody(
  flags: CreateFlags,
  place: { readonly location: string; readonly subscription: string },
): Readonly<Record<string, unknown>> {
  const asked = poolProperties(flags, {
    tags: flags.nodepoolTags,
    labels: flags.nodepoolLabels,
    taints: flags.nodepoolTaints,
  })
  const pool = {
    name: flags.nodepoolName,
    mode: 'System',
    count: 3,
    osType: 'Linux',
    type: 'VirtualMachineScaleSets',
    ...asked,
  }
  const tags = parsePairs(flags.tags)
  return present({
    location: place.location,
    tags: flags.simulated === true ? { ...tags, [simulatedTag]: 'true' } : tags,
    identity: { type: 'SystemAssigned' },
    sku: skuOf(flags),
    properties: present({
      kubernetesVersion: flags.kubernetesVersion ?? '',
      ...nameOf(flags, place.subscription),
      nodeResourceGroup: flags.nodeResourceGroup,
      agentPoolProfiles: isAutomatic(flags) ? undefined : [pool],
      linuxProfile: linuxProfile(flags),
      addonProfiles: {},
      enableRBAC: true,
      networkProfile: networkProfile(flags),
      apiServerAccessProfile: accessProfile(flags),
      ...identityProperties(flags),
    }),
  })
}

/** The service makes the pools of such a cluster. */
function isAutomatic({ sku }: CreateFlags): boolean {
  return sku?.toLowerCase() === 'automatic'
}

function skuOf(flags: CreateFlags): Readonly<Record<string, unknown>> | undefined {
  if (isAutomatic(flags)) return { name: 'Automatic', tier: capitalized(flags.tier ?? 'standard') }
  return flags.tier === undefined ? undefined : { name: 'Base', tier: capitalized(flags.tier) }
}

function nameOf(flags: CreateFlags, subscription: string): Readonly<Record<string, unknown>> {
  const { fqdnSubdomain, dnsNamePrefix } = flags
  if (fqdnSubdomain === undefined) return { dnsPrefix: dnsNamePrefix ?? defaultPrefix(flags, subscription) }
  if (dnsNamePrefix === undefined) return { fqdnSubdomain }
  throw new AzError('--dns-name-prefix and --fqdn-subdomain cannot be used at same time', 2)
}

/** Ten letters of the name, sixteen of the group, six of the subscription; a prefix begins with a letter. */
function defaultPrefix(flags: CreateFlags, subscription: string): string {
  const name = flags.name.replaceAll(/[^A-Za-z0-9-]/g, '').slice(0, 10)
  const group = flags.resourceGroup.replaceAll(/[^A-Za-z0-9-]/g, '').slice(0, 16)
  const first = /^[A-Za-z]/.test(name) ? name : `a${name.slice(0, 9)}`
  return `${first}-${group}-${subscription.slice(0, 6)}`
}

function networkProfile(flags: CreateFlags): Readonly<Record<string, unknown>> | undefined {
  const profile = present({
    networkPlugin: flags.networkPlugin,
    networkPluginMode: flags.networkPluginMode,
    ipFamilies: flags.ipFamilies?.split(','),
    podCidrs: flags.podCidrs?.split(','),
    serviceCidrs: flags.serviceCidrs?.split(','),
    networkPolicy: flags.networkPolicy,
    networkDataplane: flags.networkDataplane,
    advancedNetworking: flags.enableAcns === true ? { enabled: true } : undefined,
    podCidr: flags.podCidr,
    serviceCidr: flags.serviceCidr,
    dnsServiceIP: flags.dnsServiceIp,
    loadBalancerSku: flags.loadBalancerSku,
    outboundType: flags.outboundType,
  })
  return Object.keys(profile).length === 0 ? undefined : profile
}

/** Only a key that was given is sent: nodes here have no SSH server to put a generated one on. */
function linuxProfile(flags: CreateFlags): Readonly<Record<string, unknown>> | undefined {
  if (flags.sshKeyValue === undefined || flags.sshKey === false) return undefined
  const keyData = existsSync(flags.sshKeyValue) ? readFileSync(flags.sshKeyValue, 'utf8') : flags.sshKeyValue
  if (!/^(ssh-|ecdsa-)\S+ \S+/.test(keyData)) {
    throw new AzError(`Provided ssh key (${flags.sshKeyValue}) is invalid or non-existent`)
  }
  return { adminUsername: flags.adminUsername, ssh: { publicKeys: [{ keyData }] } }
}

function capitalized(text: string): string {
  return text.charAt(0).toUpperCase() + text.slice(1).toLowerCase()
}
