// What the scheduler knows of nodes and the pods on them, in slots and columns: kept current by changes, one pod at a time.

import { deepEqual } from '@aksel/api/deep-equal'
import { keyOf } from '@aksel/api/resource'
import type { Node, Pod } from '@aksel/api/types/core-v1'
import { amountsOf } from '../pod-resources.ts'
import { Templates, type PodTemplate } from '../template.ts'
import type { PodGroup } from './pod-groups.ts'
import { ResourceColumns } from './resource-columns.ts'
import { Topology, type HeldTerm } from './topology.ts'

/** A pod that counts on a node. Replaced as a whole when the pod changes. */
export interface StandingPod {
  readonly key: string
  readonly pod: Pod
  readonly template: PodTemplate
  readonly group: PodGroup
  readonly terms: readonly HeldTerm[]
  readonly priority: number
}

export interface NodeEntry {
  readonly name: string
  node: Node
  readonly pods: Map<string, StandingPod>
  /** `hostIP/protocol/port` of every host port in use. */
  readonly ports: Map<string, number>
}

export interface StateFacts {
  namespaceLabels(name: string): Readonly<Record<string, string>>
}

/** Told of pods that come to count on a node or cease to, for what is counted elsewhere. */
export type PodListener = (slot: number, pod: StandingPod, sign: 1 | -1) => void

const FIRST_CAPACITY = 64
/** How many changed slots are remembered one by one; who missed more looks at all. */
const JOURNAL_SIZE = 8192

export class ClusterState {
  readonly templates = new Templates()
  readonly resources = new ResourceColumns(FIRST_CAPACITY)
  readonly topology: Topology
  readonly nodes: (NodeEntry | undefined)[] = []
  capacity = FIRST_CAPACITY
  /** Grows with every change of a slot. */
  sequence = 0
  /** By slot: when its pods changed, and when the node itself did. */
  changedAt = new Float64Array(FIRST_CAPACITY)
  nodeChangedAt = new Float64Array(FIRST_CAPACITY)
  /** Grows when a node comes, goes or changes. */
  nodeSequence = 0
  readonly #journal = new Int32Array(JOURNAL_SIZE)
  readonly #slots = new Map<string, number>()
  readonly #free: number[] = []
  readonly #slotOfPod = new Map<string, number>()
  /** Pods on nodes that are not known (yet), by node name. */
  readonly #strays = new Map<string, Map<string, Pod>>()
  readonly #nodeOfStray = new Map<string, string>()
  readonly #listeners: PodListener[] = []

  constructor(facts: StateFacts) {
    this.topology = new Topology(FIRST_CAPACITY, {
      labelsOf: (slot) => {
        const entry = this.nodes[slot]
        return entry === undefined ? undefined : (entry.node.metadata.labels ?? {})
      },
      namespaceLabels: (name) => facts.namespaceLabels(name),
    })
  }

  /** Slots in use are below this; some of them may be empty. */
  get high(): number {
    return this.nodes.length
  }

  get nodeCount(): number {
    return this.#slots.size
  }

  slotOf(name: string): number | undefined {
    return this.#slots.get(name)
  }

  slotOfPod(key: string): number | undefined {
    return this.#slotOfPod.get(key)
  }

  onPod(listener: PodListener): void {
    this.#listeners.push(listener)
  }

