// The labels, annotations and paths by which a pod is known to the container runtime. They are the kubelet's, so that
// tools find them, and they are all that an agent needs to take up its pods after a restart.

import { createHash } from 'node:crypto'
import { join } from 'node:path'
import type { Container, Pod } from '@aksel/api/types/core-v1'

export const podNameLabel = 'io.kubernetes.pod.name'
export const podNamespaceLabel = 'io.kubernetes.pod.namespace'
export const podUidLabel = 'io.kubernetes.pod.uid'
export const containerNameLabel = 'io.kubernetes.container.name'

export const hashAnnotation = 'io.kubernetes.container.hash'
/** Requests and limits that the container was made with, as JSON. */
export const resourcesAnnotation = 'aksel.dev/container.resources'
export const restartCountAnnotation = 'io.kubernetes.container.restartCount'
export const messagePathAnnotation = 'io.kubernetes.container.terminationMessagePath'
export const messagePolicyAnnotation = 'io.kubernetes.container.terminationMessagePolicy'
export const podGraceAnnotation = 'io.kubernetes.pod.terminationGracePeriod'
export const preStopAnnotation = 'io.kubernetes.container.preStopHandler'

/** What identifies a pod, with or without its object. */
export interface PodIdentity {
  readonly name: string
  readonly namespace: string
  readonly uid: string
}

export function identityOf(pod: Pod): PodIdentity {
  const { name, namespace, uid } = pod.metadata
  return { name, namespace: namespace ?? 'default', uid: uid ?? '' }
}

/** `web-0_shop(6f…)`: how messages name a pod. */
export function displayName({ name, namespace, uid }: PodIdentity): string {
  return `${name}_${namespace}(${uid})`
}

/** `<root>/shop_web-0_6f…`: where the runtime writes the pod's logs. */
export function podLogDirectory(root: string, { name, namespace, uid }: PodIdentity): string {
  return join(root, `${namespace}_${name}_${uid}`)
}

/** Below the pod's log directory: `web/3.log`. */
export function containerLogPath(name: string, attempt: number): string {
  return `${name}/${attempt}.log`
}

/**
 * Changes when the container must be made anew for its specification to take effect: with its image, as upstream; the
 * rest of a running container's specification cannot change.
 */
export function containerHash(container: Pick<Container, 'name' | 'image'>): string {
  return createHash('sha256').update(`${container.name}\u0000${container.image}`).digest('hex').slice(0, 8)
}

/** True for an init container that runs beside the others as long as the pod does. */
export function isSidecar(container: Container): boolean {
  return container.restartPolicy === 'Always'
}

/** Init containers, in order, then the others, then those that were added to look into the pod. */
export function allContainers(pod: Pod): readonly Container[] {
  return [...(pod.spec.initContainers ?? []), ...pod.spec.containers, ...(pod.spec.ephemeralContainers ?? [])]
}

/** `spec.containers{web}`: where in the pod an event points to. */
export function fieldPathOf(pod: Pod, name: string): string {
  const holds = (list: readonly { readonly name: string }[] | undefined): boolean =>
    list?.some((container) => container.name === name) === true
  const list = holds(pod.spec.initContainers) ? 'initContainers' : 'containers'
  return `spec.${holds(pod.spec.ephemeralContainers) ? 'ephemeralContainers' : list}{${name}}`
}
