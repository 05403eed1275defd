// Keeps the node's policy table as NetworkPolicies, pods and namespaces say, and holds a pod's first container back until
// its rules are in force.

import { namespaces, networkPolicies, nodes, pods } from '@aksel/api/resources'
import { keyOf, type KubernetesObject } from '@aksel/api/resource'
import type { Node, Pod } from '@aksel/api/types/core-v1'
import type { NetworkPolicyEngine } from '@aksel/provider/machine-provider'
import { sleep } from '@aksel/base/clock'
import type { Scope } from '@aksel/base/scope'
import type { Cache, Caches } from '@aksel/runtime/controller'
import type { PolicyName } from '../flows/hubble.ts'
import type { IpFamily } from '@aksel/base/ip-range'
import { familyOf } from '../nft/family.ts'
import { spawnedNft, type NftRunner } from '../nft/runner.ts'
import { renderTable } from '../nft/table.ts'
import { protocolOf } from './compile.ts'
import type { PolicyPod } from './groups.ts'
import type { Conversation } from './allowed-by.ts'
import { PolicyState } from './policy-state.ts'
import { policyTable } from './table.ts'

export interface NetworkPoliciesOptions {
  readonly caches: Caches
  readonly engine: NetworkPolicyEngine
  readonly nodeName: string
  /** Pods have addresses of both families: each has a table. */
  readonly ipv6?: boolean
  /** Where the node answers for cluster DNS: to policies, the pod that `k8s-app: kube-dns` selects in kube-system. */
  readonly clusterDns: string
  /** For single changes: an `InteractiveNft`. */
  readonly nft: NftRunner
  /** For loading the whole table; a program start in the caller's network namespace when absent. */
  readonly loader?: NftRunner
  /** Pods that have an address on this node as the agent starts: some may have been forced out of the API meanwhile. */
  readonly present?: () => Promise<readonly PresentPod[]>
  /** Called when the table is in force for the first time. */
  readonly onSynced?: () => void
}

/** A pod as the container runtime knows it. */
export interface PresentPod {
  readonly uid: string
  readonly namespace: string
  readonly labels: Readonly<Record<string, string>>
  readonly ips: readonly string[]
}

/** A pod with its addresses of all families. */
type Known = Omit<PolicyPod, 'ip'> & { readonly ips: readonly string[] }

const RETRY_MS = 1000

/** Makes no pod reachable that a policy shuts off: what cannot be put in force is tried again, and pods wait for it. */
export class NetworkPolicies {
  readonly #options: NetworkPoliciesOptions
  /** One of each family. */
  readonly #states: readonly { readonly family: IpFamily; readonly state: PolicyState }[]
  /** Pods that this agent has given an address, by uid. */
  readonly #own = new Map<string, Known>()
  /** Those of them whose rules are in force, with the addresses. */
  readonly #inForce = new Map<string, string>()
  readonly #waiters: (() => void)[] = []
  #isDirty = true
  #wake: () => void = () => {}

  constructor(options: NetworkPoliciesOptions) {
    this.#options = options
    const families: readonly IpFamily[] = options.ipv6 === true ? [4, 6] : [4]
    this.#states = families.map((family) => ({ family, state: new PolicyState(options.engine, family) }))
    this.#tellPod(DNS_POD, dnsPod(options.clusterDns))
  }

