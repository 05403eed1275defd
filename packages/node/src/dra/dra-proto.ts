// How drivers of dynamic resources and the node speak. Both versions have the same messages; field numbers are the contract.

/** The package of each version that a driver may name as one it serves, the newest first. */
export const draServices: readonly { readonly version: string; readonly package: string }[] = [
  { version: 'v1.DRAPlugin', package: 'k8s.io.kubelet.pkg.apis.dra.v1' },
  { version: 'v1beta1.DRAPlugin', package: 'k8s.io.kubelet.pkg.apis.dra.v1beta1' },
]

export function draProto(name: string): string {
  return `
syntax = "proto3";
package ${name};
service DRAPlugin {
  rpc NodePrepareResources(NodePrepareResourcesRequest) returns (NodePrepareResourcesResponse);
  rpc NodeUnprepareResources(NodeUnprepareResourcesRequest) returns (NodeUnprepareResourcesResponse);
}
message Claim { string namespace = 1; string uid = 2; string name = 3; }
message NodePrepareResourcesRequest { repeated Claim claims = 1; }
message NodePrepareResourcesResponse { map<string, NodePrepareResourceResponse> claims = 1; }
message NodePrepareResourceResponse { repeated Device devices = 1; string error = 2; }
message Device {
  repeated string request_names = 1; string pool_name = 2; string device_name = 3; repeated string cdi_device_ids = 4;
}
message NodeUnprepareResourcesRequest { repeated Claim claims = 1; }
message NodeUnprepareResourcesResponse { map<string, NodeUnprepareResourceResponse> claims = 1; }
message NodeUnprepareResourceResponse { string error = 1; }
`
}

/** One device as its driver made it ready. */
export interface PreparedDevice {
  /** `REQUEST`, or `REQUEST/SUBREQUEST`. */
  readonly requestNames: readonly string[]
  readonly poolName: string
  readonly deviceName: string
  readonly cdiDeviceIds: readonly string[]
}
