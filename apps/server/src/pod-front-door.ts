// Resource Manager and the token endpoint where the pods of a cluster reach them: at its API server's address of the fabric, with
// the API server's certificate, whose authority every pod has beside its token.

import type { FrontDoor } from '@aksel/arm/front-door'
import type { ClusterRecord } from './cluster-record.ts'

/** Beside the API server's 443 and the tunnel's 8132. */
const POD_PORT = 8443

/** With a slash at the end, as AKS writes it; undefined where no pod has a network. */
export function podAuthorityHost({ spec }: Pick<ClusterRecord, 'spec'>): string | undefined {
  return spec.fabricAddress === undefined ? undefined : `https://${spec.fabricAddress}:${POD_PORT}/`
}

/** Idempotent; with the certificate of now, where keys were rotated. */
export async function listenForPods(
  frontDoor: FrontDoor,
  { spec, serving, fork }: Pick<ClusterRecord, 'spec' | 'serving' | 'fork'>,
): Promise<void> {
  if (spec.fabricAddress === undefined || fork !== undefined) return
  const tls = { cert: serving.certificatePem, key: serving.keyPem }
  await frontDoor.listen({ host: spec.fabricAddress, port: POD_PORT, tls, alone: true })
}
