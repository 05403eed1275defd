// Everything policies say, kept so that a change of one pod, namespace or policy costs what it touches. What it holds is
// a table's content; what has changed since the kernel was told last is asked for as lines.

import type { LabelSelector } from '@aksel/api/types/meta-v1'
import type { NetworkPolicy } from '@aksel/api/types/networking-v1'
import type { NetworkPolicyEngine } from '@aksel/provider/machine-provider'
import type { IpFamily } from '@aksel/base/ip-range'
import { matchesSelector, type Labels } from '@aksel/runtime/selectors'
import { renderDifference, type TableContent } from '../nft/table.ts'
import { copyDenied } from '../flows/table.ts'
import { letsPass, type Conversation, type PolicyWorld } from './allowed-by.ts'
import { compilePolicy, type CompiledPolicy } from './compile.ts'
import { elementsOf, groupType, shortHash, type Group, type PolicyPod } from './groups.ts'
import { policyTableName } from './table.ts'

interface KnownPolicy {
  readonly policy: NetworkPolicy
  readonly namespace: string
  readonly podSelector: LabelSelector
  readonly compiled: CompiledPolicy
  readonly chain: string
}

interface KnownGroup {
  readonly group: Group
  readonly members: Map<string, readonly string[]>
  users: number
}

/** Names whose content differs from what the kernel was told. */
interface Dirty {
  readonly sets: Set<string>
  pods: boolean
}

type Content = Required<Omit<TableContent, 'objects'>>

const nothing: Content = { sets: new Map(), chains: new Map(), elements: new Map() }

export class PolicyState {
  readonly #engine: NetworkPolicyEngine
  readonly #family: IpFamily
  readonly #pods = new Map<string, PolicyPod>()
  readonly #podsOf = new Map<string, Set<string>>()
  /** Keys of pods by their address. */
  readonly #podAt = new Map<string, string>()
  readonly #namespaces = new Map<string, Labels>()
  readonly #policies = new Map<string, KnownPolicy>()
  readonly #groups = new Map<string, KnownGroup>()
  readonly #nodes = new Map<string, string>()
  readonly #dirty: Dirty = { sets: new Set(), pods: true }
  /** By the name of a chain that denies: the chains of the policies that it asks before. */
  readonly #selecting = new Map<string, readonly string[]>()
  #isLogging = false
  #told: Content = nothing

  /** Addresses that it is told are all of the family. */
  constructor(engine: NetworkPolicyEngine, family: IpFamily = 4) {
    this.#engine = engine
    this.#family = family
  }

