// The node's part of making a volume larger: the file system follows the volume, and the claim is told.

import { persistentVolumeClaims } from '@aksel/api/resources'
import type { PersistentVolumeClaim } from '@aksel/api/types/core-v1'
import { isReason } from '@aksel/base/errors'
import { quantityUnits } from '@aksel/base/quantity'
import type { Scope } from '@aksel/base/scope'
import type { Client } from '@aksel/client/client'
import type { GrpcClient } from '../containerd/grpc.ts'
import type { CsiVolume } from './csi-volume.ts'
import type { NodeCapability } from './driver.ts'

export interface ExpandRequest {
  readonly volume: CsiVolume
  readonly node: GrpcClient
  readonly capabilities: ReadonlySet<NodeCapability>
  readonly volumePath: string
  readonly stagingPath: string
  readonly capability: object
  readonly secrets: Readonly<Record<string, string>>
}

/** `mayGrow`: to be looked at again. */
export async function expandVolume(
  scope: Scope,
  { client }: { readonly client: Client },
  request: ExpandRequest,
): Promise<{ readonly mayGrow: boolean }> {
  const { volume, node, capabilities } = request
  const { claim: seen, capacity } = volume
  if (seen === undefined || capacity === undefined || !capabilities.has('EXPAND_VOLUME')) return { mayGrow: false }
  const wantedBytes = quantityUnits(capacity)
  if (volume.readOnly || !isSmaller(seen, wantedBytes)) return { mayGrow: true }
  // Another pod of the volume may have seen to it meanwhile.
  const { namespace = 'default', name } = seen.metadata
  const claim = await client.get(persistentVolumeClaims, { namespace, name })
  if (!isSmaller(claim, wantedBytes)) return { mayGrow: true }
  await node.unary('NodeExpandVolume', {
    volumeId: volume.handle,
    volumePath: request.volumePath,
    stagingTargetPath: request.stagingPath,
    capacityRange: { requiredBytes: wantedBytes },
    volumeCapability: request.capability,
    secrets: request.secrets,
  })
  scope.log.info('a volume has grown', { volume: volume.specName, bytes: wantedBytes })
  const conditions = (claim.status?.conditions ?? []).filter(
    ({ type }) => type !== 'FileSystemResizePending' && type !== 'Resizing',
  )
  const status = { ...claim.status, capacity: { ...claim.status?.capacity, storage: capacity }, conditions }
  try {
    await client.update(persistentVolumeClaims, { ...claim, status }, { subresource: 'status' })
  } catch (error) {
    // Somebody else wrote the claim: next time.
    if (!isReason(error, 'Conflict')) throw error
  }
  return { mayGrow: true }
}

function isSmaller(claim: PersistentVolumeClaim, bytes: number): boolean {
  const present = claim.status?.capacity?.['storage']
  return present !== undefined && quantityUnits(present) < bytes
}
