// What the scheduler knows of the nodes: kept current by changes, one pod at a time, so that no decision starts from zero.

import { keyOf } from '@aksel/api/resource'
import type { Node, Pod } from '@aksel/api/types/core-v1'
import { amountsOf, minus, plus, requestOf, scoringRequestOf, type Amounts } from './pod-resources.ts'

/** A node and what stands on it, assumed pods included. Mutable, owned by the snapshot. */
export class NodeState {
  node: Node
  allocatable: Amounts
  requested: Amounts = {}
  /** As requested, with upstream's guesses for containers that ask for nothing. */
  scoringRequested: Amounts = {}
  readonly pods = new Map<string, Pod>()
  /** `hostIP/protocol/port` of every host port in use. */
  readonly ports = new Map<string, number>()

  constructor(node: Node) {
    this.node = node
    this.allocatable = amountsOf(node.status?.allocatable)
  }

  setNode(node: Node): void {
    this.node = node
    this.allocatable = amountsOf(node.status?.allocatable)
  }

  add(key: string, pod: Pod): void {
    this.remove(key)
    this.pods.set(key, pod)
    this.requested = plus(this.requested, requestOf(pod))
    this.scoringRequested = plus(this.scoringRequested, scoringRequestOf(pod))
    for (const port of hostPortsOf(pod)) this.ports.set(port, (this.ports.get(port) ?? 0) + 1)
  }

  remove(key: string): void {
    const pod = this.pods.get(key)
    if (pod === undefined) return
    this.pods.delete(key)
    this.requested = minus(this.requested, requestOf(pod))
    this.scoringRequested = minus(this.scoringRequested, scoringRequestOf(pod))
    for (const port of hostPortsOf(pod)) {
      const left = (this.ports.get(port) ?? 1) - 1
      if (left === 0) this.ports.delete(port)
      else this.ports.set(port, left)
    }
  }
}

export function hostPortsOf(pod: Pod): readonly string[] {
  return [...(pod.spec.initContainers ?? []), ...pod.spec.containers].flatMap((container) =>
    (container.ports ?? []).flatMap((port) =>
      port.hostPort === undefined || port.hostPort === 0
        ? []
        : [
            `${port.hostIP === undefined || port.hostIP === '' ? '0.0.0.0' : port.hostIP}/${port.protocol ?? 'TCP'}/${port.hostPort}`,
          ],
    ),
  )
}

export function isTerminal(pod: Pod): boolean {
  return pod.status?.phase === 'Succeeded' || pod.status?.phase === 'Failed'
}

export class Snapshot {
  readonly nodes = new Map<string, NodeState>()
  /** Pods on nodes that are not known (yet), by node name. */
  readonly #strays = new Map<string, Map<string, Pod>>()
  /** Where each pod was counted. */
  readonly #nodeOfPod = new Map<string, string>()

  setNode(node: Node): void {
    const state = this.nodes.get(node.metadata.name)
    if (state !== undefined) return state.setNode(node)
    const fresh = new NodeState(node)
    for (const [key, pod] of this.#strays.get(node.metadata.name) ?? []) fresh.add(key, pod)
    this.#strays.delete(node.metadata.name)
    this.nodes.set(node.metadata.name, fresh)
  }

  removeNode(name: string): void {
    const state = this.nodes.get(name)
    if (state === undefined) return
    this.nodes.delete(name)
    if (state.pods.size > 0) this.#strays.set(name, new Map(state.pods))
  }

  /** A pod counts on the node that its spec, or the scheduler's assumption, names; a finished pod counts nowhere. */
  setPod(pod: Pod): void {
    const key = keyOf(pod)
    const nodeName = isTerminal(pod) ? undefined : pod.spec.nodeName
    const before = this.#nodeOfPod.get(key)
    if (before !== undefined && before !== nodeName) this.removePod(key)
    if (nodeName === undefined || nodeName === '') return
    this.#nodeOfPod.set(key, nodeName)
    const state = this.nodes.get(nodeName)
    if (state !== undefined) state.add(key, pod)
    else this.#strays.set(nodeName, (this.#strays.get(nodeName) ?? new Map<string, Pod>()).set(key, pod))
  }

  removePod(key: string): void {
    const nodeName = this.#nodeOfPod.get(key)
    if (nodeName === undefined) return
    this.#nodeOfPod.delete(key)
    this.nodes.get(nodeName)?.remove(key)
    this.#strays.get(nodeName)?.delete(key)
  }
}
