// Which containers of this node have which devices, for monitors: the pod resources service, version v1.

import type { Pod } from '@aksel/api/types/core-v1'
import { serveGrpc } from '../plugins/grpc-server.ts'
import { claimNames, devicesOf } from '../dra/claims.ts'
import type { DraManager } from '../dra/dra-manager.ts'
import type { DeviceManager } from './device-manager.ts'

const proto = `
syntax = "proto3";
package v1;
service PodResourcesLister {
  rpc List(ListPodResourcesRequest) returns (ListPodResourcesResponse);
  rpc GetAllocatableResources(AllocatableResourcesRequest) returns (AllocatableResourcesResponse);
  rpc Get(GetPodResourcesRequest) returns (GetPodResourcesResponse);
}
message AllocatableResourcesRequest {}
message AllocatableResourcesResponse { repeated ContainerDevices devices = 1; repeated int64 cpu_ids = 2; }
message ListPodResourcesRequest {}
message ListPodResourcesResponse { repeated PodResources pod_resources = 1; }
message PodResources { string name = 1; string namespace = 2; repeated ContainerResources containers = 3; }
message ContainerResources {
  string name = 1; repeated ContainerDevices devices = 2; repeated int64 cpu_ids = 3;
  repeated DynamicResource dynamic_resources = 5;
}
message DynamicResource { string claim_name = 2; string claim_namespace = 3; repeated ClaimResource claim_resources = 4; }
message ClaimResource {
  repeated CDIDevice cdi_devices = 1; string driver_name = 2; string pool_name = 3; string device_name = 4;
}
message CDIDevice { string name = 1; }
message ContainerDevices { string resource_name = 1; repeated string device_ids = 2; }
message GetPodResourcesRequest { string pod_name = 1; string pod_namespace = 2; }
message GetPodResourcesResponse { PodResources pod_resources = 1; }
`

export interface PodResourcesFacts {
  readonly socketPath: string
  readonly manager: DeviceManager
  readonly dra: DraManager
  /** Those that have not come to an end. */
  readonly pods: () => readonly Pod[]
}

export function servePodResources({ socketPath, manager, dra, pods }: PodResourcesFacts): Promise<AsyncDisposable> {
  const resourcesOf = (pod: Pod): object => ({
    name: pod.metadata.name,
    namespace: pod.metadata.namespace,
    containers: [...(pod.spec.initContainers ?? []), ...pod.spec.containers].map(({ name, resources }) => ({
      name,
      dynamicResources: (resources?.claims ?? []).flatMap((claim) => dynamicResource(pod, claim, dra)),
      devices: manager.allocations
        .filter((each) => each.podUid === pod.metadata.uid && each.container === name)
        .map(({ resource, deviceIds }) => ({ resourceName: resource, deviceIds })),
    })),
  })
  return serveGrpc(socketPath, {
    proto,
    service: 'v1.PodResourcesLister',
    handlers: {
      List: () => Promise.resolve({ podResources: pods().map(resourcesOf) }),
      GetAllocatableResources: () =>
        Promise.resolve({
          devices: [...manager.plugins].map(([resource, { devices }]) => ({
            resourceName: resource,
            deviceIds: devices.filter(({ health }) => health === 'Healthy').map(({ id }) => id),
          })),
        }),
      Get: async ({ podName, podNamespace }: { readonly podName: string; readonly podNamespace: string }) => {
        const pod = pods().find(({ metadata }) => metadata.name === podName && metadata.namespace === podNamespace)
        if (pod === undefined) throw new Error(`pod ${podName} in namespace ${podNamespace} not found`)
        return { podResources: resourcesOf(pod) }
      },
    },
  })
}

function dynamicResource(
  pod: Pod,
  { name, request = '' }: { readonly name: string; readonly request?: string },
  { claims }: DraManager,
): readonly object[] {
  const claim = claims.find(
    (each) => each.namespace === pod.metadata.namespace && each.name === claimNames(pod).get(name),
  )
  if (claim === undefined) return []
  const claimResources = devicesOf(claim, request).map(({ driver, poolName, deviceName, cdiDeviceIds }) => ({
    driverName: driver,
    poolName,
    deviceName,
    cdiDevices: cdiDeviceIds.map((id) => ({ name: id })),
  }))
  return [{ claimName: claim.name, claimNamespace: claim.namespace, claimResources }]
}
