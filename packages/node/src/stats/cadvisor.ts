// `/metrics/cadvisor`: what the kubelet's cAdvisor tells of the machine, its pods and their containers, in its names and labels.

import type { Scope } from '@aksel/base/scope'
import { readCgroupDetails, type CgroupDetails } from '@aksel/host/cgroup-details'
import { readCgroupUsage, type CgroupUsage } from '@aksel/host/cgroup-usage'
import { readDiskCounters } from '@aksel/host/disk-counters'
import { podCgroup } from '../pod/pod-cgroup.ts'
import type { PodWorker } from '../pod/worker.ts'
import { linksOfCgroup, linksOfNode, type LinkCounters } from './network-counters.ts'

export interface CadvisorFacts {
  readonly cgroupRoot: string
  readonly capacity: { readonly cpuMilli: number; readonly memoryBytes: number }
  /** The machine's own disk: `/var/lib/kubelet` lies on it. */
  readonly rootDirectory: string
  /** What a container's layer takes, by its id. */
  readonly layerBytes: () => Promise<ReadonlyMap<string, number>>
  /** When the machine's agent began, in milliseconds since the Unix epoch. */
  readonly startMs: number
}

type Labels = Readonly<Record<string, string>>

/** A cgroup that is told of. */
interface Subject {
  readonly labels: Labels
  readonly cgroup: string
  readonly startMs: number
  readonly links: () => Promise<readonly LinkCounters[]>
  readonly layerBytes?: number
}

interface Measured extends Subject {
  readonly usage: CgroupUsage
  readonly details: CgroupDetails
  readonly found: readonly LinkCounters[]
  readonly atMs: number
}

interface Sample {
  readonly labels: Labels
  readonly value: number
}

/** In the text format of Prometheus. What is gone while it is looked at is left out. */
export async function cadvisorSamples(
  scope: Scope,
  facts: CadvisorFacts,
  workers: Iterable<PodWorker>,
): Promise<string> {
  const layers = await facts.layerBytes().catch(() => new Map<string, number>())
  const subjects = [machine(facts), ...[...workers].flatMap((worker) => subjectsOf(facts, worker, layers))]
  const measured = (await Promise.all(subjects.map((subject) => measure(scope, subject)))).flat()
  const disk = await readDiskCounters(facts.rootDirectory)
  const own = [
    ...families.map((each) => each(measured)),
    family(
      'container_fs_limit_bytes',
      'gauge',
      'Number of bytes that can be consumed by the container on this filesystem.',
      measured,
      ({ labels }) => [{ labels: { ...labels, device: disk.device }, value: disk.capacityBytes }],
    ),
    family(
      'container_fs_usage_bytes',
      'gauge',
      'Number of bytes that are consumed by the container on this filesystem.',
      measured,
      ({ labels, layerBytes }) => {
        const value = labels['id'] === '/' ? disk.usedBytes : layerBytes
        return value === undefined ? [] : [{ labels: { ...labels, device: disk.device }, value }]
      },
    ),
  ]
  const { cpuMilli, memoryBytes } = facts.capacity
  const plain = (name: string, help: string, value: number): string =>
    `# HELP ${name} ${help}\n# TYPE ${name} gauge\n${name} ${value}\n`
  return [
    "# HELP cadvisor_version_info A metric with a constant '1' value labeled by kernel version, OS version, docker version, cadvisor version & cadvisor revision.\n",
    '# TYPE cadvisor_version_info gauge\ncadvisor_version_info{cadvisorRevision="",cadvisorVersion="",dockerVersion="",kernelVersion="",osVersion=""} 1\n',
    plain('container_scrape_error', '1 if there was an error while getting container metrics, 0 otherwise', 0),
    plain('machine_cpu_cores', 'Number of logical CPU cores.', cpuMilli / 1000),
    plain('machine_memory_bytes', 'Amount of memory installed on the machine.', memoryBytes),
    ...own,
  ].join('')
}

function machine({ cgroupRoot, startMs }: CadvisorFacts): Subject {
  return { labels: labelsOf({ id: '/' }), cgroup: cgroupRoot, startMs, links: linksOfNode }
}

