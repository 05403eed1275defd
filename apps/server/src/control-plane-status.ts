// A control plane's record as those above the engine see it.

import { noRotations, openAccess, type ControlPlaneStatus } from '@aksel/provider/cluster-engine'
import type { ClusterRecord } from './cluster-record.ts'

/** Where it is reached, which the record alone does not say. */
export interface Reached {
  readonly localUrl: string
  readonly nodeUrl: string
  readonly tunnelSocket: string
  readonly failure: string | undefined
}

export function statusOf(record: ClusterRecord, { failure, ...reached }: Reached): ControlPlaneStatus {
  return {
    id: record.spec.id,
    state: record.state,
    ...(failure === undefined ? {} : { failure }),
    kubernetesVersion: record.spec.kubernetesVersion,
    rotations: record.rotations ?? noRotations,
    access: record.access ?? openAccess,
    ...(record.entra === undefined ? {} : { entra: record.entra }),
    ...reached,
    certificateAuthority: record.authority.certificatePem,
  }
}
