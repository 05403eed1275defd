// Who a pod of a stateful set is: its ordinal, its names, its claims.

import { statefulSets } from '@aksel/api/resources'
import type { StatefulSet } from '@aksel/api/types/apps-v1'
import type { PersistentVolumeClaim, Pod, PodTemplateSpec, Volume } from '@aksel/api/types/core-v1'
import { isSame } from '../canonical.ts'
import { controllerReference } from '../owners.ts'

export const revisionLabel = 'controller-revision-hash'
export const podNameLabel = 'statefulset.kubernetes.io/pod-name'
export const podIndexLabel = 'apps.kubernetes.io/pod-index'

export function podName(set: StatefulSet, ordinal: number): string {
  return `${set.metadata.name}-${ordinal}`
}

/** -1 for a pod that is no member. */
export function ordinalOf(set: StatefulSet, name: string): number {
  const match = /^(.*)-(\d+)$/.exec(name)
  return match !== null && match[1] === set.metadata.name ? Number(match[2]) : -1
}

export function firstOrdinal({ spec }: StatefulSet): number {
  return spec.ordinals?.start ?? 0
}

export function isMember(set: StatefulSet, pod: Pod): boolean {
  return ordinalOf(set, pod.metadata.name) >= 0
}

export function claimName(set: StatefulSet, template: PersistentVolumeClaim, ordinal: number): string {
  return `${template.metadata.name}-${set.metadata.name}-${ordinal}`
}

/** The claims of one pod, as the set's templates ask for them. */
export function claimsOf(set: StatefulSet, ordinal: number): readonly PersistentVolumeClaim[] {
  return (set.spec.volumeClaimTemplates ?? []).map((template) => {
    const labels = { ...template.metadata.labels, ...set.spec.selector.matchLabels }
    const metadata = {
      ...template.metadata,
      name: claimName(set, template, ordinal),
      namespace: set.metadata.namespace!,
      labels,
    }
    return { metadata, spec: template.spec }
  })
}

export function newPod(set: StatefulSet, template: PodTemplateSpec, revision: string, ordinal: number): Pod {
  const name = podName(set, ordinal)
  const { annotations, finalizers, labels } = template.metadata ?? {}
  const spec = template.spec ?? { containers: [] }
  return {
    metadata: {
      name,
      generateName: `${set.metadata.name}-`,
      namespace: set.metadata.namespace!,
      labels: { ...labels, ...identityLabels(name, ordinal), [revisionLabel]: revision },
      ...(annotations === undefined ? {} : { annotations }),
      ...(finalizers === undefined ? {} : { finalizers }),
      ownerReferences: [controllerReference(statefulSets, set)],
    },
    spec: {
      ...spec,
      hostname: name,
      subdomain: set.spec.serviceName,
      volumes: volumesOf(set, ordinal, spec.volumes ?? []),
    },
  }
}

function identityLabels(name: string, ordinal: number): Readonly<Record<string, string>> {
  return { [podNameLabel]: name, [podIndexLabel]: String(ordinal) }
}

function volumesOf(set: StatefulSet, ordinal: number, others: readonly Volume[]): readonly Volume[] {
  const templates = set.spec.volumeClaimTemplates ?? []
  const claimed = templates.map((template) => ({
    name: template.metadata.name,
    persistentVolumeClaim: { claimName: claimName(set, template, ordinal), readOnly: false },
  }))
  const names = new Set(claimed.map(({ name }) => name))
  return [...claimed, ...others.filter(({ name }) => !names.has(name))]
}

/** The pod's labels with its identity in them; undefined when they have it already. */
export function missingIdentity(set: StatefulSet, pod: Pod): Readonly<Record<string, string>> | undefined {
  const ordinal = ordinalOf(set, pod.metadata.name)
  const labels = { ...pod.metadata.labels, ...identityLabels(pod.metadata.name, ordinal) }
  return isSame(labels, pod.metadata.labels) ? undefined : labels
}

export function revisionOfPod(pod: Pod): string | undefined {
  return pod.metadata.labels?.[revisionLabel]
}
