// Which pods a node may not do without: those of a system priority, and those that it was given by a file.

import type { Pod } from '@aksel/api/types/core-v1'

/** `api` where the API server sent the pod; `file` for one of the node's own manifests. */
export const configSourceAnnotation = 'kubernetes.io/config.source'
/** On a static pod's picture in the API: the hash of its manifest. */
export const mirrorAnnotation = 'kubernetes.io/config.mirror'

const SYSTEM_CRITICAL_PRIORITY = 2_000_000_000

export function isCriticalPod(pod: Pod): boolean {
  return isStaticPod(pod) || isMirrorPod(pod) || (pod.spec.priority ?? 0) >= SYSTEM_CRITICAL_PRIORITY
}

export function isStaticPod({ metadata }: Pod): boolean {
  const source = metadata.annotations?.[configSourceAnnotation]
  return source !== undefined && source !== 'api'
}

export function isMirrorPod({ metadata }: Pod): boolean {
  return metadata.annotations?.[mirrorAnnotation] !== undefined
}