  /** Runs until the scope aborts. The table stays in force afterwards: an agent that restarts finds pods shut off. */
  async run(scope: Scope): Promise<void> {
    const { caches } = this.#options
    const [podCache, policyCache] = [caches.of(pods), caches.of(networkPolicies)]
    const [namespaceCache, nodeCache] = [caches.of(namespaces), caches.of(nodes)]
    const all: readonly { synced(signal: AbortSignal): Promise<void> }[] = [
      podCache,
      policyCache,
      namespaceCache,
      nodeCache,
    ]
    await Promise.all(all.map((cache) => cache.synced(scope.signal)))
    using _namespaces = this.#follow(namespaceCache, (key, now) =>
      this.#each(({ state }) => state.setNamespace(key, now && labelsOf(now))),
    )
    using _nodes = this.#follow(nodeCache, (key, now) =>
      this.#each(({ state, family }) => state.setNode(key, now && internalIp(now, family))),
    )
    using _pods = podCache.subscribe((now, before) => {
      this.#setPod(now, before)
      this.#mark()
    })
    using _policies = this.#follow(policyCache, (key, now) => this.#each(({ state }) => state.setPolicy(key, now)))
    scope.signal.addEventListener('abort', () => this.#wake(), { once: true })
    let loaded = false
    let known = false
    while (!scope.signal.aborted) {
      this.#isDirty = false
      const waiters = this.#waiters.splice(0)
      try {
        if (!known) await this.#meetPresent(podCache)
        known = true
        if (loaded)
          await this.#options.nft.apply(
            scope,
            this.#states.flatMap(({ state }) => state.takeChange()),
          )
        else await this.#load(scope)
        if (!loaded) this.#options.onSynced?.()
        loaded = true
        for (const resolve of waiters) resolve()
      } catch (error) {
        if (scope.signal.aborted) return
        this.#waiters.unshift(...waiters)
        scope.log.error('network policies could not be put in force, the whole table is loaded again', { error })
        loaded = false
        this.#isDirty = true
        await sleep(scope.clock, RETRY_MS, scope.signal).catch(() => {})
        continue
      }
      if (!this.#isDirty && !scope.signal.aborted) await new Promise<void>((resolve) => (this.#wake = resolve))
    }
  }

  /** Resolves when everything that policies say of this pod of the node is in force; rejects when the signal aborts. */
  async guard(pod: Pod, ips: readonly string[], signal: AbortSignal): Promise<void> {
    const uid = pod.metadata.uid ?? ''
    if (this.#inForce.get(uid) === ips.join()) return
    this.#own.set(uid, policyPod(pod, ips, true))
    this.#tellPod(uid, this.#own.get(uid))
    await this.settled(signal)
    this.#inForce.set(uid, ips.join())
  }

  /** Resolves when everything that is known now is in force; rejects when the signal aborts. */
  settled(signal?: AbortSignal): Promise<void> {
    return new Promise<void>((resolve, reject) => {
      if (signal?.aborted === true) return reject(signal.reason as Error)
      const onAbort = (): void => reject(signal!.reason as Error)
      signal?.addEventListener('abort', onAbort, { once: true })
      this.#waiters.push(() => {
        signal?.removeEventListener('abort', onAbort)
        resolve()
      })
      this.#mark()
    })
  }

  /** Resolves when denied packets are copied to the flow log, or no longer. */
  async logDenied(isOn: boolean, signal?: AbortSignal): Promise<void> {
    this.#each(({ state }) => state.logDenied(isOn))
    await this.settled(signal)
  }

  /** The policies that a denying chain stands for. */
  deniedBy(chain: string): readonly PolicyName[] {
    // Chains of one name stand for the same policies in each family.
    return this.#states[0]!.state.deniedBy(chain).map(nameOf)
  }

  /** The policies that let the conversation into a pod of this node, or out of it. */
  allowedBy(direction: 'ingress' | 'egress', conversation: Conversation): readonly PolicyName[] {
    const own = this.#states.find(({ family }) => family === familyOf(conversation.source))
    return own?.state.allowedBy(direction, conversation).map(nameOf) ?? []
  }

  /** Nothing of the pod is left on the node, or nothing that has an address. */
  release(uid: string): void {
    this.#inForce.delete(uid)
    if (!this.#own.delete(uid)) return
    this.#tellPod(uid, undefined)
    this.#mark()
  }

  /** Of its own pods the node knows better than the API: before their address is told, and after they were forced away. */
  #setPod(now: Pod | undefined, before: Pod | undefined): void {
    const { uid = '', labels = {} } = (now ?? before)!.metadata
    const own = this.#own.get(uid)
    if (own === undefined) this.#tellPod(uid, now && shownPod(now, this.#options.nodeName))
    else if (now !== undefined && hasEnded(now)) this.release(uid)
    else if (now !== undefined) this.#tellPod(uid, { ...own, labels })
  }

  /** Before the table is loaded: what an earlier agent has shut off stays shut off. */
  async #meetPresent(podCache: Cache<Pod>): Promise<void> {
    const told = new Map(podCache.list().map((pod) => [pod.metadata.uid ?? '', pod]))
    for (const { uid, ips, ...shown } of (await this.#options.present?.()) ?? []) {
      const pod = told.get(uid)
      // Its ports have gone with its object: rules that name one let nothing through to it.
      const known = pod === undefined ? { ...shown, ips, namedPorts: [], isLocal: true } : policyPod(pod, ips, true)
      if (this.#own.has(uid) || (pod !== undefined && hasEnded(pod))) continue
      this.#own.set(uid, known)
      this.#tellPod(uid, known)
    }
  }

  #follow<T extends KubernetesObject>(cache: Cache<T>, take: (key: string, now: T | undefined) => void): Disposable {
    return cache.subscribe((now, before) => {
      take(keyOf((now ?? before)!), now)
      this.#mark()
    })
  }

  #each(take: (of: { readonly family: IpFamily; readonly state: PolicyState }) => void): void {
    for (const one of this.#states) take(one)
  }

  /** Each family hears of the address that is of it. */
  #tellPod(uid: string, known: Known | undefined): void {
    this.#each(({ family, state }) => {
      const { ips, ...pod } = known ?? { ips: [] }
      const ip = ips.find((each) => familyOf(each) === family)
      state.setPod(uid, ip === undefined ? undefined : { ...(pod as Omit<Known, 'ips'>), ip })
    })
  }

  #mark(): void {
    this.#isDirty = true
    this.#wake()
  }

  async #load(scope: Scope): Promise<void> {
    const loader = this.#options.loader ?? spawnedNft()
    const tables = this.#states.map(({ family, state }) =>
      renderTable(policyTable(this.#options, family), state.takeAll()),
    )
    await loader.apply(scope, tables)
  }
}

