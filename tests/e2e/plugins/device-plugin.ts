// A device plug-in with three devices that are device nodes of any kernel; a file says which of them are ill.

import { existsSync, readFileSync, watch } from 'node:fs'
import * as grpc from '@grpc/grpc-js'
import { serve } from './plugin-server.ts'

const folder = '/var/lib/kubelet/device-plugins'
const resourceName = 'example.com/widget'
const nodes: Readonly<Record<string, string>> = { w0: '/dev/zero', w1: '/dev/full', w2: '/dev/null' }

const proto = `
syntax = "proto3";
package v1beta1;
service DevicePlugin {
  rpc GetDevicePluginOptions(Empty) returns (DevicePluginOptions) {}
  rpc ListAndWatch(Empty) returns (stream ListAndWatchResponse) {}
  rpc GetPreferredAllocation(PreferredAllocationRequest) returns (PreferredAllocationResponse) {}
  rpc Allocate(AllocateRequest) returns (AllocateResponse) {}
  rpc PreStartContainer(PreStartContainerRequest) returns (Empty) {}
}
message Empty {}
message DevicePluginOptions { bool pre_start_required = 1; bool get_preferred_allocation_available = 2; }
message Device { string ID = 1; string health = 2; }
message ListAndWatchResponse { repeated Device devices = 1; }
message PreferredRequest { repeated string available_deviceIDs = 1; repeated string must_include_deviceIDs = 2; int32 allocation_size = 3; }
message PreferredAllocationRequest { repeated PreferredRequest container_requests = 1; }
message PreferredResponse { repeated string deviceIDs = 1; }
message PreferredAllocationResponse { repeated PreferredResponse container_responses = 1; }
message ContainerAllocateRequest { repeated string devicesIDs = 1; }
message AllocateRequest { repeated ContainerAllocateRequest container_requests = 1; }
message Mount { string container_path = 1; string host_path = 2; bool read_only = 3; }
message DeviceSpec { string container_path = 1; string host_path = 2; string permissions = 3; }
message ContainerAllocateResponse {
  map<string, string> envs = 1; repeated Mount mounts = 2; repeated DeviceSpec devices = 3; map<string, string> annotations = 4;
}
message AllocateResponse { repeated ContainerAllocateResponse container_responses = 1; }
message PreStartContainerRequest { repeated string devicesIDs = 1; }
`

const options = { preStartRequired: true, getPreferredAllocationAvailable: true }
const senders = new Set<(answer: object) => void>()

const devices = (): object => {
  const ill = existsSync('/tmp/ill') ? readFileSync('/tmp/ill', 'utf8').split(/\s+/) : ['w2']
  return { devices: Object.keys(nodes).map((id) => ({ ID: id, health: ill.includes(id) ? 'Unhealthy' : 'Healthy' })) }
}

interface Preferred {
  readonly containerRequests: readonly {
    readonly availableDeviceIDs: readonly string[]
    readonly allocationSize: number
  }[]
}

interface Allocate {
  readonly containerRequests: readonly { readonly devicesIDs: readonly string[] }[]
}

await serve(`${folder}/widget.sock`, [
  {
    proto,
    service: 'v1beta1.DevicePlugin',
    streams: {
      ListAndWatch(send) {
        senders.add(send)
        send(devices())
      },
    },
    handlers: {
      GetDevicePluginOptions: () => options,
      // The last ones, so that it shows that the plug-in was asked.
      GetPreferredAllocation: ({ containerRequests }: Preferred) => ({
        containerResponses: containerRequests.map(({ availableDeviceIDs, allocationSize }) => ({
          deviceIDs: availableDeviceIDs.toSorted().slice(-allocationSize),
        })),
      }),
      Allocate: ({ containerRequests }: Allocate) => ({
        containerResponses: containerRequests.map(({ devicesIDs }) => ({
          envs: { WIDGETS: devicesIDs.join(',') },
          devices: devicesIDs.map((id) => ({
            containerPath: `/dev/widget-${id}`,
            hostPath: nodes[id],
            permissions: 'rw',
          })),
          mounts: [{ containerPath: '/widget/plugins', hostPath: folder, readOnly: true }],
        })),
      }),
      PreStartContainer: () => ({}),
    },
  },
])
// A file that does not exist cannot be watched; its folder can.
watch('/tmp', () => {
  for (const send of senders) send(devices())
})

const registration = `/v1beta1.Registration/Register`

/** By hand, as a generated client would write it: version, endpoint, resource name, options. */
function request(): Buffer {
  const text = (field: number, value: string): Buffer =>
    Buffer.concat([Buffer.from([(field << 3) | 2, value.length]), Buffer.from(value)])
  const wanted = Buffer.from([0x22, 4, 0x08, 1, 0x10, 1])
  return Buffer.concat([text(1, 'v1beta1'), text(2, 'widget.sock'), text(3, resourceName), wanted])
}

function register(): void {
  const client = new grpc.Client(`unix:${folder}/kubelet.sock`, grpc.credentials.createInsecure())
  client.makeUnaryRequest(
    registration,
    () => request(),
    () => ({}),
    {},
    (error) => {
      client.close()
      console.log(error === null ? 'serving' : JSON.stringify({ failed: 'Register', error: error.message }))
      if (error !== null) setTimeout(register, 500)
    },
  )
}

/** A node agent that restarts makes its socket anew, and knows no plug-in. */
watch(folder, (event, name) => {
  if (event === 'rename' && name === 'kubelet.sock' && existsSync(`${folder}/kubelet.sock`)) register()
})
register()
