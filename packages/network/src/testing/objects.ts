// Services and endpoint slices as tests write them.

import type { Service, ServicePort } from '@aksel/api/types/core-v1'
import type { Endpoint, EndpointSlice } from '@aksel/api/types/discovery-v1'

export function service(name: string, spec: Partial<Service['spec']>, status?: Service['status']): Service {
  const ports: readonly ServicePort[] = [{ name: 'http', port: 80, protocol: 'TCP' }]
  const clusterIPs = spec.clusterIP === undefined ? {} : { clusterIPs: [spec.clusterIP] }
  return {
    metadata: { name, namespace: 'default' },
    spec: { type: 'ClusterIP', ports, ...clusterIPs, ...spec },
    ...(status === undefined ? {} : { status }),
  }
}

export function slice(
  serviceName: string,
  endpoints: readonly Endpoint[],
  ports: EndpointSlice['ports'] = [{ name: 'http', port: 8080, protocol: 'TCP' }],
): EndpointSlice {
  return {
    metadata: {
      name: `${serviceName}-abcde`,
      namespace: 'default',
      labels: { 'kubernetes.io/service-name': serviceName },
    },
    addressType: 'IPv4',
    endpoints,
    ports,
  }
}

export function endpoint(address: string, more: Partial<Endpoint> = {}): Endpoint {
  return { addresses: [address], conditions: { ready: true, serving: true, terminating: false }, ...more }
}
