// Which services a pod belongs to, and which pods to a service: by indexes, since both may be many thousands in one namespace.

import { keyOf } from '@aksel/api/resource'
import type { Pod, Service } from '@aksel/api/types/core-v1'
import type { Cache } from '@aksel/runtime/controller'
import { matchesLabels, type Labels } from '@aksel/runtime/selectors'
import { endpointFacts } from './endpoints-of.ts'

const podIndex = 'service-pods/label'
const serviceIndex = 'service-pods/selector'
/** So few are looked at one by one rather than compared with those of another label. */
const FEW = 64

/** To be called before the two below; calling it again changes nothing. */
export function indexServicePods(services: Cache<Service>, pods: Cache<Pod>): void {
  pods.addIndex(podIndex, ({ metadata: { namespace, labels } }) => pairsOf(namespace, labels))
  services.addIndex(serviceIndex, ({ metadata: { namespace }, spec }) => {
    if (spec?.selector === undefined) return []
    const [first = pair(namespace)] = pairsOf(namespace, spec.selector).toSorted()
    return [first]
  })
}

/** Keys of services whose endpoints this change may touch: none when nothing that they depend on changed. */
export function servicesWokenBy(
  services: Cache<Service>,
  now: Pod | undefined,
  before: Pod | undefined,
): readonly string[] {
  if (now !== undefined && before !== undefined && endpointFacts(now) === endpointFacts(before)) return []
  const { namespace } = (now ?? before)!.metadata
  const values = new Set([pair(namespace)])
  for (const pod of [now, before]) for (const value of pairsOf(namespace, pod?.metadata.labels)) values.add(value)
  const found = [...values].flatMap((value) => services.byIndex(serviceIndex, value))
  return found.filter(({ spec }) => selects(spec.selector, now) || selects(spec.selector, before)).map(keyOf)
}

/** In the order of their names, so that the same pods always give the same endpoints. */
export function selectedPods(pods: Cache<Pod>, { metadata, spec }: Service): readonly Pod[] {
  return candidates(pods, metadata.namespace, spec.selector)
    .filter((pod) => selects(spec.selector, pod))
    .toSorted((left, right) => (left.metadata.name < right.metadata.name ? -1 : 1))
}

/** Pods that have the rarest of the labels. */
function candidates(pods: Cache<Pod>, namespace: string | undefined, selector: Labels | undefined): readonly Pod[] {
  if (selector === undefined) return []
  let fewest: readonly Pod[] | undefined
  for (const value of pairsOf(namespace, selector)) {
    const having = pods.byIndex(podIndex, value)
    if (fewest === undefined || having.length < fewest.length) fewest = having
    if (fewest.length <= FEW) break
  }
  return fewest ?? pods.list(namespace)
}

function selects(selector: Labels | undefined, pod: Pod | undefined): boolean {
  return selector !== undefined && pod !== undefined && matchesLabels(selector, pod.metadata.labels)
}

function pairsOf(namespace: string | undefined, labels: Labels = {}): string[] {
  return Object.entries(labels).map(([key, value]) => pair(namespace, key, value))
}

/** Neither names nor keys hold a blank. Without a label: what matches all pods of the namespace. */
function pair(namespace = '', key = '', value = ''): string {
  return `${namespace} ${key} ${value}`
}
