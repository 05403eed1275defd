// Which containers of this node have which devices, for monitors: the pod resources service, version v1.

import type { Pod } from '@aksel/api/types/core-v1'
import { serveGrpc } from '../plugins/grpc-server.ts'
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
message ContainerResources { string name = 1; repeated ContainerDevices devices = 2; repeated int64 cpu_ids = 3; }
message ContainerDevices { string resource_name = 1; repeated string device_ids = 2; }
message GetPodResourcesRequest { string pod_name = 1; string pod_namespace = 2; }
message GetPodResourcesResponse { PodResources pod_resources = 1; }
`

export interface PodResourcesFacts {
  readonly socketPath: string
  readonly manager: DeviceManager
  /** Those that have not come to an end. */
  readonly pods: () => readonly Pod[]
}

export function servePodResources({ socketPath, manager, pods }: PodResourcesFacts): Promise<AsyncDisposable> {
  const resourcesOf = (pod: Pod): object => ({
    name: pod.metadata.name,
    namespace: pod.metadata.namespace,
    containers: [...(pod.spec.initContainers ?? []), ...pod.spec.containers].map(({ name }) => ({
      name,
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