function subjectsOf(
  { cgroupRoot }: CadvisorFacts,
  { pod, view }: PodWorker,
  layers: ReadonlyMap<string, number>,
): readonly Subject[] {
  const cgroup = podCgroup(cgroupRoot, pod)
  const id = cgroup.slice(cgroupRoot.length)
  const { name, namespace = '' } = pod.metadata
  const ofPod = { namespace, pod: name }
  const none = (): Promise<readonly LinkCounters[]> => Promise.resolve([])
  const [sandbox] = view.sandboxes.filter(({ ready }) => ready)
  if (sandbox === undefined) return []
  const runs = view.containers.filter(({ state }) => state === 'CONTAINER_RUNNING')
  // Its links are the pod's; a pod in the machine's network has none of its own.
  const links = pod.spec.hostNetwork === true ? none : () => linksOfCgroup(`${cgroup}/${sandbox.id}`)
  return [
    { labels: labelsOf({ id, ...ofPod }), cgroup, startMs: sandbox.createdAtMs, links: none },
    {
      labels: labelsOf({ id: `${id}/${sandbox.id}`, name: sandbox.id, ...ofPod }),
      cgroup: `${cgroup}/${sandbox.id}`,
      startMs: sandbox.createdAtMs,
      links,
    },
    ...runs.map((run): Subject => {
      const layerBytes = layers.get(run.id)
      return {
        labels: labelsOf({ id: `${id}/${run.id}`, name: run.id, container: run.name, image: run.image, ...ofPod }),
        cgroup: `${cgroup}/${run.id}`,
        startMs: run.startedAtMs,
        links: none,
        ...(layerBytes === undefined ? {} : { layerBytes }),
      }
    }),
  ]
}

/** cAdvisor gives every series every label. */
function labelsOf(given: Labels): Labels {
  return { container: '', id: '', image: '', name: '', namespace: '', pod: '', ...given }
}

async function measure(scope: Scope, subject: Subject): Promise<readonly Measured[]> {
  const [usage, details, found] = await Promise.all([
    readCgroupUsage(subject.cgroup),
    readCgroupDetails(subject.cgroup),
    subject.links(),
  ])
  if (usage === undefined || details === undefined) return []
  return [{ ...subject, usage, details, found, atMs: scope.clock.now() }]
}

type Kind = 'counter' | 'gauge'

function family(
  name: string,
  kind: Kind,
  help: string,
  measured: readonly Measured[],
  samplesOf: (one: Measured) => readonly Sample[],
): string {
  const lines = measured.flatMap((one) =>
    samplesOf(one).map(({ labels, value }) => `${name}${textOf(labels)} ${value} ${one.atMs}\n`),
  )
  return lines.length === 0 ? '' : `# HELP ${name} ${help}\n# TYPE ${name} ${kind}\n${lines.join('')}`
}

function textOf(labels: Labels): string {
  const pairs = Object.entries(labels).toSorted(([a], [b]) => (a < b ? -1 : 1))
  return `{${pairs.map(([name, value]) => `${name}="${value.replaceAll(/["\\\n]/g, (char) => (char === '\n' ? '\\n' : `\\${char}`))}"`).join(',')}}`
}

type Family = (measured: readonly Measured[]) => string

/** One value a cgroup, `more` beside its labels; none where it is undefined. */
function one(
  name: string,
  kind: Kind,
  help: string,
  valueOf: (measured: Measured) => number | undefined,
  more: Labels = {},
): Family {
  return (measured) =>
    family(name, kind, help, measured, (each) => {
      const value = valueOf(each)
      return value === undefined ? [] : [{ labels: { ...each.labels, ...more }, value }]
    })
}

function network(name: string, help: string, counter: Exclude<keyof LinkCounters, 'name'>): Family {
  return (measured) =>
    family(`container_network_${name}_total`, 'counter', help, measured, ({ labels, found }) =>
      found.map((link) => ({ labels: { ...labels, interface: link.name }, value: link[counter] })),
    )
}

function failures(measured: readonly Measured[]): string {
  const help = 'Cumulative count of memory allocation failures.'
  return family('container_memory_failures_total', 'counter', help, measured, ({ labels, details: { memory } }) =>
    (
      [
        ['pgfault', memory.pageFaults],
        ['pgmajfault', memory.majorPageFaults],
      ] as const
    ).map(([type, value]) => ({ labels: { ...labels, failure_type: type, scope: 'hierarchy' }, value })),
  )
}