  setNode(node: Node): void {
    const { name } = node.metadata
    const known = this.#slots.get(name)
    if (known === undefined) return this.#addNode(node)
    const entry = this.nodes[known]!
    const before = entry.node
    if (isSameForScheduling(before, node)) {
      entry.node = node
      return
    }
    this.#recount(known, entry, () => {
      entry.node = node
      this.topology.nodeChanged(known)
    })
    this.resources.setAllocatable(known, amountsOf(node.status?.allocatable))
    this.#touchNode(known)
  }

  removeNode(name: string): void {
    const slot = this.#slots.get(name)
    if (slot === undefined) return
    const entry = this.nodes[slot]!
    const pods = [...entry.pods.values()]
    for (const { key } of pods) this.removePod(key)
    this.nodes[slot] = undefined
    this.#slots.delete(name)
    this.#free.push(slot)
    this.topology.nodeChanged(slot)
    this.resources.setAllocatable(slot, {})
    this.#touchNode(slot)
    for (const { pod } of pods) this.#stray(name, pod)
  }

  /** A pod counts on the node that its spec, or the scheduler's assumption, names; a finished pod counts nowhere. */
  setPod(pod: Pod): void {
    const key = keyOf(pod)
    const nodeName = isTerminal(pod) ? '' : (pod.spec.nodeName ?? '')
    const slot = this.#slots.get(nodeName)
    const known = this.#slotOfPod.get(key)
    if (known !== undefined && known === slot && this.#isSame(slot, key, pod)) return
    this.removePod(key)
    if (nodeName === '') return
    if (slot === undefined) return this.#stray(nodeName, pod)
    this.attach(slot, this.standing(pod))
  }

  removePod(key: string): void {
    const slot = this.#slotOfPod.get(key)
    if (slot !== undefined) {
      const standing = this.nodes[slot]!.pods.get(key)!
      this.detach(slot, standing)
      for (const term of standing.terms) this.topology.release(term)
    }
    const stray = this.#nodeOfStray.get(key)
    if (stray === undefined) return
    this.#nodeOfStray.delete(key)
    this.#strays.get(stray)?.delete(key)
  }

  /** A pod as it would count; `release` its terms when it never came to. */
  standing(pod: Pod): StandingPod {
    const template = this.templates.of(pod)
    const { namespace, labels } = template
    const leaving = pod.metadata.deletionTimestamp !== undefined
    return {
      key: keyOf(pod),
      pod,
      template,
      group: this.topology.group({ namespace, labels, leaving }),
      terms: template.held.map((spec) => this.topology.hold(spec)),
      priority: pod.spec.priority ?? 0,
    }
  }

  attach(slot: number, standing: StandingPod): void {
    this.nodes[slot]!.pods.set(standing.key, standing)
    this.#slotOfPod.set(standing.key, slot)
    this.#count(slot, standing, 1)
  }

  /** The inverse of `attach`; the terms stay held. */
  detach(slot: number, standing: StandingPod): void {
    this.nodes[slot]!.pods.delete(standing.key)
    this.#slotOfPod.delete(standing.key)
    this.#count(slot, standing, -1)
  }

  /** Calls back for every slot that changed since; undefined when there were too many to know. */
  changedSince(sequence: number, visit: (slot: number) => void): boolean {
    if (this.sequence - sequence > JOURNAL_SIZE) return false
    for (let at = sequence; at < this.sequence; at += 1) visit(this.#journal[at % JOURNAL_SIZE]!)
    return true
  }

  #addNode(node: Node): void {
    const { name } = node.metadata
    const slot = this.#free.pop() ?? this.nodes.length
    if (slot >= this.capacity) this.#grow(this.capacity * 2)
    this.nodes[slot] = { name, node, pods: new Map(), ports: new Map() }
    this.#slots.set(name, slot)
    this.topology.nodeChanged(slot)
    this.resources.setAllocatable(slot, amountsOf(node.status?.allocatable))
    this.#touchNode(slot)
    const strays = this.#strays.get(name)
    if (strays === undefined) return
    this.#strays.delete(name)
    for (const [key, pod] of strays) {
      this.#nodeOfStray.delete(key)
      this.attach(slot, this.standing(pod))
    }
  }

  /** The same for scheduling: only the object is exchanged, and nothing is counted anew. */
  #isSame(slot: number, key: string, pod: Pod): boolean {
    const entry = this.nodes[slot]!
    const known = entry.pods.get(key)!
    const leaving = pod.metadata.deletionTimestamp !== undefined
    if (known.group.leaving !== leaving || known.priority !== (pod.spec.priority ?? 0)) return false
    if (this.templates.of(pod).key !== known.template.key) return false
    entry.pods.set(key, { ...known, pod })
    return true
  }

  #stray(nodeName: string, pod: Pod): void {
    const key = keyOf(pod)
    const strays = this.#strays.get(nodeName) ?? new Map<string, Pod>()
    this.#strays.set(nodeName, strays.set(key, pod))
    this.#nodeOfStray.set(key, nodeName)
  }

  #recount(slot: number, entry: NodeEntry, change: () => void): void {
    for (const { group, terms } of entry.pods.values()) this.topology.count(slot, group, terms, -1)
    change()
    for (const { group, terms } of entry.pods.values()) this.topology.count(slot, group, terms, 1)
  }

  #count(slot: number, standing: StandingPod, sign: 1 | -1): void {
    const { template, group, terms } = standing
    this.resources.count(slot, template, sign)
    this.topology.count(slot, group, terms, sign)
    if (template.ports.length > 0) countPorts(this.nodes[slot]!.ports, template.ports, sign)
    for (const listener of this.#listeners) listener(slot, standing, sign)
    this.touch(slot)
  }

  /** Something that is counted with this slot changed: what was worked out of it is void. */
  touch(slot: number): void {
    this.#journal[this.sequence % JOURNAL_SIZE] = slot
    this.sequence += 1
    this.changedAt[slot] = this.sequence
  }

  #touchNode(slot: number): void {
    this.touch(slot)
    this.nodeChangedAt[slot] = this.sequence
    this.nodeSequence += 1
  }

  #grow(capacity: number): void {
    this.capacity = capacity
    this.resources.grow(capacity)
    this.topology.grow(capacity)
    for (const name of ['changedAt', 'nodeChangedAt'] as const) {
      const larger = new Float64Array(capacity)
      larger.set(this[name])
      this[name] = larger
    }
  }
}

function countPorts(ports: Map<string, number>, used: readonly string[], sign: 1 | -1): void {
  for (const port of used) {
    const left = (ports.get(port) ?? 0) + sign
    if (left === 0) ports.delete(port)
    else ports.set(port, left)
  }
}

export function isTerminal(pod: Pod): boolean {
  return pod.status?.phase === 'Succeeded' || pod.status?.phase === 'Failed'
}

/** Heartbeats change a node too; only this is looked at. */
export function isSameForScheduling(left: Node, right: Node): boolean {
  return (
    deepEqual(left.metadata.labels, right.metadata.labels) &&
    deepEqual(left.spec, right.spec) &&
    deepEqual(left.status?.allocatable, right.status?.allocatable) &&
    deepEqual(left.status?.images, right.status?.images)
  )
}
