// The slice as an object: its labels, its owner, its name.

import { services } from '@aksel/api/resources'
import type { Service } from '@aksel/api/types/core-v1'
import type { EndpointSlice } from '@aksel/api/types/discovery-v1'
import { controllerReference } from '../owners.ts'
import type { AddressFamily } from './endpoints-of.ts'
import type { SliceContent } from './plan.ts'

export const serviceNameLabel = 'kubernetes.io/service-name'
export const managedByLabel = 'endpointslice.kubernetes.io/managed-by'
export const managerName = 'endpointslice-controller.k8s.io'
export const headlessLabel = 'service.kubernetes.io/headless'

/** The service's own labels, but for those that say whose slice it is. */
export function labelsOf({ metadata, spec }: Service): Readonly<Record<string, string>> {
  const reserved = new Set([serviceNameLabel, managedByLabel, headlessLabel])
  const copied = Object.entries(metadata.labels ?? {}).filter(([key]) => !reserved.has(key))
  return {
    ...Object.fromEntries(copied),
    ...(spec.clusterIP === 'None' ? { [headlessLabel]: '' } : {}),
    [serviceNameLabel]: metadata.name,
    [managedByLabel]: managerName,
  }
}

export function newSlice(
  service: Service,
  addressType: AddressFamily,
  { ports, endpoints }: SliceContent,
): EndpointSlice {
  return {
    metadata: {
      name: '',
      generateName: `${service.metadata.name}-`,
      namespace: service.metadata.namespace!,
      labels: labelsOf(service),
      ownerReferences: [controllerReference(services, service)],
    },
    addressType,
    endpoints,
    ports,
  }
}
