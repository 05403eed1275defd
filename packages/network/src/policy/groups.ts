// Groups of pods that rules name: each is a set of addresses, or of addresses with a named port, shared by all rules that
// mean the same pods.

import { createHash } from 'node:crypto'
import type { IpFamily } from '@aksel/base/ip-range'
import type { LabelSelector } from '@aksel/api/types/meta-v1'
import { matchesSelector, type Labels } from '@aksel/runtime/selectors'
import { wordsOf } from '../nft/family.ts'

export type Protocol = 'tcp' | 'udp' | 'sctp'

/** What policies see of a pod. Pods on the node's own network are none: their traffic is the node's. */
export interface PolicyPod {
  readonly namespace: string
  readonly labels: Labels
  readonly ip: string
  readonly namedPorts: readonly { readonly name: string; readonly protocol: Protocol; readonly port: number }[]
  /** On this node: policies are enforced where the pod is. */
  readonly isLocal: boolean
}

export interface GroupSpec {
  /** Pods of this namespace; absent where a namespace selector chooses. */
  readonly namespace?: string
  readonly namespaceSelector?: LabelSelector
  /** All pods when absent. */
  readonly podSelector?: LabelSelector
  /** The group holds `address . port` of the pods that have this port. */
  readonly port?: { readonly name: string; readonly protocol: Protocol }
}

export interface Group extends GroupSpec {
  /** Name of its set. */
  readonly name: string
}

export const everyPod: GroupSpec = { namespaceSelector: {} }

export function groupOf(spec: GroupSpec): Group {
  const { namespace, namespaceSelector, podSelector, port } = spec
  return { ...spec, name: `pods-${shortHash(JSON.stringify([namespace, namespaceSelector, podSelector, port]))}` }
}

export function groupType({ port }: GroupSpec, family: IpFamily = 4): string {
  const { address } = wordsOf(family)
  return port === undefined ? `type ${address};` : `type ${address} . inet_service;`
}

/** The elements that a pod has in a group; none where it does not belong to it. */
export function elementsOf(group: GroupSpec, pod: PolicyPod, namespaceLabels: Labels | undefined): readonly string[] {
  const { namespace, namespaceSelector, podSelector, port } = group
  if (namespaceSelector === undefined && namespace !== pod.namespace) return []
  if (
    namespaceSelector !== undefined &&
    (namespaceLabels === undefined || !matchesSelector(namespaceSelector, namespaceLabels))
  )
    return []
  if (podSelector !== undefined && !matchesSelector(podSelector, pod.labels)) return []
  if (port === undefined) return [pod.ip]
  return pod.namedPorts
    .filter(({ name, protocol }) => name === port.name && protocol === port.protocol)
    .map((found) => `${pod.ip} . ${found.port}`)
}

export function shortHash(text: string): string {
  return createHash('sha256').update(text).digest('hex').slice(0, 16)
}
