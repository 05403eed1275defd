// What a host has to be a machine of a cluster elsewhere: a ledger, folders, and the programs that machines run, in its own network.

import { createHash } from 'node:crypto'
import { cpus, totalmem } from 'node:os'
import { join } from 'node:path'
import type { Scope } from '@aksel/base/scope'
import { machinePaths, type MachinePaths } from '@aksel/compute/local/machine-files'
import {
  createMachinePrograms,
  type MachinePrograms,
  type PreparedMachine,
} from '@aksel/compute/local/machine-programs'
import { agentProgram } from '@aksel/compute/local/agent-program'
import { makeCgroup } from '@aksel/host/cgroups'
import { run } from '@aksel/host/command'
import { openFileLedger } from '@aksel/host/file-ledger'
import type { HostObject, Ledger } from '@aksel/host/ledger'
import { holdSysctl } from '@aksel/host/sysctl'
import { undoAll } from '@aksel/host/undo'
import {
  layOverlay,
  overlayObjects,
  routeTo as routeStanding,
  type RouteBefore,
} from '@aksel/network/fabric/overlay-end'
import { buildImages, pauseReference } from '@aksel/node/images/builder'
import { extraArchives } from '@aksel/compute/local/extra-archives'
import type { JoinSettings } from '@aksel/provider/join-settings'
import type { Overlay } from '@aksel/provider/overlay'
import { POLICY_TABLE, PROXY_TABLE } from '@aksel/provider/node-tables'
import type { MachineSpec } from '@aksel/provider/machine-provider'
import type { CliOptions } from '../options.ts'

/** Below the data folder: which cluster this host has joined, as what. */
export const joinedFile = (dataDir: string): string => join(dataDir, 'joined.json')

export interface JoinedRecord {
  readonly server: string
  readonly machine: { readonly spec: MachineSpec; readonly address: string }
  /** The server's host, through which its API is reached where no route leads there by itself. */
  readonly via?: string
  /** How the cluster's other pods are found; absent where they are not. */
  readonly overlay?: { readonly overlay: Overlay; readonly clusterCidr: string }
}

export interface JoinedHost extends AsyncDisposable {
  readonly ledger: Ledger
  readonly paths: MachinePaths
  readonly programs: MachinePrograms
}

const OWNER = 'joined'
const BUSYBOX = '/bin/busybox'

export async function openJoinedHost(scope: Scope, options: CliOptions, nodeName: string): Promise<JoinedHost> {
  const { dataDir } = options
  const ledger = await openFileLedger(scope, { directory: join(dataDir, 'ledger') })
  const cgroup = `/aksel-${createHash('sha256').update(dataDir).digest('hex').slice(0, 8)}`
  await makeCgroup({ ledger, owner: OWNER, path: cgroup })
  const images = join(dataDir, 'images')
  const agent = agentProgram(options.repositoryRoot, options.environment)
  const programs = createMachinePrograms({
    ledger,
    agentArgv: agent.argv,
    agentEnvironment: agent.environment,
    sandboxImage: pauseReference,
    imageArchives: async () => [
      ...(await buildImages(scope, { outDir: images, busyboxPath: BUSYBOX })),
      ...(await extraArchives(join(images, 'extra'))),
    ],
    disksDirectory: join(dataDir, 'disks'),
    registriesDirectory: join(dataDir, 'registries'),
    undoAgentLedger: async (own, directory) => {
      await using agents = await openFileLedger(own, { directory })
      await undoAll(own, { ledger: agents })
    },
  })
  return {
    ledger,
    paths: machinePaths(join(dataDir, 'machines'), cgroup, { key: nodeName, hasDisk: false }),
    programs,
    [Symbol.asyncDispose]: () => ledger[Symbol.asyncDispose](),
  }
}

/** What the agent will make in this host's own network stands in the ledger before it runs. */
export async function holdNetwork(ledger: Ledger, { clusterDns }: JoinSettings): Promise<void> {
  const tables = [PROXY_TABLE, POLICY_TABLE].map((table) => table.split(' ') as ['ip', string])
  for (const [family, name] of tables) await recordOnce(ledger, { kind: 'nft-table', family, name })
  await recordOnce(ledger, { kind: 'address', address: `${clusterDns}/32`, device: 'lo' })
  await holdSysctl({ ledger, owner: OWNER, name: 'net.ipv4.ip_forward', value: '1', holder: 'joined' })
}

