// What several detectors ask of a pod.

import type { Container, ContainerStatus, Pod } from '@aksel/api/types/core-v1'
import type { Subject } from './finding.ts'
import { podRef, type Picture } from './picture.ts'

export interface NamedContainer {
  readonly spec: Container
  readonly status: ContainerStatus
  readonly isInit: boolean
}

export function containersOf(pod: Pod): readonly NamedContainer[] {
  const join = (
    specs: readonly Container[] | undefined,
    statuses: readonly ContainerStatus[] | undefined,
    isInit: boolean,
  ): readonly NamedContainer[] =>
    (specs ?? []).flatMap((spec) => {
      const status = statuses?.find(({ name }) => name === spec.name)
      return status === undefined ? [] : [{ spec, status, isInit }]
    })
  return [
    ...join(pod.spec.initContainers, pod.status?.initContainerStatuses, true),
    ...join(pod.spec.containers, pod.status?.containerStatuses, false),
  ]
}

export function isOver({ status }: Pod): boolean {
  return status?.phase === 'Succeeded' || status?.phase === 'Failed'
}

export function isBeingDeleted({ metadata }: Pod): boolean {
  return metadata.deletionTimestamp !== undefined
}

export function isReady({ status }: Pod): boolean {
  return (status?.conditions ?? []).some(({ type, status: value }) => type === 'Ready' && value === 'True')
}

/** Pods that somebody still wants to run. */
export function wantedPods({ pods }: Picture): readonly Pod[] {
  return pods.filter((pod) => !isOver(pod) && !isBeingDeleted(pod))
}

/** What a user would change: the deployment of a pod rather than the pod. */
export function ownerOf(picture: Picture, pod: Pod): Subject {
  const owner = pod.metadata.ownerReferences?.find(({ controller }) => controller === true)
  if (owner === undefined) return podRef(pod)
  const { namespace } = pod.metadata
  const own: Subject = { kind: owner.kind, ...(namespace === undefined ? {} : { namespace }), name: owner.name }
  const above =
    owner.kind === 'ReplicaSet'
      ? picture.replicaSets.find(({ metadata }) => metadata.uid === owner.uid)
      : owner.kind === 'Job'
        ? picture.jobs.find(({ metadata }) => metadata.uid === owner.uid)
        : undefined
  const top = above?.metadata.ownerReferences?.find(({ controller }) => controller === true)
  return top === undefined ? own : { ...own, kind: top.kind, name: top.name }
}
