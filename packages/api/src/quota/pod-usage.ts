// What a pod takes of its namespace's quota, and which scopes it is in.

import { compareQuantities, quantityOfUnits, tryParseQuantity } from '@aksel/base/quantity'
import type { Quantity } from '@aksel/base/quantity'
import { qosClassOf } from '../kinds/pod-qos.ts'
import type { Container, Pod } from '../types/core-v1.ts'
import { addUsage } from './quantities.ts'
import type { Usage } from './quantities.ts'

type Amounts = Readonly<Record<string, string | number>>
type Which = 'requests' | 'limits'

/** Names of quotas that are about a pod's resources without naming request or limit. */
const plainNames = new Set(['cpu', 'memory', 'ephemeral-storage'])

/** Amounts by the names that a quota limits. An ended pod takes its place in `count/pods` alone. */
export function podUsage(pod: Pod, nowMs: number): Usage {
  const one = quantityOfUnits(1)
  const usage = new Map([['count/pods', one]])
  if (!isLive(pod, nowMs)) return usage
  usage.set('pods', one)
  for (const [name, amount] of podAmounts(pod, 'requests')) {
    if (plainNames.has(name) || name.startsWith('hugepages-')) usage.set(name, amount)
    usage.set(`requests.${name}`, amount)
  }
  for (const [name, amount] of podAmounts(pod, 'limits')) {
    if (plainNames.has(name)) usage.set(`limits.${name}`, amount)
  }
  return usage
}

/** It has not ended, and is not past the grace it got for ending. */
export function isLive({ metadata, status }: Pod, nowMs: number): boolean {
  if (status?.phase === 'Succeeded' || status?.phase === 'Failed') return false
  const { deletionTimestamp, deletionGracePeriodSeconds } = metadata
  if (deletionTimestamp === undefined || deletionGracePeriodSeconds === undefined) return true
  // The timestamp names the end of the grace period; upstream gives as much again.
  return nowMs <= Date.parse(deletionTimestamp) + deletionGracePeriodSeconds * 1000
}

/** Sums of the containers, or what an init container needs with the sidecars before it, whichever is more; and the overhead. */
export function podAmounts({ spec }: Pod, which: Which): Usage {
  let running: Usage = new Map()
  for (const container of spec.containers ?? []) running = addUsage(running, amountsOf(container, which))
  let starting: Usage = new Map()
  let sidecars: Usage = new Map()
  for (const container of spec.initContainers ?? []) {
    const own = amountsOf(container, which)
    if (container.restartPolicy === 'Always') {
      sidecars = addUsage(sidecars, own)
      starting = maxUsage(starting, sidecars)
    } else starting = maxUsage(starting, addUsage(sidecars, own))
  }
  const needed = maxUsage(addUsage(running, sidecars), starting)
  // Amounts of the pod as a whole stand over those of its containers.
  const whole = parsed(spec.resources?.[which])
  const stated = new Map([...needed, ...whole])
  const overhead = parsed(spec.overhead)
  const counted = which === 'requests' ? overhead : new Map([...overhead].filter(([name]) => stated.has(name)))
  return addUsage(stated, counted)
}

function amountsOf({ resources }: Container, which: Which): Usage {
  const own = parsed(resources?.[which])
  // A limit is a request too, where none is stated.
  return which === 'limits' ? own : new Map([...parsed(resources?.limits), ...own])
}

function parsed(amounts: Amounts | undefined): ReadonlyMap<string, Quantity> {
  const result = new Map<string, Quantity>()
  for (const [name, text] of Object.entries(amounts ?? {})) {
    const quantity = tryParseQuantity(text)
    if (quantity !== undefined) result.set(name, quantity)
  }
  return result
}

function maxUsage(left: Usage, right: Usage): Usage {
  const result = new Map(left)
  for (const [name, amount] of right) {
    const known = result.get(name)
    if (known === undefined || compareQuantities(amount, known) > 0) result.set(name, amount)
  }
  return result
}

/** The scopes that a pod is in, with the value that a selector compares. */
export function podScopes(pod: Pod): ReadonlyMap<string, string> {
  const { spec } = pod
  const terms = [
    ...(spec.affinity?.podAffinity?.requiredDuringSchedulingIgnoredDuringExecution ?? []),
    ...(spec.affinity?.podAffinity?.preferredDuringSchedulingIgnoredDuringExecution ?? []).map(weighted),
    ...(spec.affinity?.podAntiAffinity?.requiredDuringSchedulingIgnoredDuringExecution ?? []),
    ...(spec.affinity?.podAntiAffinity?.preferredDuringSchedulingIgnoredDuringExecution ?? []).map(weighted),
  ]
  const reachesOut = terms.some(
    ({ namespaces, namespaceSelector }) => (namespaces ?? []).length > 0 || namespaceSelector !== undefined,
  )
  return new Map([
    [spec.activeDeadlineSeconds === undefined ? 'NotTerminating' : 'Terminating', ''],
    [qosClassOf(pod) === 'BestEffort' ? 'BestEffort' : 'NotBestEffort', ''],
    ...(spec.priorityClassName === undefined ? [] : [['PriorityClass', spec.priorityClassName] as const]),
    ...(reachesOut ? [['CrossNamespacePodAffinity', ''] as const] : []),
  ])
}

function weighted<T>({ podAffinityTerm }: { readonly podAffinityTerm: T }): T {
  return podAffinityTerm
}
