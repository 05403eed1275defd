// What the node and its containers use, as the kubelet answers it: `/metrics/resource` and `/metrics/cadvisor` for who samples,
// `/stats/summary` for who looks.

import { formatTime } from '@aksel/base/clock'
import type { Scope } from '@aksel/base/scope'
import { readCgroupDetails, type CgroupDetails } from '@aksel/host/cgroup-details'
import { readCgroupUsage, readProcessCount, type CgroupUsage } from '@aksel/host/cgroup-usage'
import { podCgroup } from './pod/pod-cgroup.ts'
import type { PodWorker } from './pod/worker.ts'
import type { NodePods } from './pods.ts'
import { cadvisorSamples } from './stats/cadvisor.ts'
import { nodeFacts, podDisk, podNetwork, type DiskFacts } from './stats/summary-parts.ts'

export interface UsageFacts extends DiskFacts {
  readonly nodeName: string
}

interface Measured extends CgroupUsage {
  readonly memory: CgroupDetails['memory']
  readonly atMs: number
  readonly startMs: number
}

interface MeasuredContainer extends Measured {
  readonly name: string
  readonly id: string
}

interface MeasuredPod {
  readonly worker: PodWorker
  readonly name: string
  readonly namespace: string
  readonly uid: string
  readonly startMs: number
  readonly total: Measured | undefined
  readonly containers: readonly MeasuredContainer[]
}

interface MeasuredNode {
  readonly node: Measured | undefined
  readonly pods: readonly MeasuredPod[]
}

export class NodeUsage {
  readonly #scope: Scope
  readonly #facts: UsageFacts
  readonly #pods: NodePods
  readonly #startMs: number
  /** By cgroup: what was told last. */
  readonly #before = new Map<string, Measured>()

  constructor(scope: Scope, facts: UsageFacts, pods: NodePods) {
    this.#scope = scope
    this.#facts = facts
    this.#pods = pods
    this.#startMs = scope.clock.now()
  }

  /** In the text format of Prometheus. */
  async samples(): Promise<string> {
    const { node, pods } = await this.#measure()
    const containers = pods.flatMap(({ name, namespace, containers: own }) =>
      own.map((one) => ({ labels: labelText({ container: one.name, namespace, pod: name }), ...one })),
    )
    const totals = pods.flatMap(({ name, namespace, total }) =>
      total === undefined ? [] : [{ labels: labelText({ namespace, pod: name }), ...total }],
    )
    const nodes = node === undefined ? [] : [{ labels: '', ...node }]
    const seconds = (one: Measured): string => String(one.cpuNanoSeconds / 1e9)
    const bytes = (one: Measured): string => String(one.workingSetBytes)
    return [
      family('container_cpu_usage_seconds_total', 'counter', 'CPU time of the container', containers, seconds),
      family('container_memory_working_set_bytes', 'gauge', 'Working set of the container', containers, bytes),
      family(
        'container_start_time_seconds',
        'gauge',
        'Start of the container since the Unix epoch',
        containers,
        (one) => String(one.startMs / 1000),
      ),
      family('node_cpu_usage_seconds_total', 'counter', 'CPU time of the node', nodes, seconds),
      family('node_memory_working_set_bytes', 'gauge', 'Working set of the node', nodes, bytes),
      family('pod_cpu_usage_seconds_total', 'counter', 'CPU time of the pod', totals, seconds),
      family('pod_memory_working_set_bytes', 'gauge', 'Working set of the pod', totals, bytes),
      '# HELP resource_scrape_error 1 if there was an error while getting container metrics, 0 otherwise\n',
      '# TYPE resource_scrape_error gauge\nresource_scrape_error 0\n',
    ].join('')
  }

