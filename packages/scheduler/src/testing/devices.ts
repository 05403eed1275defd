// Device classes, slices, claims and pods that use them, for tests.

import type { Node, Pod } from '@aksel/api/types/core-v1'
import type {
  Device,
  DeviceClass,
  DeviceClaim,
  ExactDeviceRequest,
  ResourceClaim,
  ResourceSlice,
  ResourceSliceSpec,
} from '@aksel/api/types/resource-v1'

export const driver = 'gpu.example.com'

export function deviceNode(name: string, labels: Record<string, string> = {}): Node {
  return { metadata: { name, labels }, spec: {}, status: { allocatable: { cpu: '4', memory: '4Gi', pods: '10' } } }
}

export function deviceClass(name = 'gpu', spec: DeviceClass['spec'] = {}): DeviceClass {
  return { metadata: { name }, spec }
}

/** A pool of one slice, on the node of its name unless `more` says otherwise. */
export function slice(
  pool: string,
  devices: readonly (string | Device)[],
  more: Partial<ResourceSliceSpec> = {},
): ResourceSlice {
  const place = more.allNodes === true || more.nodeSelector !== undefined || more.perDeviceNodeSelection === true
  return {
    metadata: { name: `${pool}-slice` },
    spec: {
      driver,
      pool: { name: pool, generation: 1, resourceSliceCount: 1 },
      ...(place ? {} : { nodeName: pool }),
      devices: devices.map((each) => (typeof each === 'string' ? { name: each } : each)),
      ...more,
    },
  }
}

export function exactly(name = 'one', more: Partial<ExactDeviceRequest> = {}): DeviceClaim['requests'][number] {
  return { name, exactly: { deviceClassName: 'gpu', allocationMode: 'ExactCount', count: 1, ...more } }
}

export function claim(name: string, spec: Partial<DeviceClaim> = {}): ResourceClaim {
  return { metadata: { name, namespace: 'default', uid: name }, spec: { devices: { requests: [exactly()], ...spec } } }
}

export function user(name: string, ...claims: readonly string[]): Pod {
  return {
    metadata: { name, namespace: 'default' },
    spec: {
      containers: [{ name: 'c', image: 'i', resources: { requests: { cpu: '1' } } }],
      resourceClaims: claims.map((each) => ({ name: each, resourceClaimName: each })),
    },
  }
}

/** The device is picked by an attribute of its own driver. */
export function picking(expression: string): Pick<ExactDeviceRequest, 'selectors'> {
  return { selectors: [{ cel: { expression } }] }
}
