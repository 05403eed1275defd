// Which nodes are not needed: little used, and all that runs on them finds a place elsewhere. Pure.

import type { Node, Pod } from '@aksel/api/types/core-v1'
import { amountsOf, requestOf } from '../pod-resources.ts'
import type { Picture } from './picture.ts'
import type { AutoscalerSettings } from './settings.ts'

const safeToEvict = 'cluster-autoscaler.kubernetes.io/safe-to-evict'
const scaleDownDisabled = 'cluster-autoscaler.kubernetes.io/scale-down-disabled'
const mirror = 'kubernetes.io/config.mirror'

/** What is known of a pod's disruption budgets. */
export interface BudgetFacts {
  /** Whether any budget covers the pod. */
  covers(pod: Pod): boolean
  /** Whether all of them let it go now. */
  allows(pod: Pod): boolean
}

export interface NodeFacts {
  readonly node: Node
  readonly pods: readonly Pod[]
}

export const isDaemon = ({ metadata }: Pod): boolean =>
  metadata.ownerReferences?.some(({ kind, controller }) => kind === 'DaemonSet' && controller === true) === true

const isMirror = ({ metadata }: Pod): boolean => metadata.annotations?.[mirror] !== undefined

/** Pods that have to go elsewhere when the node goes. */
export const movablePods = (pods: readonly Pod[]): readonly Pod[] =>
  pods.filter((pod) => !isDaemon(pod) && !isMirror(pod) && pod.metadata.deletionTimestamp === undefined)

/** The larger of what is asked of processors and of memory, as a share of what there is. */
export function utilization({ node, pods }: NodeFacts, settings: Pick<AutoscalerSettings, 'ignoreDaemonSets'>): number {
  const allocatable = amountsOf(node.status?.allocatable)
  const counted = settings.ignoreDaemonSets ? pods.filter((pod) => !isDaemon(pod)) : pods
  const share = (name: string): number => {
    const offered = allocatable[name] ?? 0
    const used = counted.reduce((sum, pod) => sum + (requestOf(pod)[name] ?? 0), 0)
    return offered === 0 ? 1 : used / offered
  }
  return Math.max(share('cpu'), share('memory'))
}

/** Why a node stays whatever its use; undefined where nothing keeps it. */
export function keptBy(
  { node, pods }: NodeFacts,
  budgets: BudgetFacts,
  settings: Pick<AutoscalerSettings, 'skipLocalStorage' | 'skipSystemPods'>,
): string | undefined {
  if (node.metadata.annotations?.[scaleDownDisabled] === 'true') return 'ScaleDownDisabledAnnotation'
  for (const pod of movablePods(pods)) {
    const why = podKeeps(pod, budgets, settings)
    if (why !== undefined) return `${why}: ${pod.metadata.namespace}/${pod.metadata.name}`
  }
  return undefined
}

function podKeeps(
  pod: Pod,
  budgets: BudgetFacts,
  settings: Pick<AutoscalerSettings, 'skipLocalStorage' | 'skipSystemPods'>,
): string | undefined {
  const said = pod.metadata.annotations?.[safeToEvict]
  if (said === 'false') return 'NotSafeToEvictAnnotation'
  if (said !== 'true') {
    if (!(pod.metadata.ownerReferences ?? []).some(({ controller }) => controller === true)) return 'NotReplicated'
    if (settings.skipSystemPods && pod.metadata.namespace === 'kube-system' && !budgets.covers(pod))
      return 'UnmovableKubeSystemPod'
    if (settings.skipLocalStorage && hasLocalStorage(pod)) return 'LocalStorageRequested'
  }
  return budgets.allows(pod) ? undefined : 'NotEnoughPdb'
}

function hasLocalStorage({ spec }: Pod): boolean {
  return (spec.volumes ?? []).some(
    (volume) => volume.hostPath !== undefined || (volume.emptyDir !== undefined && volume.emptyDir.medium !== 'Memory'),
  )
}

/**
 * The nodes that everything on this one would move to; undefined where something finds no place. If so the picture is as it was; if
 * not, it shows the pods moved.
 */
export function moveAway(picture: Picture, { node, pods }: NodeFacts): readonly string[] | undefined {
  picture.removeNode(node.metadata.name)
  const placed: Pod[] = []
  const destinations: string[] = []
  for (const pod of movablePods(pods)) {
    const destination = picture.place(pod)
    if (destination === undefined) {
      for (const each of placed) picture.removePod(each)
      picture.setNode(node)
      for (const each of pods) picture.setPod(each)
      return undefined
    }
    placed.push(pod)
    destinations.push(destination)
  }
  return destinations
}