const DNS_POD = 'kube-system/(cluster DNS)'

function dnsPod(ip: string): Known {
  return {
    namespace: 'kube-system',
    labels: { 'k8s-app': 'kube-dns' },
    ips: [ip],
    namedPorts: [
      { name: 'dns', protocol: 'udp', port: 53 },
      { name: 'dns-tcp', protocol: 'tcp', port: 53 },
    ],
    isLocal: false,
  }
}

/** Undefined for pods without an address of their own, and for those that have ended and given it back. */
function shownPod(pod: Pod, nodeName: string): Known | undefined {
  const { podIP, podIPs = podIP === undefined ? [] : [{ ip: podIP }] } = pod.status ?? {}
  if (pod.spec.hostNetwork === true || podIPs.length === 0) return undefined
  if (hasEnded(pod)) return undefined
  return policyPod(
    pod,
    podIPs.map(({ ip }) => ip),
    pod.spec.nodeName === nodeName,
  )
}

function hasEnded({ status }: Pod): boolean {
  return status?.phase === 'Succeeded' || status?.phase === 'Failed'
}

function policyPod(pod: Pod, ips: readonly string[], isLocal: boolean): Known {
  const sidecars = (pod.spec.initContainers ?? []).filter(({ restartPolicy }) => restartPolicy === 'Always')
  const namedPorts = [...pod.spec.containers, ...sidecars]
    .flatMap(({ ports = [] }) => ports)
    .filter(({ name }) => name !== undefined)
    .map(({ name, protocol, containerPort }) => ({ name: name!, protocol: protocolOf(protocol), port: containerPort }))
  const { namespace = '', labels = {} } = pod.metadata
  return { namespace, labels, ips, namedPorts, isLocal }
}

function labelsOf({ metadata }: KubernetesObject): Readonly<Record<string, string>> {
  return metadata.labels ?? {}
}

function internalIp({ status }: Node, family: IpFamily): string | undefined {
  const own = status?.addresses?.find(({ type, address }) => type === 'InternalIP' && familyOf(address) === family)
  return own?.address
}

function nameOf(key: string): PolicyName {
  const [namespace = '', name = ''] = key.split('/')
  return { name, namespace, kind: 'NetworkPolicy' }
}
