// A crowd of simulated nodes and pods in one process: until all stand, and then what holding it costs.

import { monitorEventLoopDelay } from 'node:perf_hooks'
import { nodes, pods, services } from '@aksel/api/resources'
import type { Node, Pod } from '@aksel/api/types/core-v1'
import type { KubernetesObject, ResourceType } from '@aksel/api/resource'
import { anySignal } from '@aksel/base/any-signal'
import type { Scope } from '@aksel/base/scope'
import type { Client } from '@aksel/client/client'
import { openFleet } from '@aksel/compute/simulated/fleet'
import type { MachineSpec } from '@aksel/provider/machine-provider'
import { openInProcessCluster, type InProcessCluster } from '@aksel/testing/in-process-cluster'
import { costOf, type ProcessCost } from '../process-cost.ts'
import { proveInProcess } from '../scheduler/in-process-stages.ts'
import { inParallel } from '../scheduler/run.ts'
import { basic, benchPod } from '../scheduler/workloads.ts'
import type { StageReport } from '../stages.ts'
import { startLoops } from './control-loops.ts'
import { CHANGES_A_SECOND, hold, smallPod, type Held } from './hold.ts'
import { Progress } from './progress.ts'

export interface CrowdSizes {
  readonly nodes: number
  /** When the time is taken. */
  readonly podsANode: number
  /** When it is held. */
  readonly holdPodsANode: number
  readonly services: number
  readonly holdSeconds: number
}

export interface CrowdWatch {
  /** Says how far it is, every ten seconds. */
  readonly say?: (line: string) => void
  /** Called for every change while it is held. */
  readonly onChange?: () => void
  /** Once aborted, filling or holding ends there, and what was seen until then is the result. */
  readonly until?: AbortSignal
}

export interface Crowd {
  readonly seconds: number
  /** What cannot be done with less: per node its object, status and lease, per pod its object, binding and status. */
  readonly writes: number
  readonly stages: StageReport
  /** Of pods and services beyond those whose time was taken. */
  readonly fillSeconds: number
  /** Seconds for which it was held: less than asked for where it was interrupted. */
  readonly heldSeconds: number
  readonly hold: Held & { readonly cores: number; readonly cost: ProcessCost }
  readonly loopDelayMs: { readonly p50: number; readonly p99: number; readonly max: number }
}

/** Rejects where it is interrupted before the first pods stand. */
export async function crowd(scope: Scope, sizes: CrowdSizes, watch: CrowdWatch = {}): Promise<Crowd> {
  const { until = new AbortController().signal } = watch
  using progress = new Progress(scope, watch.say ?? (() => {}))
  await using cluster = await openInProcessCluster(scope)
  const stages = await proveInProcess(cluster)
  await using _loops = startLoops(scope, cluster)
  await using fleet = openFleet(scope, cluster.admin)
  const podCount = sizes.nodes * sizes.podsANode
  const ready = countOf(cluster.admin, nodes, sizes.nodes, isReady, {
    onOne: progress.of('nodes Ready', sizes.nodes),
    until,
  })
  const startedMs = performance.now()
  for (let index = 0; index < sizes.nodes; index += 1) {
    const spec = machineSpec(index)
    const client = cluster.client({ name: `system:node:${spec.name}`, groups: ['system:nodes'] })
    fleet.add({ client: () => client, spec, address: `198.18.${index >> 8}.${index & 255}` })
  }
  await ready
  until.throwIfAborted()
  await stand(cluster, progress.of('pods Running', podCount), { prefix: 'pod', count: podCount, until })
  until.throwIfAborted()
  const seconds = (performance.now() - startedMs) / 1000
  const filledMs = performance.now()
  const more = sizes.nodes * (sizes.holdPodsANode - sizes.podsANode)
  // Placing them would take most of the time, and nobody looks at it: these are made where they stand.
  const nodeOf = (index: number): string => `node-${index % sizes.nodes}`
  await stand(cluster, progress.of('more pods Running', more), { prefix: 'more', count: more, until, nodeOf })
  const seen = progress.of('services', sizes.services)
  await inParallel(sizes.services, async (index) => {
    if (until.aborted) return
    const spec = { ports: [{ port: 80 }], selector: { none: String(index) } }
    await cluster.user.create(services, { metadata: { name: `service-${index}`, namespace: cluster.namespace }, spec })
    seen()
  })
  const fillSeconds = (performance.now() - filledMs) / 1000
  const changed = progress.of('changes while it is held', sizes.holdSeconds * CHANGES_A_SECOND)
  const beganMs = performance.now()
  const delay = monitorEventLoopDelay({ resolution: 1 })
  delay.enable()
  const before = costOf(process.pid)!
  const held = await hold(scope, cluster, {
    seconds: sizes.holdSeconds,
    services: until.aborted ? 0 : sizes.services,
    until,
    onChange: () => {
      changed()
      watch.onChange?.()
    },
  })
  const heldSeconds = (performance.now() - beganMs) / 1000
  const cost = costOf(process.pid)!
  delay.disable()
  return {
    seconds,
    writes: sizes.nodes * 3 + podCount * 3,
    stages,
    fillSeconds,
    heldSeconds,
    hold: { ...held, cores: (cost.cpuSeconds - before.cpuSeconds) / heldSeconds, cost },
    loopDelayMs: { p50: delay.percentile(50) / 1e6, p99: delay.percentile(99) / 1e6, max: delay.max / 1e6 },
  }
}

