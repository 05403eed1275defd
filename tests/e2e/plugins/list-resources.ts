// A monitor: prints what the pod resources service answers.

import * as grpc from '@grpc/grpc-js'
import protobuf from 'protobufjs'

const { root } = protobuf.parse(`
syntax = "proto3";
package v1;
message ListPodResourcesResponse { repeated PodResources pod_resources = 1; }
message PodResources { string name = 1; string namespace = 2; repeated ContainerResources containers = 3; }
message ContainerResources {
  string name = 1; repeated ContainerDevices devices = 2; repeated DynamicResource dynamic_resources = 5;
}
message DynamicResource { string claim_name = 2; string claim_namespace = 3; repeated ClaimResource claim_resources = 4; }
message ClaimResource { repeated CDIDevice cdi_devices = 1; string driver_name = 2; string pool_name = 3; string device_name = 4; }
message CDIDevice { string name = 1; }
message ContainerDevices { string resource_name = 1; repeated string device_ids = 2; }
message AllocatableResourcesResponse { repeated ContainerDevices devices = 1; }
`)
const client = new grpc.Client('unix:/var/lib/kubelet/pod-resources/kubelet.sock', grpc.credentials.createInsecure())
const ask = (method: string, type: string): Promise<object> =>
  new Promise((resolve, reject) =>
    client.makeUnaryRequest(
      `/v1.PodResourcesLister/${method}`,
      () => Buffer.alloc(0),
      (bytes) => root.lookupType(type).toObject(root.lookupType(type).decode(bytes)),
      {},
      (error, value) => (error === null ? resolve(value as object) : reject(error)),
    ),
  )
const listed = await ask('List', 'v1.ListPodResourcesResponse')
const allocatable = await ask('GetAllocatableResources', 'v1.AllocatableResourcesResponse')
console.log(JSON.stringify({ listed, allocatable }))
client.close()
