// Holds a crowd while people go on working: objects come, change and go at a steady pace, each write timed, and afterwards
// everything that was acknowledged is looked for.

import { configMaps, nodes, pods, services } from '@aksel/api/resources'
import type { Pod } from '@aksel/api/types/core-v1'
import { sleep } from '@aksel/base/clock'
import { childScope, type Scope } from '@aksel/base/scope'
import type { InProcessCluster } from '@aksel/testing/in-process-cluster'
import { basic, benchPod } from '../scheduler/workloads.ts'

export interface Held {
  /** Of the writes. */
  readonly p99Seconds: number
  readonly writes: number
  /** What was acknowledged and is not there, or not as it was written. */
  readonly lost: readonly string[]
  /** Nodes that were told unready meanwhile: their leases came too late. */
  readonly unready: readonly string[]
}

export const CHANGES_A_SECOND = 20
/** A pod that is made is taken away so many rounds later. */
const POD_ROUNDS = 10

export async function hold(
  scope: Scope,
  cluster: InProcessCluster,
  order: {
    readonly seconds: number
    readonly services: number
    /** Holding ends with it, and what was written until then is looked for. */
    readonly until: AbortSignal
    readonly onChange: () => void
  },
): Promise<Held> {
  const { seconds, services: serviceCount, until, onChange } = order
  const { user, admin, namespace } = cluster
  const unready = new Set<string>()
  const stop = new AbortController()
  const watching = watchNodes(childScope(scope, {}, stop.signal), cluster, unready)
  const taken: number[] = []
  const expected = new Expected()
  const beganMs = performance.now()
  const endMs = beganMs + seconds * 1000
  for (let round = 0; performance.now() < endMs && !until.aborted; round += 1) {
    for (const change of changesOf(cluster, round, serviceCount, expected)) {
      const startedMs = performance.now()
      await change()
      taken.push((performance.now() - startedMs) / 1000)
      onChange()
      const dueMs = beganMs + (taken.length * 1000) / CHANGES_A_SECOND
      await sleep(scope.clock, Math.max(0, dueMs - performance.now()), scope.signal)
    }
  }
  stop.abort(new Error('it was held long enough'))
  await watching
  const [maps, left, all] = await Promise.all([
    user.list(configMaps, { namespace }),
    user.list(pods, { namespace }),
    admin.list(services, { namespace }),
  ])
  const lost = [
    ...expected.missing('configmap', new Map(maps.items.map(({ metadata, data }) => [metadata.name, data?.['value']]))),
    ...expected.missing('pod', new Map(left.items.map(({ metadata }) => [metadata.name, metadata.uid]))),
    ...expected.missing(
      'service',
      new Map(all.items.map(({ metadata }) => [metadata.name, metadata.labels?.['round']])),
    ),
  ]
  const p99Seconds = taken.toSorted((left_, right) => left_ - right)[Math.floor(taken.length * 0.99)] ?? 0
  return { p99Seconds, writes: taken.length, lost, unready: [...unready] }
}

/** What each object should hold: undefined where it was taken away. */
class Expected {
  readonly #values = new Map<string, string | undefined>()

  set(kind: string, name: string, value: string | undefined): void {
    this.#values.set(`${kind}/${name}`, value)
  }

  missing(kind: string, found: ReadonlyMap<string, string | undefined>): readonly string[] {
    return [...this.#values].flatMap(([key, value]) => {
      if (!key.startsWith(`${kind}/`)) return []
      const now = found.get(key.slice(kind.length + 1))
      return now === value ? [] : [`${key}: ${now}, not ${value}`]
    })
  }
}

/** One after the other: a config map, a pod, the end of an older pod, a service. */
function changesOf(
  { user, namespace }: InProcessCluster,
  round: number,
  serviceCount: number,
  expected: Expected,
): readonly (() => Promise<void>)[] {
  const value = String(round)
  const changes = [
    async () => {
      const name = `change-${round}`
      await user.create(configMaps, { metadata: { name, namespace }, data: { value } })
      expected.set('configmap', name, value)
    },
    async () => {
      const name = `churn-${round}`
      const { metadata } = await user.create(pods, smallPod(benchPod(basic, name, namespace)))
      expected.set('pod', name, metadata.uid)
    },
  ]
  if (round >= POD_ROUNDS)
    changes.push(async () => {
      const name = `churn-${round - POD_ROUNDS}`
      await user.delete(pods, { name, namespace }, { gracePeriodSeconds: 0 })
      expected.set('pod', name, undefined)
    })
  if (serviceCount > 0)
    changes.push(async () => {
      const name = `service-${round % serviceCount}`
      const body = { metadata: { labels: { round: value } } }
      await user.patch(services, { name, namespace }, { kind: 'merge', body })
      expected.set('service', name, value)
    })
  return changes
}

/** Thirty of a hundred millicores would not fit beside each other on a small node. */
export function smallPod(pod: Pod): Pod {
  const container = { ...pod.spec.containers[0]!, resources: { requests: { cpu: '10m', memory: '10Mi' } } }
  return { ...pod, spec: { ...pod.spec, containers: [container] } }
}

async function watchNodes(scope: Scope, { admin }: InProcessCluster, unready: Set<string>): Promise<void> {
  const { metadata } = await admin.list(nodes, { limit: 1 })
  const query = { resourceVersion: metadata.resourceVersion!, signal: scope.signal }
  try {
    for await (const { type, object } of admin.watch(nodes, query)) {
      const ready = object.status?.conditions?.find((condition) => condition.type === 'Ready')
      if (type === 'MODIFIED' && ready?.status !== 'True') unready.add(object.metadata.name)
    }
  } catch (error) {
    if (!scope.signal.aborted) throw error
  }
}
