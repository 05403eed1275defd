// Keeps the Endpoints of services with selectors, beside their slices.

import { keyOf, refOfKey } from '@aksel/api/resource'
import { endpoints, pods, services } from '@aksel/api/resources'
import type { Endpoints, Pod, Service } from '@aksel/api/types/core-v1'
import { isReason } from '@aksel/base/errors'
import { done } from '@aksel/runtime/controller'
import type { Cache, Controller, Source } from '@aksel/runtime/controller'
import { isSame } from '../canonical.ts'
import { headlessLabel } from '../endpoint-slice/slice-object.ts'
import { indexServicePods, selectedPods, servicesWokenBy } from '../endpoint-slice/service-pods.ts'
import type { LoopParts } from '../parts.ts'
import { isNamespaceTerminating } from '../pod-control.ts'
import { planSubsets } from './plan.ts'

const managedByLabel = 'endpoints.kubernetes.io/managed-by'

export function endpointsController({ client, caches }: LoopParts): Controller {
  const known: Cache<Service> = caches.of(services)
  const members: Cache<Pod> = caches.of(pods)
  const stored: Cache<Endpoints> = caches.of(endpoints)
  indexServicePods(known, members)
  const own: Source<Service> = { type: services, keysOf: (now, before) => [keyOf((now ?? before)!)] }
  const changes: Source<Pod> = { type: pods, keysOf: (now, before) => servicesWokenBy(known, now, before) }
  const results: Source<Endpoints> = { type: endpoints, keysOf: (now, before) => [keyOf((now ?? before)!)] }
  return {
    name: 'endpoints',
    sources: [own, changes, results],
    workers: 5,
    async reconcile(_scope, key) {
      const service = known.get(key)
      const before = stored.get(key)
      if (service === undefined) {
        if (before?.metadata.labels?.[managedByLabel] !== undefined) await remove(key)
        return done
      }
      if (service.spec.selector === undefined || service.spec.type === 'ExternalName') return done
      await write(service, before, planSubsets(service, selectedPods(members, service)))
      return done
    },
  }

  async function remove(key: string): Promise<void> {
    try {
      await client.delete(endpoints, refOfKey(key))
    } catch (error) {
      if (!isReason(error, 'NotFound')) throw error
    }
  }

  async function write(
    service: Service,
    before: Endpoints | undefined,
    subsets: Endpoints['subsets'] & {},
  ): Promise<void> {
    const labels = labelsOf(service)
    const { name, namespace } = service.metadata
    if (before === undefined) {
      try {
        await client.create(endpoints, { metadata: { name, namespace: namespace!, labels }, subsets })
      } catch (error) {
        if (!isReason(error, 'AlreadyExists') && !isNamespaceTerminating(error)) throw error
      }
      return
    }
    if (isSame(before.subsets ?? [], subsets) && isSame(before.metadata.labels ?? {}, labels)) return
    await client.update(endpoints, { ...before, metadata: { ...before.metadata, labels }, subsets })
  }
}

function labelsOf({ metadata, spec }: Service): Readonly<Record<string, string>> {
  const headless = spec.clusterIP === 'None' ? { [headlessLabel]: '' } : {}
  return { ...metadata.labels, ...headless, [managedByLabel]: 'endpoint-controller' }
}
