// One CSI driver that is registered on this node, and what it says it can do.

import type { Scope } from '@aksel/base/scope'
import { createGrpcClient } from '../containerd/grpc.ts'
import type { GrpcClient } from '../containerd/grpc.ts'
import { socketAddress } from '../plugins/socket-address.ts'
import { csiProto } from './csi-proto.ts'

export type NodeCapability =
  | 'STAGE_UNSTAGE_VOLUME'
  | 'GET_VOLUME_STATS'
  | 'EXPAND_VOLUME'
  | 'VOLUME_CONDITION'
  | 'SINGLE_NODE_MULTI_WRITER'
  | 'VOLUME_MOUNT_GROUP'

export interface NodeInfo {
  readonly nodeId: string
  /** 0 where the driver sets no bound. */
  readonly maxVolumesPerNode: number
  readonly accessibleTopology: { readonly segments: Readonly<Record<string, string>> } | null
}

/** As upstream: mounting may format a disk first. */
const CALL_TIMEOUT_MS = 2 * 60_000

export interface CsiDriver extends AsyncDisposable {
  readonly name: string
  readonly node: GrpcClient
  info(): Promise<NodeInfo>
  capabilities(): Promise<ReadonlySet<NodeCapability>>
}

export async function connectDriver(scope: Scope, name: string, endpoint: string): Promise<CsiDriver> {
  const address = await socketAddress(endpoint)
  const node = await createGrpcClient(scope, {
    socketPath: address.path,
    proto: [csiProto],
    service: 'csi.v1.Node',
    timeoutMs: CALL_TIMEOUT_MS,
  })
  return {
    name,
    node,
    info: () => node.unary<NodeInfo>('NodeGetInfo', {}),
    async capabilities() {
      const answer = await node.unary<{ capabilities: readonly { rpc: { type: NodeCapability } | null }[] }>(
        'NodeGetCapabilities',
        {},
      )
      return new Set(answer.capabilities.flatMap(({ rpc }) => (rpc === null ? [] : [rpc.type])))
    },
    async [Symbol.asyncDispose]() {
      node[Symbol.dispose]()
      await address[Symbol.asyncDispose]()
    },
  }
}
