// What the node and its containers use, as the kubelet answers it: `/metrics/resource` for who samples, `/stats/summary` for who
// looks.

import { formatTime } from '@aksel/base/clock'
import type { Scope } from '@aksel/base/scope'
import { readCgroupUsage, type CgroupUsage } from '@aksel/host/cgroup-usage'
import { podCgroup } from './pod/pod-cgroup.ts'
import type { NodePods } from './pods.ts'

export interface UsageFacts {
  readonly nodeName: string
  /** The machine's cgroup: `/aksel/<machine>`. */
  readonly cgroupRoot: string
}

interface Measured extends CgroupUsage {
  readonly atMs: number
  readonly startMs: number
}

interface MeasuredContainer extends Measured {
  readonly name: string
}

interface MeasuredPod {
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

  /** The kubelet's Summary, as far as cgroups tell. */
  async summary(): Promise<object> {
    const { node, pods } = await this.#measure()
    return {
      node: { nodeName: this.#facts.nodeName, startTime: formatTime(this.#startMs), ...statsOf(node) },
      pods: pods.map(({ name, namespace, uid, startMs, total, containers }) => ({
        podRef: { name, namespace, uid },
        startTime: formatTime(startMs),
        containers: containers.map((one) => ({
          name: one.name,
          startTime: formatTime(one.startMs),
          ...statsOf(one),
        })),
        ...statsOf(total),
      })),
    }
  }

  async #measure(): Promise<MeasuredNode> {
    const pods = await Promise.all(
      [...this.#pods.workers.values()].map(async ({ pod, view }): Promise<MeasuredPod> => {
        const cgroup = podCgroup(this.#facts.cgroupRoot, pod)
        const startMs = Math.min(this.#scope.clock.now(), ...view.sandboxes.map(({ createdAtMs }) => createdAtMs))
        const running = view.containers.filter(({ state }) => state === 'CONTAINER_RUNNING')
        const [total, ...own] = await Promise.all([
          this.#read(cgroup, startMs),
          ...running.map(({ id, startedAtMs }) => this.#read(`${cgroup}/${id}`, startedAtMs)),
        ])
        const containers = running.flatMap(({ name }, index) => {
          const measured = own[index]
          return measured === undefined ? [] : [{ name, ...measured }]
        })
        const { name, namespace = '', uid = '' } = pod.metadata
        return { name, namespace, uid, startMs, total, containers }
      }),
    )
    return { node: await this.#read(this.#facts.cgroupRoot, this.#startMs), pods }
  }

  async #read(cgroup: string, startMs: number): Promise<Measured | undefined> {
    const usage = await readCgroupUsage(cgroup)
    return usage === undefined ? undefined : { ...usage, startMs, atMs: this.#scope.clock.now() }
  }
}

function statsOf(measured: Measured | undefined): object {
  if (measured === undefined) return {}
  const time = formatTime(measured.atMs)
  return {
    cpu: { time, usageCoreNanoSeconds: measured.cpuNanoSeconds },
    memory: { time, usageBytes: measured.usageBytes, workingSetBytes: measured.workingSetBytes },
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
