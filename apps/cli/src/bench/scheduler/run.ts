// One run of a workload: a fresh cluster with its nodes, pods created as fast as they are taken, bound by the scheduler (or, for
// the probe, by nobody who thinks), seen by a watch. Afterwards every placing is checked.

import { monitorEventLoopDelay } from 'node:perf_hooks'
import { keyOf } from '@aksel/api/resource'
import {
  csiNodes,
  namespaces,
  nodes,
  persistentVolumeClaims,
  persistentVolumes,
  pods,
  priorityClasses,
  serviceAccounts,
} from '@aksel/api/resources'
import type { Pod } from '@aksel/api/types/core-v1'
import { childScope, type Scope } from '@aksel/base/scope'
import type { Client } from '@aksel/client/client'
import { createCaches } from '@aksel/runtime/caches'
import { createScheduler } from '@aksel/scheduler/scheduler'
import { openInProcessCluster, type InProcessCluster } from '@aksel/testing/in-process-cluster'
import { CommandError } from '../../command-error.ts'
import { costOf } from '../process-cost.ts'
import type { StageReport } from '../stages.ts'
import { proveInProcess } from './in-process-stages.ts'
import { benchCsiNode, benchNode, benchPod, boundVolume, lowPod, type Workload } from './workloads.ts'

export interface Sizes {
  readonly nodes: number
  /** Created and bound before anything is measured. */
  readonly initial: number
  readonly pods: number
}

export interface Outcome {
  readonly podsPerSecond: number
  readonly stages: StageReport
  readonly cost: { readonly cpuSeconds: number; readonly rssAnonBytes: number; readonly rssFileBytes: number }
  readonly loopDelayMs: { readonly p50: number; readonly p99: number; readonly max: number }
}

const CREATORS = 64
/** What the terms over several namespaces select. */
const team = { team: 'devops' }

/** `scheduler: false`: pods are bound round about, which is what creating and binding alone cost. */
export async function runWorkload(
  scope: Scope,
  workload: Workload,
  how: { readonly sizes: Sizes; readonly scheduler: boolean },
): Promise<Outcome> {
  const { sizes } = how
  await using cluster = await openInProcessCluster(scope)
  const stop = new AbortController()
  const own = childScope(scope, {}, stop.signal)
  const stages = await proveInProcess(cluster)
  await prepare(cluster, workload, sizes)
  const running = how.scheduler ? await startScheduler(own, cluster) : undefined
  try {
    const binder = how.scheduler ? undefined : trivialBinder(cluster, sizes.nodes)
    const { namespace } = cluster
    if (workload.preempts === true)
      await place(cluster, sizes.nodes * 4, (index) => lowPod(`low-${index}`, namespace), binder)
    else if (workload.namespaces !== undefined) {
      const all = workload.namespaces
      const other = (index: number): Pod => benchPod(workload, `initial-${index}`, `initial-${index % all}`)
      await place({ user: cluster.admin }, sizes.initial, other, binder)
    } else await place(cluster, sizes.initial, (index) => benchPod(workload, `initial-${index}`, namespace), binder)
    const delay = monitorEventLoopDelay({ resolution: 1 })
    const before = costOf(process.pid)!
    delay.enable()
    const seconds = await place(
      cluster,
      sizes.pods,
      (index) => benchPod(workload, `pod-${index}`, cluster.namespace),
      binder,
    )
    delay.disable()
    const after = costOf(process.pid)!
    await check(cluster, sizes.pods)
    return {
      podsPerSecond: sizes.pods / seconds,
      stages,
      cost: { ...after, cpuSeconds: after.cpuSeconds - before.cpuSeconds },
      loopDelayMs: { p50: delay.percentile(50) / 1e6, p99: delay.percentile(99) / 1e6, max: delay.max / 1e6 },
    }
  } finally {
    stop.abort(new Error('the run is over'))
    await running?.ended
  }
}

async function prepare(cluster: InProcessCluster, workload: Workload, sizes: Sizes): Promise<void> {
  const { admin, namespace } = cluster
  for (const [name, value] of [
    ['bench-low', 10],
    ['bench-high', 1000],
  ] as const)
    await admin.create(priorityClasses, { metadata: { name }, value })
  await inParallel(sizes.nodes, async (index) => {
    const node = benchNode(index)
    await admin.create(nodes, node)
    const { status } = node
    await admin.patch(nodes, node.metadata, { kind: 'merge', body: { status } }, { subresource: 'status' })
    // A node that is made gets a taint until its lifecycle is judged; no controller runs here.
    await admin.patch(nodes, node.metadata, { kind: 'merge', body: { spec: { taints: null } } })
  })
  for (let index = 0; index < (workload.namespaces ?? 0); index += 1) {
    const name = `initial-${index}`
    await admin.create(namespaces, { metadata: { name, labels: team }, spec: {} })
    await admin.create(serviceAccounts, { metadata: { name: 'default', namespace: name } })
  }
  if (workload.namespaces !== undefined)
    await admin.patch(namespaces, { name: namespace }, { kind: 'merge', body: { metadata: { labels: team } } })
  if (workload.volumes !== true) return
  await inParallel(sizes.nodes, async (index) => void (await admin.create(csiNodes, benchCsiNode(index))))
  await inParallel(sizes.initial + sizes.pods, async (index) => {
    const name = index < sizes.initial ? `initial-${index}` : `pod-${index - sizes.initial}`
    const { volume, claim } = boundVolume(name, namespace)
    await admin.create(persistentVolumes, volume)
    await admin.create(persistentVolumeClaims, claim)
  })
}

