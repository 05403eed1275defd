// What a mirror pod may be: the shadow of a static pod of one node, that opens nothing to the node which it could not read before.

import type { Pod, PodSpec } from '@aksel/api/types/core-v1'

export const mirrorAnnotation = 'kubernetes.io/config.mirror'

/** Why a node may not create the pod, in upstream's words behind the node's name; undefined where it may. */
export function mirrorFault({ metadata, spec }: Pod, node: string): string | undefined {
  if (metadata.annotations?.[mirrorAnnotation] === undefined) return 'can only create mirror pods'
  if (spec?.nodeName !== node) return 'can only create pods with spec.nodeName set to itself'
  return ownerFault(metadata.ownerReferences ?? [], node) ?? referenceFault(spec)
}

function ownerFault(owners: NonNullable<Pod['metadata']['ownerReferences']>, node: string): string | undefined {
  const [owner, ...more] = owners
  if (more.length > 0) return 'can only create pods with a single owner reference set to itself'
  const { apiVersion, kind, name, controller, blockOwnerDeletion } = owner ?? {}
  if (apiVersion !== 'v1' || kind !== 'Node' || name !== node)
    return 'can only create pods with an owner reference set to itself'
  if (controller !== true) return 'can only create pods with a controller owner reference set to itself'
  return blockOwnerDeletion === true ? 'must not set blockOwnerDeletion on an owner reference' : undefined
}

/** By the field that leads there; wherever in the specification it stands. */
const references: Readonly<Record<string, string>> = {
  secret: 'secrets',
  secretRef: 'secrets',
  secretKeyRef: 'secrets',
  nodePublishSecretRef: 'secrets',
  imagePullSecrets: 'secrets',
  configMap: 'configmaps',
  configMapRef: 'configmaps',
  configMapKeyRef: 'configmaps',
  persistentVolumeClaim: 'persistentvolumeclaims',
  ephemeral: 'persistentvolumeclaims',
  resourceClaims: 'resourceclaims',
  clusterTrustBundle: 'clustertrustbundles',
  podCertificate: 'podcertificaterequests',
}
/** These have a secret's name as a text. */
const secretNames: ReadonlySet<string> = new Set(['azureFile'])

/** Why nobody may create it: what the shadow of a static pod refers to would never be given to it. In upstream's words. */
export function anyMirrorFault({ spec }: Pod): string | undefined {
  if ((spec?.serviceAccountName ?? '') !== '') return 'a mirror pod may not reference service accounts'
  return referencesIn(spec).has('secrets') ? 'a mirror pod may not reference secrets' : undefined
}

function referenceFault(spec: PodSpec): string | undefined {
  if ((spec.serviceAccountName ?? '') !== '') return 'can not create pods that reference a service account'
  const [what] = referencesIn(spec)
  return what === undefined ? undefined : `can not create pods that reference ${what}`
}

/** Kinds that are referred to, in the order in which they are met. */
function referencesIn(value: unknown, found = new Set<string>()): ReadonlySet<string> {
  if (typeof value !== 'object' || value === null) return found
  for (const [key, inner] of Object.entries(value)) {
    if (inner === undefined || inner === null || (Array.isArray(inner) && inner.length === 0)) continue
    if (Object.hasOwn(references, key)) found.add(references[key]!)
    else if (secretNames.has(key)) found.add('secrets')
    else referencesIn(inner, found)
  }
  return found
}
