// On which nodes a daemon set's pod should run, and the pod for a node.

import { daemonSets } from '@aksel/api/resources'
import type { DaemonSet } from '@aksel/api/types/apps-v1'
import type { Node, NodeSelector, Pod, Taint, Toleration } from '@aksel/api/types/core-v1'
import { matchesNode } from '@aksel/runtime/node-selectors'
import { matchesLabels } from '@aksel/runtime/selectors'
import { toleratesTaint } from '@aksel/runtime/tolerations'
import { podFromTemplate } from '../pod-control.ts'
import type { PodOwner } from '../pod-control.ts'

export const hashLabel = 'controller-revision-hash'
const generationLabel = 'pod-template-generation'
const generationAnnotation = 'deprecated.daemonset.template.generation'
const nodeNameField = 'metadata.name'

export interface Placement {
  readonly shouldRun: boolean
  /** A pod that is there already may stay: only a taint against new ones is in the way. */
  readonly mayStay: boolean
}

export function judgePlacement({ spec }: DaemonSet, node: Node): Placement {
  const template = spec.template?.spec
  const isNamed = (template?.nodeName ?? '') !== '' && template!.nodeName !== node.metadata.name
  const required = template?.affinity?.nodeAffinity?.requiredDuringSchedulingIgnoredDuringExecution
  const isSelected =
    matchesLabels(template?.nodeSelector ?? {}, node.metadata.labels) &&
    (required === undefined || matchesNode(required, node))
  if (isNamed || !isSelected) return { shouldRun: false, mayStay: false }
  const tolerations = withDaemonTolerations(template?.tolerations ?? [], template?.hostNetwork === true)
  const keepsOff = (taint: Taint): boolean => !tolerations.some((toleration) => toleratesTaint(toleration, taint))
  const taints = node.spec?.taints ?? []
  const isKeptOff = taints.some((taint) => taint.effect !== 'PreferNoSchedule' && keepsOff(taint))
  const isDrivenOff = taints.some((taint) => taint.effect === 'NoExecute' && keepsOff(taint))
  return { shouldRun: !isKeptOff, mayStay: !isDrivenOff }
}

const exists = (key: string, effect: string): Toleration => ({ key, operator: 'Exists', effect })

/** What every daemon tolerates: it belongs to the node, whatever its state. */
const daemonTolerations: readonly Toleration[] = [
  exists('node.kubernetes.io/not-ready', 'NoExecute'),
  exists('node.kubernetes.io/unreachable', 'NoExecute'),
  exists('node.kubernetes.io/disk-pressure', 'NoSchedule'),
  exists('node.kubernetes.io/memory-pressure', 'NoSchedule'),
  exists('node.kubernetes.io/pid-pressure', 'NoSchedule'),
  exists('node.kubernetes.io/unschedulable', 'NoSchedule'),
]

function withDaemonTolerations(own: readonly Toleration[], hostNetwork: boolean): readonly Toleration[] {
  const network = exists('node.kubernetes.io/network-unavailable', 'NoSchedule')
  const wanted = hostNetwork ? [...daemonTolerations, network] : daemonTolerations
  const isSame = (left: Toleration, right: Toleration): boolean =>
    left.key === right.key &&
    left.operator === right.operator &&
    left.effect === right.effect &&
    (left.value ?? '') === ''
  return [...own.filter((each) => !wanted.some((daemon) => isSame(each, daemon))), ...wanted]
}

/** The pod that the scheduler can put on this node alone. */
export function podForNode(set: DaemonSet, nodeName: string, hash: string): Pod {
  const owner: PodOwner = { type: daemonSets, object: set, source: 'daemonset-controller' }
  const pod = podFromTemplate(owner, set.spec.template)
  const generation = set.metadata.annotations?.[generationAnnotation]
  const labels = {
    ...pod.metadata.labels,
    ...(generation === undefined ? {} : { [generationLabel]: generation }),
    [hashLabel]: hash,
  }
  const affinity = {
    ...pod.spec.affinity,
    nodeAffinity: {
      ...pod.spec.affinity?.nodeAffinity,
      requiredDuringSchedulingIgnoredDuringExecution: onlyNode(nodeName),
    },
  }
  const tolerations = withDaemonTolerations(pod.spec.tolerations ?? [], pod.spec.hostNetwork === true)
  return { ...pod, metadata: { ...pod.metadata, labels }, spec: { ...pod.spec, affinity, tolerations } }
}

/** The loop has chosen the node by all that the template asks for: the name alone is left to say. */
function onlyNode(nodeName: string): NodeSelector {
  return { nodeSelectorTerms: [{ matchFields: [{ key: nodeNameField, operator: 'In', values: [nodeName] }] }] }
}

/** The node a daemon's pod runs on, or is meant for. */
export function targetNodeOf({ spec }: Pod): string | undefined {
  if ((spec.nodeName ?? '') !== '') return spec.nodeName
  const terms = spec.affinity?.nodeAffinity?.requiredDuringSchedulingIgnoredDuringExecution?.nodeSelectorTerms ?? []
  for (const { matchFields } of terms) {
    for (const { key, operator, values } of matchFields ?? []) {
      if (key === nodeNameField && operator === 'In' && values?.length === 1) return values[0]
    }
  }
  return undefined
}