async function startScheduler(scope: Scope, cluster: InProcessCluster): Promise<{ readonly ended: Promise<void> }> {
  const caches = createCaches(scope, cluster.admin)
  const client = cluster.client({ name: 'system:kube-scheduler', groups: ['system:authenticated'] })
  const running = createScheduler(scope, { client, caches })
    .run()
    .catch((error: unknown) => {
      if (!scope.signal.aborted) throw error
    })
    .finally(() => caches[Symbol.asyncDispose]())
  await Promise.all([caches.of(nodes).synced(scope.signal), caches.of(pods).synced(scope.signal)])
  return { ended: running }
}

type Binder = (pod: Pod, index: number) => Promise<void>

function trivialBinder(cluster: InProcessCluster, nodeCount: number): Binder {
  const scheduler = cluster.client({ name: 'system:kube-scheduler', groups: ['system:authenticated'] })
  return (pod, index) => bind(scheduler, pod, `node-${index % nodeCount}`)
}

async function bind(client: Client, { metadata }: Pod, name: string): Promise<void> {
  await client.createSubresource(pods, { name: metadata.name, namespace: metadata.namespace! }, 'binding', {
    apiVersion: 'v1',
    kind: 'Binding',
    metadata,
    target: { kind: 'Node', name },
  })
}

/** Seconds from the first creation until a watch has shown every one of them on a node. */
async function place(
  { user, namespace }: { readonly user: Client; readonly namespace?: string },
  count: number,
  podOf: (index: number) => Pod,
  binder: Binder | undefined,
): Promise<number> {
  if (count === 0) return 0
  const wanted = new Set<string>()
  const stop = new AbortController()
  const within = namespace === undefined ? {} : { namespace }
  const from = (await user.list(pods, { ...within, limit: 1 })).metadata.resourceVersion!
  let created = 0
  const seen = (async () => {
    let placed = 0
    const done = new Set<string>()
    for await (const { type, object } of user.watch(pods, { ...within, resourceVersion: from, signal: stop.signal })) {
      if (type === 'BOOKMARK' || type === 'DELETED' || (object.spec.nodeName ?? '') === '') continue
      const key = keyOf(object)
      if (!wanted.has(key) || done.has(key)) continue
      done.add(key)
      placed += 1
      if (placed === count && created === count) return
    }
    throw new CommandError(`The watch ended with ${placed} of ${count} pods bound`)
  })()
  seen.catch(() => {})
  const startedMs = performance.now()
  for (let index = 0; index < count; index += 1) wanted.add(keyOf(podOf(index)))
  await inParallel(count, async (index) => {
    const pod = await user.create(pods, podOf(index))
    created += 1
    await binder?.(pod, index)
  })
  await seen
  stop.abort(new Error('all are seen'))
  return (performance.now() - startedMs) / 1000
}

/** No node holds more than it has, and every pod that was measured has a node. */
async function check({ user, namespace }: InProcessCluster, count: number): Promise<void> {
  const cpu = new Map<string, number>()
  let placed = 0
  for (const { metadata, spec } of (await user.list(pods, { namespace })).items) {
    if (metadata.name.startsWith('pod-') && spec.nodeName !== undefined) placed += 1
    if (spec.nodeName === undefined || metadata.deletionTimestamp !== undefined) continue
    const asked = String(spec.containers[0]!.resources?.requests?.['cpu'] ?? '0')
    const milli = asked.endsWith('m') ? Number(asked.slice(0, -1)) : Number(asked) * 1000
    cpu.set(spec.nodeName, (cpu.get(spec.nodeName) ?? 0) + milli)
  }
  const most = Math.max(...cpu.values())
  if (placed !== count) throw new CommandError(`${placed} of ${count} pods have a node`)
  if (most > 4000) throw new CommandError(`A node holds ${most} millicores of 4000: the scheduler is wrong`)
}

export async function inParallel(count: number, work: (index: number) => Promise<void>): Promise<void> {
  let next = 0
  const worker = async (): Promise<void> => {
    for (let index = next++; index < count; index = next++) await work(index)
  }
  await Promise.all(Array.from({ length: Math.min(CREATORS, count) }, worker))
}