interface Standing {
  readonly prefix: string
  readonly count: number
  readonly until: AbortSignal
  readonly nodeOf?: (index: number) => string
}

/** Resolves when that many pods run, or at the end of `until`. */
async function stand(
  cluster: InProcessCluster,
  onOne: () => void,
  { prefix, count, until, nodeOf }: Standing,
): Promise<void> {
  if (count <= 0 || until.aborted) return
  const running = countOf(cluster.user, pods, count, (pod) => isRunning(pod, prefix), {
    namespace: cluster.namespace,
    onOne,
    until,
  })
  await inParallel(count, async (index) => {
    if (until.aborted) return
    const pod = smallPod(benchPod(basic, `${prefix}-${index}`, cluster.namespace))
    const spec = nodeOf === undefined ? pod.spec : { ...pod.spec, nodeName: nodeOf(index) }
    await cluster.user.create(pods, { ...pod, spec })
  })
  await running
}

const isRunning = ({ metadata, status }: Pod, prefix: string): boolean =>
  metadata.name.startsWith(`${prefix}-`) && status?.phase === 'Running'

const isReady = ({ status }: Node): boolean =>
  status?.conditions?.some(({ type, status: is }) => type === 'Ready' && is === 'True') === true

interface Counting {
  readonly namespace?: string
  readonly onOne?: () => void
  readonly until?: AbortSignal
}

/** Watches from now on, until as many different objects were as wanted, or until it is interrupted. */
async function countOf<T extends KubernetesObject>(
  client: Client,
  type: ResourceType<T>,
  count: number,
  isWanted: (object: T) => boolean,
  { namespace, onOne = () => {}, until }: Counting = {},
): Promise<void> {
  const stop = new AbortController()
  const within = namespace === undefined ? {} : { namespace }
  const { metadata } = await client.list(type, { ...within, limit: 1 })
  const seen = new Set<string>()
  const signal = until === undefined ? stop.signal : anySignal([stop.signal, until])
  const query = { ...within, resourceVersion: metadata.resourceVersion!, signal }
  try {
    for await (const { type: change, object } of client.watch(type, query)) {
      if (change === 'BOOKMARK' || change === 'DELETED' || !isWanted(object) || seen.has(object.metadata.name)) continue
      seen.add(object.metadata.name)
      onOne()
      if (seen.size === count) break
    }
  } catch (error) {
    if (until?.aborted !== true) throw error
  }
  stop.abort(new Error('all are seen'))
}

function machineSpec(index: number): MachineSpec {
  return {
    name: `node-${index}`,
    clusterId: 'bench',
    vmSize: 'Standard_D4s_v5',
    vcpus: 4,
    memoryBytes: 16 * 1024 ** 3,
    nodeImage: 'simulated',
    maxPods: 110,
    labels: { 'topology.kubernetes.io/zone': `zone${index % 3}` },
    taints: [],
    subnetId: 'bench',
    boot: {
      kubernetesVersion: '1.35.7',
      nodeUrl: '',
      tunnelSocket: '',
      clusterDns: '10.0.0.10',
      clusterDomain: 'cluster.local',
      serviceCidr: '10.0.0.0/16',
      podCidr: `10.${64 + (index >> 8)}.${index & 255}.0/24`,
    },
  }
}
