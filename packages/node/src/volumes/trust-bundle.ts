// Trust anchors out of ClusterTrustBundles: one by name, or all of a signer that labels select, each certificate once. Pure; as the
// kubelet does it, in its words.

import { X509Certificate } from 'node:crypto'
import type { ClusterTrustBundle } from '@aksel/api/types/certificates-v1beta1'
import type { ClusterTrustBundleProjection } from '@aksel/api/types/core-v1'
import { matchesSelector } from '@aksel/runtime/selectors'

/** PEM. `known` is undefined where the API has none to read. Throws where what is named is missing and not optional. */
export function trustAnchors(
  known: readonly ClusterTrustBundle[] | undefined,
  source: Omit<ClusterTrustBundleProjection, 'path'>,
): string {
  if (known === undefined)
    throw new Error(
      'ClusterTrustBundles cannot be read: certificates.k8s.io/v1beta1 does not serve clustertrustbundles in this cluster',
    )
  const { name, signerName, labelSelector, optional = false } = source
  if (name !== undefined) {
    const found = known.filter(({ metadata }) => metadata.name === name)
    if (found.length === 0 && !optional)
      throw new Error(`while getting ClusterTrustBundle: clustertrustbundle.certificates.k8s.io "${name}" not found`)
    return normal(found)
  }
  if (signerName === undefined)
    throw new Error('clusterTrustBundle projection requires either name or signerName to be set')
  const found = known.filter(
    ({ spec, metadata }) => spec.signerName === signerName && matchesSelector(labelSelector, metadata.labels),
  )
  if (found.length === 0 && !optional)
    throw new Error('combination of signerName and labelSelector matched zero ClusterTrustBundles')
  return normal(found)
}

const block = /-----BEGIN CERTIFICATE-----[^-]*-----END CERTIFICATE-----/g

/** Their order means nothing, and is the same every time. */
function normal(bundles: readonly ClusterTrustBundle[]): string {
  const all = bundles.flatMap(({ spec }) => spec.trustBundle.match(block) ?? [])
  const anchors = new Map(all.map((pem) => new X509Certificate(pem)).map((one) => [one.raw.toString('hex'), one]))
  return [...anchors.keys()]
    .toSorted()
    .map((key) => anchors.get(key)!.toString())
    .join('')
}
