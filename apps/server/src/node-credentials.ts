// What a machine needs to register as a node of a cluster: certificates of the cluster's authority, and where it is.

import type { Scope } from '@aksel/base/scope'
import type { NodeCredentials } from '@aksel/provider/cluster-engine'
import { renderKubeconfig } from '@aksel/runtime/kubeconfig'
import { issue } from '@aksel/runtime/pki'
import type { ClusterRecord } from './cluster-record.ts'

const CERTIFICATE_DAYS = 365

export async function issueNodeCredentials(
  scope: Scope,
  { authority, spec }: Pick<ClusterRecord, 'authority' | 'spec'>,
  server: string,
  node: { readonly name: string; readonly addresses: readonly string[] },
): Promise<NodeCredentials> {
  const commonName = `system:node:${node.name}`
  const [client, serving] = await Promise.all([
    issue(scope, authority, {
      commonName,
      organizations: ['system:nodes'],
      usages: ['client'],
      days: CERTIFICATE_DAYS,
    }),
    issue(scope, authority, {
      commonName,
      organizations: ['system:nodes'],
      dnsNames: [node.name],
      ipAddresses: node.addresses.filter((address) => address !== ''),
      usages: ['server'],
      days: CERTIFICATE_DAYS,
    }),
  ])
  const access = {
    server,
    caPem: authority.certificatePem,
    certPem: client.certificatePem,
    keyPem: client.keyPem,
  }
  return {
    kubeconfig: renderKubeconfig(access, { cluster: spec.name, user: commonName }),
    servingCertificate: serving.certificatePem,
    servingKey: serving.keyPem,
  }
}
