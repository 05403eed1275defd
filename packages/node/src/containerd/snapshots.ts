// Read-only views of images through containerd's native snapshot API: CRI of 1.6 mounts no images as volumes, so the
// agent does. A view is a root of containerd's garbage collection: its layers stay while it stands, whatever becomes of
// the image's name.

import type { Scope } from '@aksel/base/scope'
import { containerdProto } from './containerd-proto.ts'
import { createGrpcClient, isGrpcCode } from './grpc.ts'

/** As containerd tells how to make a file system appear. */
export interface SnapshotMount {
  readonly type: string
  readonly source: string
  readonly options: readonly string[]
}

export interface Snapshots extends Disposable {
  /** A view of a chain of layers, made once per key. Rejects with a GrpcError: `NotFound` where the layers are not there. */
  view(key: string, chainId: string): Promise<readonly SnapshotMount[]>
  /** Idempotent. */
  remove(key: string): Promise<void>
}

const TIMEOUT_MS = 60_000
const SNAPSHOTTER = 'overlayfs'

/** Connects with the first call. */
export async function createSnapshots(scope: Scope, options: { readonly socketPath: string }): Promise<Snapshots> {
  const client = await createGrpcClient(scope, {
    socketPath: options.socketPath,
    metadata: { 'containerd-namespace': 'k8s.io' },
    proto: containerdProto,
    service: 'containerd.services.snapshots.v1.Snapshots',
    timeoutMs: TIMEOUT_MS,
  })
  const common = { snapshotter: SNAPSHOTTER }
  return {
    async view(key, chainId) {
      const labels = { 'containerd.io/gc.root': new Date(scope.clock.now()).toISOString() }
      try {
        const request = { ...common, key, parent: chainId, labels }
        return (await client.unary<{ mounts: readonly SnapshotMount[] }>('View', request)).mounts
      } catch (error) {
        if (!isGrpcCode(error, 'AlreadyExists')) throw error
        return (await client.unary<{ mounts: readonly SnapshotMount[] }>('Mounts', { ...common, key })).mounts
      }
    },
    async remove(key) {
      try {
        await client.unary('Remove', { ...common, key })
      } catch (error) {
        if (!isGrpcCode(error, 'NotFound')) throw error
      }
    },
    [Symbol.dispose]: () => client[Symbol.dispose](),
  }
}
