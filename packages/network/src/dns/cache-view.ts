// The zone's view on the cluster, from the caches that the node keeps anyway.

import { endpointSlices, services } from '@aksel/api/resources'
import { standardAddress } from '@aksel/api/validation/addresses'
import type { Service } from '@aksel/api/types/core-v1'
import type { EndpointSlice } from '@aksel/api/types/discovery-v1'
import type { Cache, Caches } from '@aksel/runtime/controller'
import { canonicalAddress } from './reverse.ts'
import { clusterAddresses, type ZoneView } from './zone.ts'

const BY_ADDRESS = 'dns-address'
const BY_SERVICE = 'dns-service'
const SERVICE_NAME = 'kubernetes.io/service-name'

export interface CacheView extends ZoneView {
  synced(signal: AbortSignal): Promise<void>
  /** Calls back when what was answered may no longer be so. */
  onChange(changed: () => void): Disposable
}

export function viewOfCaches(caches: Caches): CacheView {
  const serviceCache: Cache<Service> = caches.of(services)
  const sliceCache: Cache<EndpointSlice> = caches.of(endpointSlices)
  serviceCache.addIndex(BY_ADDRESS, (service) => clusterAddresses(service).map(canonicalAddress))
  sliceCache.addIndex(BY_ADDRESS, (slice) =>
    slice.addressType === 'FQDN'
      ? []
      : (slice.endpoints ?? []).flatMap((endpoint) => endpoint.addresses.map(standardAddress).map(canonicalAddress)),
  )
  sliceCache.addIndex(BY_SERVICE, (slice) => {
    const name = slice.metadata.labels?.[SERVICE_NAME]
    return name === undefined ? [] : [`${slice.metadata.namespace}/${name}`]
  })
  return {
    service: (namespace, name) => serviceCache.get(`${namespace}/${name}`),
    slices: (namespace, name) => sliceCache.byIndex(BY_SERVICE, `${namespace}/${name}`),
    hasServices: (namespace) => serviceCache.list(namespace).length > 0,
    serviceAt: (address) => serviceCache.byIndex(BY_ADDRESS, address)[0],
    slicesAt: (address) => sliceCache.byIndex(BY_ADDRESS, address),
    onChange(changed) {
      const both = [serviceCache.subscribe(changed), sliceCache.subscribe(changed)]
      return { [Symbol.dispose]: () => both.forEach((each) => each[Symbol.dispose]()) }
    },
    async synced(signal) {
      await Promise.all([serviceCache.synced(signal), sliceCache.synced(signal)])
    },
  }
}