/** What stands in the way of this host reaching the cluster's pods elsewhere; undefined where nothing does. */
export async function judgeOverlay(scope: Scope, { podCidr = '' }: JoinSettings): Promise<string | undefined> {
  const route = await routeStanding(scope, run, podCidr)
  return route === undefined ? undefined : `this host routes ${podCidr} already ("${route}")`
}

/** The way to the cluster's pods and machines, through the host of its API server; tells which routes of this host stay before it. */
export async function joinOverlay(
  scope: Scope,
  ledger: Ledger,
  { server, machine, overlay }: JoinedRecord,
): Promise<readonly RouteBefore[]> {
  if (overlay === undefined) return []
  for (const object of overlayObjects) await recordOnce(ledger, object)
  const { podCidr } = machine.spec.boot
  return layOverlay(scope, run, { ...overlay, podCidr, hostAddress: new URL(server).hostname })
}

/** What an operator should know of them; the same on the terminal and in the node's event. */
export function wordsOfRoutesBefore(before: readonly RouteBefore[]): readonly string[] {
  return before.map(
    ({ prefix, route }) =>
      `This host's own route ("${route}") goes before the cluster's network ${prefix}: pods and nodes that it covers are not reached from here.`,
  )
}

/** The way to an API server that only its own host reaches. */
export async function routeTo(scope: Scope, ledger: Ledger, address: string, via: string): Promise<void> {
  await recordOnce(ledger, { kind: 'route', destination: `${address}/32` })
  await run(scope, ['ip', 'route', 'replace', `${address}/32`, 'via', via])
}

async function recordOnce(ledger: Ledger, object: HostObject): Promise<void> {
  const known = ledger.entries(OWNER).some((entry) => JSON.stringify(entry.object) === JSON.stringify(object))
  if (!known) await ledger.record(OWNER, object)
}

/** The address by which this host reaches the server, which is then the node's. */
export async function addressTowards(scope: Scope, host: string): Promise<string> {
  const { stdout } = await run(scope, ['ip', '-4', '-o', 'route', 'get', host])
  const address = / src (\S+)/.exec(stdout)?.[1]
  if (address === undefined) throw new Error(`No route leads to ${host}`)
  return address
}

export function machineSpec(
  settings: JoinSettings,
  node: {
    readonly name: string
    readonly server: string
    readonly kubernetesVersion: string
    readonly podCidr: string
    readonly maxPods: number
    readonly labels: Readonly<Record<string, string>>
  },
): MachineSpec {
  const { tunnelAddress, clusterDns, clusterDomain, serviceCidr, podCidr, networkPolicy, overlay } = settings
  return {
    name: node.name,
    clusterId: node.server,
    vmSize: '',
    vcpus: cpus().length,
    memoryBytes: totalmem(),
    nodeImage: 'joined',
    maxPods: node.maxPods,
    labels: node.labels,
    taints: [],
    subnetId: '',
    boot: {
      kubernetesVersion: node.kubernetesVersion,
      nodeUrl: node.server,
      tunnelSocket: '',
      ...(tunnelAddress === undefined ? {} : { tunnelAddress }),
      clusterDns,
      clusterDomain,
      serviceCidr,
      podCidr: node.podCidr,
      // Pods keep their addresses wherever the way back leads through the overlay, as to the cluster's machines.
      ...(podCidr === undefined ? {} : { nonMasqueradeCidrs: [podCidr, ...(overlay?.prefixes ?? [])] }),
      ...(networkPolicy === undefined ? {} : { networkPolicy: networkPolicy as 'azure' | 'calico' | 'cilium' }),
    },
  }
}

export function preparedMachine(host: JoinedHost, { machine }: JoinedRecord): PreparedMachine {
  return { paths: host.paths, spec: machine.spec, attachment: { address: machine.address } }
}