  setPod(key: string, pod: PolicyPod | undefined): void {
    const before = this.#pods.get(key)
    if (before === undefined && pod === undefined) return
    if (pod === undefined) this.#pods.delete(key)
    else this.#pods.set(key, pod)
    if (before !== undefined && this.#podAt.get(before.ip) === key) this.#podAt.delete(before.ip)
    if (pod !== undefined) this.#podAt.set(pod.ip, key)
    const namespace = (pod ?? before)!.namespace
    const keys = this.#podsOf.get(namespace) ?? new Set()
    this.#podsOf.set(namespace, keys)
    if (pod === undefined) keys.delete(key)
    else keys.add(key)
    for (const known of this.#groups.values()) this.#place(known, key, pod)
    if (before?.isLocal === true || pod?.isLocal === true) this.#dirty.pods = true
  }

  /** Labels of a namespace; undefined once it is gone. */
  setNamespace(name: string, labels: Labels | undefined): void {
    if (labels === undefined) this.#namespaces.delete(name)
    else this.#namespaces.set(name, labels)
    for (const known of this.#groups.values()) {
      if (known.group.namespaceSelector === undefined) continue
      for (const key of this.#podsOf.get(name) ?? []) this.#place(known, key, this.#pods.get(key))
    }
  }

  setNode(name: string, address: string | undefined): void {
    if (address === undefined) this.#nodes.delete(name)
    else this.#nodes.set(name, address)
    this.#dirty.sets.add('nodes')
  }

  setPolicy(key: string, policy: NetworkPolicy | undefined): void {
    const before = this.#policies.get(key)
    if (policy === undefined) this.#policies.delete(key)
    else {
      const compiled = compilePolicy(policy, this.#engine, this.#family)
      const { podSelector } = policy.spec
      const namespace = policy.metadata.namespace!
      this.#policies.set(key, { policy, namespace, podSelector, compiled, chain: shortHash(key) })
      for (const group of compiled.groups) this.#join(group)
    }
    for (const group of before?.compiled.groups ?? []) this.#leave(group)
    this.#dirty.pods = true
  }

  /** Whether what is denied is copied to the flow log first. */
  logDenied(isOn: boolean): void {
    if (this.#isLogging === isOn) return
    this.#isLogging = isOn
    this.#dirty.pods = true
  }

  /** Keys of the policies that a denying chain stands for. */
  deniedBy(name: string): readonly string[] {
    const chains = new Set((this.#selecting.get(name) ?? []).map((chain) => chain.replace(/^\w+-/, '')))
    return [...this.#policies].filter(([, { chain }]) => chains.has(chain)).map(([key]) => key)
  }

  /** Keys of the policies that let the conversation into a pod of this node, or out of it; none where nothing restricts it. */
  allowedBy(direction: 'ingress' | 'egress', conversation: Conversation): readonly string[] {
    const own = this.#at(direction === 'ingress' ? conversation.destination : conversation.source)
    if (own?.isLocal !== true) return []
    const nodes = new Set(this.#nodes.values())
    const world: PolicyWorld = {
      engine: this.#engine,
      podAt: (address) => this.#at(address),
      isNode: (address) => nodes.has(address),
      namespaceLabels: (name) => this.#namespaces.get(name),
    }
    return [...this.#policies].flatMap(([key, { policy, namespace, podSelector, compiled }]) => {
      if (namespace !== own.namespace || compiled[direction] === undefined) return []
      if (!matchesSelector(podSelector, own.labels)) return []
      return letsPass(policy, direction, conversation, world) ? [key] : []
    })
  }

  #at(address: string): PolicyPod | undefined {
    const key = this.#podAt.get(address)
    return key === undefined ? undefined : this.#pods.get(key)
  }

  /** Lines of one transaction that bring the kernel from what it was told last to what holds now. */
  takeChange(): readonly string[] {
    const { sets, pods } = this.#dirty
    const before = pods ? this.#told : only(this.#told, sets)
    const now = this.#content(pods ? undefined : sets)
    this.#told = pods ? now : merged(this.#told, now, sets)
    this.#dirty.sets.clear()
    this.#dirty.pods = false
    return renderDifference(policyTableName(this.#family), before, now)
  }

  /** Everything, for loading the table from nothing; counts as told. */
  takeAll(): TableContent {
    this.#dirty.sets.clear()
    this.#dirty.pods = false
    return (this.#told = this.#content(undefined))
  }

  /** With `names`, only the elements of those sets. */
  #content(names: ReadonlySet<string> | undefined): Content {
    const elements = new Map<string, ReadonlyMap<string, string>>()
    for (const name of names ?? ['nodes', ...this.#groups.keys()]) {
      if (name === 'nodes') elements.set(name, rows(this.#nodes.values()))
      else if (this.#groups.has(name)) elements.set(name, rows([...this.#groups.get(name)!.members.values()].flat()))
    }
    if (names !== undefined) return { ...nothing, elements }
    const sets = new Map([...this.#groups].map(([name, { group }]) => [name, groupType(group, this.#family)]))
    const chains = new Map<string, readonly string[]>()
    this.#selecting.clear()
    for (const { compiled, chain } of this.#policies.values()) {
      if (compiled.ingress !== undefined) chains.set(`ingress-${chain}`, compiled.ingress)
      if (compiled.egress !== undefined) chains.set(`egress-${chain}`, compiled.egress)
    }
    const restricted = { ingress: new Map<string, string>(), egress: new Map<string, string>() }
    const self = new Map<string, string>()
    for (const pod of this.#pods.values()) {
      if (!pod.isLocal) continue
      for (const direction of ['ingress', 'egress'] as const) {
        const verdict = this.#restrict(pod, direction, chains)
        if (verdict !== undefined) restricted[direction].set(pod.ip, verdict)
      }
      if (restricted.ingress.has(pod.ip) || restricted.egress.has(pod.ip)) self.set(`${pod.ip} . ${pod.ip}`, '')
    }
    elements.set('ingress', restricted.ingress).set('egress', restricted.egress).set('self', self)
    return { sets, chains, elements }
  }

  /** The chain of exactly the policies that select the pod, shared by all pods that the same ones select. */
  #restrict(
    pod: PolicyPod,
    direction: 'ingress' | 'egress',
    chains: Map<string, readonly string[]>,
  ): string | undefined {
    const selecting: string[] = []
    for (const { namespace, podSelector, compiled, chain } of this.#policies.values()) {
      if (namespace !== pod.namespace || compiled[direction] === undefined) continue
      if (matchesSelector(podSelector, pod.labels)) selecting.push(`${direction}-${chain}`)
    }
    if (selecting.length === 0) return undefined
    const name = `any-${direction}-${shortHash(selecting.join())}`
    this.#selecting.set(name, selecting)
    const logged = this.#isLogging ? [copyDenied(name)] : []
    chains.set(name, [...selecting.map((chain) => `jump ${chain}`), ...logged, `goto deny-${direction}`])
    return `goto ${name}`
  }

  #join(group: Group): void {
    const known = this.#groups.get(group.name)
    if (known !== undefined) {
      known.users += 1
      return
    }
    const fresh: KnownGroup = { group, members: new Map(), users: 1 }
    this.#groups.set(group.name, fresh)
    for (const [key, pod] of this.#pods) this.#place(fresh, key, pod)
  }

  #leave(group: Group): void {
    const known = this.#groups.get(group.name)!
    known.users -= 1
    if (known.users === 0) this.#groups.delete(group.name)
  }

  #place({ group, members }: KnownGroup, key: string, pod: PolicyPod | undefined): void {
    const elements = pod === undefined ? [] : elementsOf(group, pod, this.#namespaces.get(pod.namespace))
    const before = members.get(key) ?? []
    if (before.join() === elements.join()) return
    if (elements.length === 0) members.delete(key)
    else members.set(key, elements)
    this.#dirty.sets.add(group.name)
  }
}

function rows(keys: Iterable<string>): ReadonlyMap<string, string> {
  return new Map([...keys].map((key) => [key, '']))
}

function only({ elements }: Content, names: ReadonlySet<string>): Content {
  return { ...nothing, elements: new Map([...elements].filter(([name]) => names.has(name))) }
}

function merged(before: Content, change: Content, names: ReadonlySet<string>): Content {
  const elements = new Map(before.elements)
  for (const name of names) {
    const now = change.elements.get(name)
    if (now !== undefined) elements.set(name, now)
  }
  return { ...before, elements }
}
