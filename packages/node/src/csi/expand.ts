// The node's part of making a volume larger: the file system follows the volume, and the claim is told.

import { persistentVolumeClaims } from '@aksel/api/resources'
import { quantityUnits } from '@aksel/base/quantity'
import type { Scope } from '@aksel/base/scope'
import type { Client } from '@aksel/client/client'
import type { GrpcClient } from '../containerd/grpc.ts'
import { claimHasGrown, isSmallerThan } from '../volumes/claim-growth.ts'
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
  if (volume.readOnly || !isSmallerThan(seen, wantedBytes)) return { mayGrow: true }
  // Another pod of the volume may have seen to it meanwhile.
  const { namespace = 'default', name } = seen.metadata
  const claim = await client.get(persistentVolumeClaims, { namespace, name })
  if (!isSmallerThan(claim, wantedBytes)) return { mayGrow: true }
  await node.unary('NodeExpandVolume', {
    volumeId: volume.handle,
    volumePath: request.volumePath,
    stagingTargetPath: request.stagingPath,
    capacityRange: { requiredBytes: wantedBytes },
    volumeCapability: request.capability,
    secrets: request.secrets,
  })
  scope.log.info('a volume has grown', { volume: volume.specName, bytes: wantedBytes })
  await claimHasGrown(client, claim, capacity)
  return { mayGrow: true }
}