  /** The kubelet's Summary. */
  async summary(): Promise<object> {
    const begunMs = this.#scope.clock.now()
    const [{ node, pods }, facts] = await Promise.all([this.#measure(), nodeFacts(this.#facts)])
    const summary = {
      node: {
        nodeName: this.#facts.nodeName,
        startTime: formatTime(this.#startMs),
        ...this.#used(this.#facts.cgroupRoot, node),
        ...facts(formatTime(this.#scope.clock.now())),
      },
      pods: await Promise.all(pods.map((pod) => this.#podSummary(pod))),
    }
    for (const [cgroup, { atMs }] of this.#before) if (atMs < begunMs) this.#before.delete(cgroup)
    return summary
  }

  /** The names of cAdvisor. */
  cadvisor(): Promise<string> {
    const { runtime, rootDirectory, cgroupRoot, capacity } = this.#facts
    const layerBytes = async (): Promise<ReadonlyMap<string, number>> =>
      new Map(
        (await runtime.listContainerStats()).map(({ attributes, writableLayer }) => [
          attributes.id,
          writableLayer?.usedBytes?.value ?? 0,
        ]),
      )
    const facts = { cgroupRoot, capacity, rootDirectory, layerBytes, startMs: this.#startMs }
    return cadvisorSamples(this.#scope, facts, this.#pods.workers.values())
  }

  async #podSummary({ worker, ...pod }: MeasuredPod): Promise<object> {
    const time = formatTime(this.#scope.clock.now())
    const { cgroupRoot } = this.#facts
    const cgroup = podCgroup(cgroupRoot, worker.pod)
    const disk = await podDisk(this.#facts, worker, time)
    return {
      podRef: { name: pod.name, namespace: pod.namespace, uid: pod.uid },
      startTime: formatTime(pod.startMs),
      containers: pod.containers.map((one) => ({
        name: one.name,
        startTime: formatTime(one.startMs),
        ...this.#used(`${cgroup}/${one.id}`, one),
        ...disk.containers.get(one.name),
      })),
      ...this.#used(cgroup, pod.total),
      ...(await podNetwork(this.#facts, worker, time)),
      ...disk.pod,
      process_stats: { process_count: (await readProcessCount(cgroup))?.current ?? 0 },
    }
  }

  /** With the rate since it was asked before, where it was. */
  #used(cgroup: string, measured: Measured | undefined): object {
    if (measured === undefined) return {}
    const before = this.#before.get(cgroup)
    this.#before.set(cgroup, measured)
    const passedMs = before === undefined ? 0 : measured.atMs - before.atMs
    const rate =
      passedMs <= 0
        ? {}
        : { usageNanoCores: Math.round(((measured.cpuNanoSeconds - before!.cpuNanoSeconds) / passedMs) * 1000) }
    return statsOf(measured, rate)
  }

  async #measure(): Promise<MeasuredNode> {
    const pods = await Promise.all(
      [...this.#pods.workers.values()].map(async (worker): Promise<MeasuredPod> => {
        const { pod, view } = worker
        const cgroup = podCgroup(this.#facts.cgroupRoot, pod)
        const startMs = Math.min(this.#scope.clock.now(), ...view.sandboxes.map(({ createdAtMs }) => createdAtMs))
        const running = view.containers.filter(({ state }) => state === 'CONTAINER_RUNNING')
        const [total, ...own] = await Promise.all([
          this.#read(cgroup, startMs),
          ...running.map(({ id, startedAtMs }) => this.#read(`${cgroup}/${id}`, startedAtMs)),
        ])
        const containers = running.flatMap(({ name, id }, index) => {
          const measured = own[index]
          return measured === undefined ? [] : [{ name, id, ...measured }]
        })
        const { name, namespace = '', uid = '' } = pod.metadata
        return { worker, name, namespace, uid, startMs, total, containers }
      }),
    )
    return { node: await this.#read(this.#facts.cgroupRoot, this.#startMs), pods }
  }

  async #read(cgroup: string, startMs: number): Promise<Measured | undefined> {
    const [usage, details] = await Promise.all([readCgroupUsage(cgroup), readCgroupDetails(cgroup)])
    if (usage === undefined || details === undefined) return undefined
    return { ...usage, memory: details.memory, startMs, atMs: this.#scope.clock.now() }
  }
}

function statsOf(measured: Measured, rate: object): object {
  const time = formatTime(measured.atMs)
  const { rssBytes, pageFaults, majorPageFaults, limitBytes } = measured.memory
  const { usageBytes, workingSetBytes } = measured
  const availableBytes = limitBytes === undefined ? {} : { availableBytes: Math.max(0, limitBytes - workingSetBytes) }
  return {
    cpu: { time, ...rate, usageCoreNanoSeconds: measured.cpuNanoSeconds },
    memory: { time, ...availableBytes, usageBytes, workingSetBytes, rssBytes, pageFaults, majorPageFaults },
  }
}

function labelText(labels: Readonly<Record<string, string>>): string {
  return `{${Object.entries(labels)
    .map(([name, value]) => `${name}="${value}"`)
    .join(',')}}`
}

function family<T extends Measured & { readonly labels: string }>(
  name: string,
  type: string,
  help: string,
  samples: readonly T[],
  value: (sample: T) => string,
): string {
  const head = `# HELP ${name} [STABLE] ${help}\n# TYPE ${name} ${type}\n`
  return head + samples.map((sample) => `${name}${sample.labels} ${value(sample)} ${sample.atMs}\n`).join('')
}
