// What the cloud makes of a node: facts in, verdict out.

import type { Node, Taint } from '@aksel/api/types/core-v1'
import { isNodeReady } from '../node-lifecycle/health.ts'
import { shutdownTaint, uninitializedTaint, type CloudInstance } from './instances.ts'

export interface Initialized {
  readonly labels: Readonly<Record<string, string>>
  /** Absent where the node has one: nobody may change it. */
  readonly providerID?: string
  readonly taints: readonly Taint[]
}

export function isUninitialized({ spec }: Node): boolean {
  return (spec?.taints ?? []).some(({ key }) => key === uninitializedTaint)
}

/** As upstream's cloud node controller writes them: each under its old and its new name. */
export function initialized(node: Node, instance: CloudInstance): Initialized {
  const { providerId, instanceType, region, zone } = instance
  return {
    labels: {
      'beta.kubernetes.io/instance-type': instanceType,
      'node.kubernetes.io/instance-type': instanceType,
      'failure-domain.beta.kubernetes.io/region': region,
      'topology.kubernetes.io/region': region,
      'failure-domain.beta.kubernetes.io/zone': zone,
      'topology.kubernetes.io/zone': zone,
    },
    ...((node.spec?.providerID ?? '') === '' ? { providerID: providerId } : {}),
    taints: (node.spec?.taints ?? []).filter(({ key }) => key !== uninitializedTaint),
  }
}

export interface PowerVerdict {
  /** The taints as they should be; undefined where they are. */
  readonly taints: readonly Taint[] | undefined
  /** Its machine may be switched off without a word to us: to be asked again. */
  readonly isWatched: boolean
}

/** A silent node whose machine is off says so; one that came back does not. */
export function judgePower(node: Node, instance: CloudInstance | undefined): PowerVerdict {
  const taints = node.spec?.taints ?? []
  const isTainted = taints.some(({ key }) => key === shutdownTaint)
  const isReady = isNodeReady(node)
  const shouldBe = !isReady && (instance === undefined ? isTainted : instance.isShutDown)
  const isWatched = !isReady && instance !== undefined
  if (shouldBe === isTainted) return { taints: undefined, isWatched }
  const others = taints.filter(({ key }) => key !== shutdownTaint)
  return { taints: shouldBe ? [...others, { key: shutdownTaint, effect: 'NoSchedule' }] : others, isWatched }
}
