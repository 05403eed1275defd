// The scheduler's view of objects beside nodes and pods, read from the caches that the cluster's loops share.

import { keyOf, type ResourceType } from '@aksel/api/resource'
import {
  csiDrivers,
  csiNodes,
  csiStorageCapacities,
  deviceClasses,
  namespaces,
  persistentVolumeClaims,
  persistentVolumes,
  podDisruptionBudgets,
  replicaSets,
  replicationControllers,
  resourceClaims,
  resourceSlices,
  services,
  statefulSets,
  storageClasses,
} from '@aksel/api/resources'
import type { PersistentVolume, Pod } from '@aksel/api/types/core-v1'
import type { LabelSelector } from '@aksel/api/types/meta-v1'
import type { PodDisruptionBudget } from '@aksel/api/types/policy-v1'
import type { Caches } from '@aksel/runtime/controller'
import { matchesLabels } from '@aksel/runtime/selectors'
import type { Objects } from './plugin.ts'

/** Everything that a decision may look at beside nodes and pods. */
export const lookedAt: readonly ResourceType[] = [
  namespaces,
  persistentVolumeClaims,
  persistentVolumes,
  storageClasses,
  csiNodes,
  csiDrivers,
  csiStorageCapacities,
  services,
  replicaSets,
  statefulSets,
  replicationControllers,
  podDisruptionBudgets,
  resourceClaims,
  resourceSlices,
  deviceClasses,
]

const BY_CLASS = 'scheduler/free-of-class'

export class ApiObjects implements Objects {
  readonly #caches: Caches
  /** Volumes that were chosen for a claim and do not show it yet, by name. */
  readonly #promised = new Map<string, string>()

  constructor(caches: Caches) {
    this.#caches = caches
    caches.of(persistentVolumes).addIndex(BY_CLASS, ({ spec, status }) => {
      const isFree = spec.claimRef === undefined && (status?.phase ?? 'Available') === 'Available'
      return isFree ? [spec.storageClassName ?? ''] : []
    })
  }

  /** The volume is chosen for this claim; undefined takes it back. */
  promise(volume: string, claim: string | undefined): void {
    if (claim === undefined) this.#promised.delete(volume)
    else this.#promised.set(volume, claim)
  }

  namespaceLabels(name: string): Readonly<Record<string, string>> {
    return this.#caches.of(namespaces).get(name)?.metadata.labels ?? {}
  }

  claim(key: string): ReturnType<Objects['claim']> {
    return this.#caches.of(persistentVolumeClaims).get(key)
  }

  volume(name: string): PersistentVolume | undefined {
    return this.#caches.of(persistentVolumes).get(name)
  }

  freeVolumes(storageClass: string): readonly PersistentVolume[] {
    const free = this.#caches.of(persistentVolumes).byIndex(BY_CLASS, storageClass)
    return this.#promised.size === 0 ? free : free.filter(({ metadata }) => !this.#promised.has(metadata.name))
  }

  storageClass(name: string): ReturnType<Objects['storageClass']> {
    return this.#caches.of(storageClasses).get(name)
  }

  csiNode(name: string): ReturnType<Objects['csiNode']> {
    return this.#caches.of(csiNodes).get(name)
  }

  csiDriver(name: string): ReturnType<Objects['csiDriver']> {
    return this.#caches.of(csiDrivers).get(name)
  }

  storageCapacities(storageClass: string): ReturnType<Objects['storageCapacities']> {
    return this.#caches
      .of(csiStorageCapacities)
      .list()
      .filter((each) => each.storageClassName === storageClass)
  }

  budgets(namespace: string): readonly PodDisruptionBudget[] {
    return this.#caches.of(podDisruptionBudgets).list(namespace)
  }

  get anyBudgets(): boolean {
    return this.#caches.of(podDisruptionBudgets).list().length > 0
  }

  /** The labels by which the pod's services select, and the selector of the set that owns it. */
  defaultSelector(pod: Pod): LabelSelector | undefined {
    const namespace = pod.metadata.namespace ?? ''
    const matchLabels: Record<string, string> = {}
    for (const { spec } of this.#caches.of(services).list(namespace)) {
      const selector = spec?.selector
      if (selector !== undefined && Object.keys(selector).length > 0 && matchesLabels(selector, pod.metadata.labels))
        Object.assign(matchLabels, selector)
    }
    const owned = this.#ownersSelector(pod)
    Object.assign(matchLabels, owned?.matchLabels)
    const matchExpressions = owned?.matchExpressions ?? []
    if (Object.keys(matchLabels).length === 0 && matchExpressions.length === 0) return undefined
    return { matchLabels, ...(matchExpressions.length === 0 ? {} : { matchExpressions }) }
  }

  #ownersSelector({ metadata }: Pod): LabelSelector | undefined {
    const owner = metadata.ownerReferences?.find(({ controller }) => controller === true)
    if (owner === undefined) return undefined
    const key = keyOf({
      metadata: { name: owner.name, ...(metadata.namespace === undefined ? {} : { namespace: metadata.namespace }) },
    })
    switch (`${owner.apiVersion} ${owner.kind}`) {
      case 'apps/v1 ReplicaSet':
        return this.#caches.of(replicaSets).get(key)?.spec?.selector
      case 'apps/v1 StatefulSet':
        return this.#caches.of(statefulSets).get(key)?.spec?.selector
      case 'v1 ReplicationController': {
        const matchLabels = this.#caches.of(replicationControllers).get(key)?.spec?.selector
        return matchLabels === undefined ? undefined : { matchLabels }
      }
      default:
        return undefined
    }
  }
}