const families: readonly Family[] = [
  one(
    'container_cpu_usage_seconds_total',
    'counter',
    'Cumulative cpu time consumed in seconds.',
    ({ usage }) => usage.cpuNanoSeconds / 1e9,
    { cpu: 'total' },
  ),
  one(
    'container_cpu_user_seconds_total',
    'counter',
    'Cumulative user cpu time consumed in seconds.',
    ({ details }) => details.cpu.userSeconds,
  ),
  one(
    'container_cpu_system_seconds_total',
    'counter',
    'Cumulative system cpu time consumed in seconds.',
    ({ details }) => details.cpu.systemSeconds,
  ),
  one(
    'container_cpu_cfs_periods_total',
    'counter',
    'Number of elapsed enforcement period intervals.',
    bounded(({ periods }) => periods),
  ),
  one(
    'container_cpu_cfs_throttled_periods_total',
    'counter',
    'Number of throttled period intervals.',
    bounded(({ throttledPeriods }) => throttledPeriods),
  ),
  one(
    'container_cpu_cfs_throttled_seconds_total',
    'counter',
    'Total time duration the container has been throttled.',
    bounded(({ throttledSeconds }) => throttledSeconds),
  ),
  one(
    'container_memory_usage_bytes',
    'gauge',
    'Current memory usage in bytes, including all memory regardless of when it was accessed',
    ({ usage }) => usage.usageBytes,
  ),
  one(
    'container_memory_working_set_bytes',
    'gauge',
    'Current working set in bytes.',
    ({ usage }) => usage.workingSetBytes,
  ),
  one('container_memory_rss', 'gauge', 'Size of RSS in bytes.', ({ details }) => details.memory.rssBytes),
  one(
    'container_memory_cache',
    'gauge',
    'Number of bytes of page cache memory.',
    ({ details }) => details.memory.cacheBytes,
  ),
  one('container_memory_swap', 'gauge', 'Container swap usage in bytes.', ({ details }) => details.memory.swapBytes),
  one(
    'container_memory_mapped_file',
    'gauge',
    'Size of memory mapped files in bytes.',
    ({ details }) => details.memory.mappedBytes,
  ),
  one(
    'container_memory_max_usage_bytes',
    'gauge',
    'Maximum memory usage recorded in bytes',
    ({ details }) => details.memory.maxUsageBytes,
  ),
  one(
    'container_memory_failcnt',
    'counter',
    'Number of memory usage hits limits',
    ({ details }) => details.memory.limitHits,
  ),
  failures,
  one(
    'container_oom_events_total',
    'counter',
    'Count of out of memory events observed for the container',
    ({ details }) => details.memory.oomKills,
  ),
  one(
    'container_processes',
    'gauge',
    'Number of processes running inside the container.',
    ({ details }) => details.processes,
  ),
  one('container_threads', 'gauge', 'Number of threads running inside the container', ({ details }) => details.threads),
  one('container_last_seen', 'gauge', 'Last time a container was seen by the exporter', ({ atMs }) =>
    Math.floor(atMs / 1000),
  ),
  one(
    'container_start_time_seconds',
    'gauge',
    'Start time of the container since unix epoch in seconds.',
    ({ startMs }) => startMs / 1000,
  ),
  one(
    'container_spec_cpu_period',
    'gauge',
    'CPU period of the container.',
    ({ details }) => details.cpu.periodMicroseconds,
  ),
  one(
    'container_spec_cpu_quota',
    'gauge',
    'CPU quota of the container.',
    ({ details }) => details.cpu.quotaMicroseconds,
  ),
  one('container_spec_cpu_shares', 'gauge', 'CPU share of the container.', ({ details }) => details.cpu.shares),
  one(
    'container_spec_memory_limit_bytes',
    'gauge',
    'Memory limit for the container.',
    ({ details }) => details.memory.limitBytes ?? 0,
  ),
  network('receive_bytes', 'Cumulative count of bytes received', 'rxBytes'),
  network('receive_packets', 'Cumulative count of packets received', 'rxPackets'),
  network('receive_packets_dropped', 'Cumulative count of packets dropped while receiving', 'rxDropped'),
  network('receive_errors', 'Cumulative count of errors encountered while receiving', 'rxErrors'),
  network('transmit_bytes', 'Cumulative count of bytes transmitted', 'txBytes'),
  network('transmit_packets', 'Cumulative count of packets transmitted', 'txPackets'),
  network('transmit_packets_dropped', 'Cumulative count of packets dropped while transmitting', 'txDropped'),
  network('transmit_errors', 'Cumulative count of errors encountered while transmitting', 'txErrors'),
]

/** Only where a quota is set, as cAdvisor has it. */
function bounded(valueOf: (cpu: CgroupDetails['cpu']) => number): (measured: Measured) => number | undefined {
  return ({ details: { cpu } }) => (cpu.quotaMicroseconds === undefined ? undefined : valueOf(cpu))
}
