// Which services a pod belongs to, and which pods to a service.

import { keyOf } from '@aksel/api/resource'
import type { Pod, Service } from '@aksel/api/types/core-v1'
import type { Cache } from '@aksel/runtime/controller'
import { matchesLabels } from '@aksel/runtime/selectors'
import { endpointFacts } from './endpoints-of.ts'

/** Keys of services whose endpoints this change may touch: none when nothing that they depend on changed. */
export function servicesWokenBy(
  services: Cache<Service>,
  now: Pod | undefined,
  before: Pod | undefined,
): readonly string[] {
  if (now !== undefined && before !== undefined && endpointFacts(now) === endpointFacts(before)) return []
  const { namespace } = (now ?? before)!.metadata
  return services
    .list(namespace)
    .filter(({ spec }) => selects(spec.selector, now) || selects(spec.selector, before))
    .map(keyOf)
}

function selects(selector: Readonly<Record<string, string>> | undefined, pod: Pod | undefined): boolean {
  return selector !== undefined && pod !== undefined && matchesLabels(selector, pod.metadata.labels)
}

/** In the order of their names, so that the same pods always give the same endpoints. */
export function selectedPods(pods: Cache<Pod>, { metadata, spec }: Service): readonly Pod[] {
  return pods
    .list(metadata.namespace)
    .filter((pod) => selects(spec.selector, pod))
    .toSorted((left, right) => (left.metadata.name < right.metadata.name ? -1 : 1))
}
