// Resource Manager and the token endpoint where the pods of a cluster reach them: at its API server's address of the fabric, with
// the API server's certificate, whose authority every pod has beside its token. Machines prove themselves there by their nodes' certificates.

import type { FrontDoor } from '@aksel/arm/front-door'
import { FRONT_DOOR_PORT } from '@aksel/provider/instance-metadata'
import type { ClusterRecord } from './cluster-record.ts'

/** With a slash at the end, as AKS writes it; undefined where no pod has a network. */
export function podAuthorityHost({ spec }: Pick<ClusterRecord, 'spec'>): string | undefined {
  return spec.fabricAddress === undefined ? undefined : `https://${spec.fabricAddress}:${FRONT_DOOR_PORT}/`
}

/** Idempotent; with the certificate of now, where keys were rotated. */
export async function listenForPods(
  frontDoor: FrontDoor,
  { spec, serving, authority, fork }: Pick<ClusterRecord, 'spec' | 'serving' | 'authority' | 'fork'>,
): Promise<void> {
  if (spec.fabricAddress === undefined || fork !== undefined) return
  const machines = { clusterId: spec.id, authorityPem: authority.certificatePem }
  const tls = { cert: serving.certificatePem, key: serving.keyPem, machines }
  await frontDoor.listen({ host: spec.fabricAddress, port: FRONT_DOOR_PORT, tls, alone: true })
}
