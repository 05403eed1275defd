// What the node agent is told: one JSON file, written by whoever made the machine, read once and judged whole.

import { readFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { parseArgs } from 'node:util'
import type { InstanceFacts } from '@aksel/provider/instance-metadata'
import type { LocalDnsConfig } from '@aksel/provider/local-dns'
import { networkPolicyEngines, type NetworkPolicyEngine } from '@aksel/provider/machine-provider'
import type { HandedSockets } from '@aksel/network/dns/listen'
import type { HostsEntry } from '@aksel/network/dns/plugins/hosts'
import { readIpv6, type Ipv6Options } from './ipv6-options.ts'
import { readKubeletConfig } from '@aksel/node/kubelet-config'
import type { KubeletConfig, NodeSettings } from '@aksel/node/kubelet-config'
import type { TunnelAddress } from '@aksel/runtime/tunnel'

export interface NodeOptions {
  readonly nodeName: string
  readonly nodeAddress: string
  /** On nodes of both address families. */
  readonly ipv6?: Ipv6Options
  readonly kubeconfigPath: string
  /** Names a token by which a node without a certificate asks for one; absent for machines that were made with one. */
  readonly bootstrapKubeconfigPath?: string
  /** Keys and certificates that the node got itself. */
  readonly pkiDir: string
  readonly containerdSocket: string
  readonly podLogsDir: string
  readonly rootDir: string
  readonly cgroupRoot: string
  readonly tunnelSocket: string | TunnelAddress
  readonly clusterDns: string
  readonly clusterDomain: string
  /** Names beside the cluster's that its DNS answers itself. */
  readonly hosts: readonly HostsEntry[]
  /** The node's range for pods; empty where they have addresses of a subnet. */
  readonly podCidr: string
  /** What its pods may have, as nftables writes it: a range, or a set of addresses. */
  readonly podSource: string
  /** Where pods keep their own address; the /16 around the node's range when the file names none. */
  readonly nonMasqueradeCidrs: readonly string[]
  /** Who enforces NetworkPolicies; nobody when absent. */
  readonly networkPolicy?: NetworkPolicyEngine
  /** Where flows are written; absent where they are not to be seen. */
  readonly flowLogPath?: string
  readonly serviceCidr: string
  /** Rules of the node's own LocalDNS, which its pods then ask; absent where it has none. */
  readonly localDns?: LocalDnsConfig
  readonly labels: Readonly<Record<string, string>>
  readonly taints: readonly { readonly key: string; readonly value?: string; readonly effect: string }[]
  readonly maxPods: number
  readonly capacity: {
    readonly cpuMilli: number
    readonly memoryBytes: number
    readonly ephemeralStorageBytes?: number
  }
  readonly reserved?: { readonly cpuMilli: number; readonly memoryBytes: number }
  readonly kubernetesVersion: string
  readonly nodeImage: string
  /** Absent where the node's cloud tells it. */
  readonly providerId?: string
  /** What its label will say, where its cloud gives it the label. */
  readonly zone?: string
  /** What the machine tells of itself at 169.254.169.254; nothing where it is in no cloud. */
  readonly instance?: InstanceFacts
  readonly disksDir: string
  /** A folder of the host's file system that the machine's own disk is an image on; absent where they are one. */
  readonly hostDir?: string
  /** Where containerd looks for the network plug-ins of the user; absent where the node has one of its own. */
  readonly networkPluginsDir?: string
  readonly ledgerDir: string
  readonly machineKey: string
  readonly logLevel: string
  /** This program is the node's LocalDNS, not its agent. */
  readonly isLocalDns: boolean
  /** Sockets that whoever started the agent holds open, by `address:port`. */
  readonly sockets: ReadonlyMap<string, HandedSockets>
  /** How the node looks after itself; as AKS sets it where the file says nothing. */
  readonly settings: NodeSettings
}

export async function readOptions(
  argv: readonly string[],
  environment: Readonly<Record<string, string | undefined>>,
): Promise<NodeOptions> {
  const flags = { config: { type: 'string' }, 'local-dns': { type: 'boolean' } } as const
  const { values } = parseArgs({ args: [...argv], options: flags })
  if (values.config === undefined) throw new Error('Say where the options are: --config /…/agent.json')
  const text = await readFile(values.config, 'utf8')
  const options = parseOptions(values.config, JSON.parse(text), environment['AKSEL_LOG_LEVEL'] ?? 'info')
  const isLocalDns = values['local-dns'] === true
  return { ...options, isLocalDns, sockets: readSockets(environment['AKSEL_SOCKETS'] ?? '') }
}

/** Throws an error that names the file and the field. */
export function parseOptions(file: string, value: unknown, logLevel: string): NodeOptions {
  const read = new Reader(file, value)
  if (read.field('simulated') === true) throw read.error('simulated', 'hollow nodes live in the server')
  const podCidr = read.field('podCidr') === '' ? '' : read.text('podCidr')
  const capacity = read.record('capacity')
  const storage = capacity.optionalNumber('ephemeralStorageBytes')
  const reserved = read.field('reserved') === undefined ? undefined : read.record('reserved')
  const networkPolicy = read.oneOf('networkPolicy', networkPolicyEngines)
  const localDns = read.field('localDns') as LocalDnsConfig | undefined
  return {
    ...(localDns === undefined ? {} : { localDns }),
    ...(read.field('flowLogPath') === undefined ? {} : { flowLogPath: read.text('flowLogPath') }),
    serviceCidr: read.text('serviceCidr'),
    ...(networkPolicy === undefined ? {} : { networkPolicy }),
    nodeName: read.text('nodeName'),
    nodeAddress: read.text('nodeAddress'),
    ...(read.field('ipv6') === undefined ? {} : { ipv6: readIpv6(read.record('ipv6')) }),
    kubeconfigPath: read.text('kubeconfigPath'),
    ...(read.field('bootstrapKubeconfigPath') === undefined
      ? {}
      : { bootstrapKubeconfigPath: read.text('bootstrapKubeconfigPath') }),
    pkiDir:
      read.field('pkiDir') === undefined ? join(dirname(read.text('kubeconfigPath')), 'pki') : read.text('pkiDir'),
    containerdSocket: read.text('containerdSocket'),
    podLogsDir: read.text('podLogsDir'),
    rootDir: read.text('rootDir'),
    cgroupRoot: read.text('cgroupRoot'),
    tunnelSocket: tunnelOf(read),
    clusterDns: read.text('clusterDns'),
    clusterDomain: read.text('clusterDomain'),
    hosts: (read.field('hosts') ?? []) as readonly HostsEntry[],
    podCidr,
    podSource: podSourceOf(podCidr, read.texts('podAddresses')),
    nonMasqueradeCidrs: read.texts('nonMasqueradeCidrs') ?? [surrounding(podCidr)],
    labels: (read.field('labels') ?? {}) as NodeOptions['labels'],
    taints: (read.field('taints') ?? []) as NodeOptions['taints'],
    maxPods: read.number('maxPods'),
    capacity: {
      cpuMilli: capacity.number('cpuMilli'),
      memoryBytes: capacity.number('memoryBytes'),
      ...(storage === undefined ? {} : { ephemeralStorageBytes: storage }),
    },
    ...(reserved === undefined
      ? {}
      : { reserved: { cpuMilli: reserved.number('cpuMilli'), memoryBytes: reserved.number('memoryBytes') } }),
    kubernetesVersion: read.text('kubernetesVersion'),
    nodeImage: read.text('nodeImage'),
    ...(read.field('providerId') === undefined ? {} : { providerId: read.text('providerId') }),
    ...(read.field('zone') === undefined ? {} : { zone: read.text('zone') }),
    ...instanceOf(read),
    disksDir: read.text('disksDir'),
    ...(read.field('hostDir') === undefined ? {} : { hostDir: read.text('hostDir') }),
    ...(read.field('networkPluginsDir') === undefined ? {} : { networkPluginsDir: read.text('networkPluginsDir') }),
    ledgerDir: read.text('ledgerDir'),
    machineKey: read.text('machineKey'),
    logLevel,
    sockets: new Map(),
    isLocalDns: false,
    settings: settingsOf(read),
  }
}

/** `10.0.0.10:53=20,21`: descriptors for UDP and TCP, with blanks between addresses. */
function readSockets(text: string): ReadonlyMap<string, HandedSockets> {
  const rows = text.matchAll(/(\S+)=(\d+),(\d+)/g)
  return new Map(Array.from(rows, ([, place, udp, tcp]) => [place!, { udp: Number(udp), tcp: Number(tcp) }] as const))
}

/** An address stands before the socket, which is of no use on another host. */
function tunnelOf(read: Reader): string | TunnelAddress {
  if (read.field('tunnelAddress') === undefined) return read.text('tunnelSocket')
  const [, host, port] = /^(.+):(\d+)$/.exec(read.text('tunnelAddress')) ?? []
  if (host === undefined) throw read.error('tunnelAddress', 'expected an address and a port')
  return { host, port: Number(port) }
}

function instanceOf(read: Reader): { readonly instance?: InstanceFacts } {
  if (read.field('instance') === undefined) return {}
  const own = read.record('instance')
  const diskBytes = own.optionalNumber('diskBytes')
  const policy = own.oneOf('evictionPolicy', ['Delete', 'Deallocate'] as const)
  return {
    instance: {
      resourceId: own.text('resourceId'),
      region: own.text('region'),
      ...(own.field('zone') === undefined ? {} : { zone: own.text('zone') }),
      vmSize: own.text('vmSize'),
      ...(diskBytes === undefined ? {} : { diskBytes }),
      ...(policy === undefined ? {} : { evictionPolicy: policy }),
      tags: (own.field('tags') ?? {}) as InstanceFacts['tags'],
      eventsFile: own.text('eventsFile'),
      isRestricted: own.field('isRestricted') === true,
    },
  }
}

/** The field `kubelet` holds fields of a KubeletConfiguration. */
function settingsOf(read: Reader): NodeSettings {
  try {
    return readKubeletConfig((read.field('kubelet') ?? {}) as Partial<KubeletConfig>)
  } catch (cause) {
    throw read.error('kubelet', (cause as Error).message)
  }
}

/** Where neither is given, no pod of the node has an address: nothing is matched. */
function podSourceOf(podCidr: string, addresses: readonly string[] | undefined): string {
  if (addresses !== undefined) return `{ ${addresses.join(', ')} }`
  return podCidr === '' ? '0.0.0.0' : podCidr
}

/** `10.244.3.0/24` lies in `10.244.0.0/16`, the cluster's range on AKS. */
function surrounding(cidr: string): string {
  const [first, second] = cidr.split('.')
  return `${first}.${second}.0.0/16`
}

class Reader {
  readonly #file: string
  readonly #values: Readonly<Record<string, unknown>>

  constructor(file: string, value: unknown) {
    this.#file = file
    if (typeof value !== 'object' || value === null || Array.isArray(value)) {
      throw new Error(`Cannot use ${file}: not a JSON object`)
    }
    this.#values = value as Record<string, unknown>
  }

  field(name: string): unknown {
    return this.#values[name]
  }

  text(name: string): string {
    const value = this.#values[name]
    if (typeof value === 'string' && value !== '') return value
    throw this.error(name, `expected a text, found ${JSON.stringify(value)}`)
  }

  oneOf<T extends string>(name: string, values: readonly T[]): T | undefined {
    const value = this.#values[name]
    const found = values.find((each) => each === value)
    if (found !== undefined || value === undefined) return found
    throw this.error(name, `expected one of ${values.join(', ')}, found ${JSON.stringify(value)}`)
  }

  texts(name: string): readonly string[] | undefined {
    const value = this.#values[name]
    if (value === undefined) return undefined
    if (Array.isArray(value) && value.every((item) => typeof item === 'string')) return value
    throw this.error(name, `expected a list of texts, found ${JSON.stringify(value)}`)
  }

  number(name: string): number {
    const value = this.optionalNumber(name)
    if (value === undefined) throw this.error(name, 'expected a number, found nothing')
    return value
  }

  optionalNumber(name: string): number | undefined {
    const value = this.#values[name]
    if (value === undefined || (typeof value === 'number' && value >= 0)) return value as number | undefined
    throw this.error(name, `expected a number, found ${JSON.stringify(value)}`)
  }

  record(name: string): Reader {
    return new Reader(`${this.#file}: ${name}`, this.#values[name])
  }

  error(name: string, why: string): Error {
    return new Error(`Cannot use ${this.#file}: field "${name}": ${why}`)
  }
}
