// Watches nodes' heartbeats: one that falls silent becomes Unknown, is tainted, and its pods count as not ready.

import { leases, nodes, pods } from '@aksel/api/resources'
import type { Lease } from '@aksel/api/types/coordination-v1'
import type { Node, Pod } from '@aksel/api/types/core-v1'
import { formatTime } from '@aksel/base/clock'
import { ignoreReason } from '@aksel/base/errors'
import type { Scope } from '@aksel/base/scope'
import type { Client } from '@aksel/client/client'
import { again, done } from '@aksel/runtime/controller'
import type { Cache, Controller, Outcome, Source } from '@aksel/runtime/controller'
import { writeStatus } from '../parts.ts'
import type { LoopParts } from '../parts.ts'
import { tell } from '../pod-control.ts'
import { isReady } from '../pod-facts.ts'
import { conditionOf, isEvicting, isNodeReady, judgeTaints, silencedConditions } from './health.ts'
import { defaultRates, zoneOf, Zones, type EvictionRates } from './zones.ts'

export const leaseNamespace = 'kube-node-lease'
export const podsOnNode = 'node-lifecycle/node'

export interface NodeLifecycleParts extends LoopParts {
  /** Reads leases, which the loop's own role does not name: the manager's client. Default: the loop's. */
  readonly reader?: Pick<Client, 'list'>
  /** How long a node may be silent. Default 40 s. */
  readonly gracePeriodMs?: number
  /** How fast pods are driven off; what is absent is upstream's default. */
  readonly rates?: Partial<EvictionRates>
}

/** For `Cache.addIndex`. */
export function nodeOfPod({ spec }: Pod): readonly string[] {
  return spec.nodeName === undefined ? [] : [spec.nodeName]
}

export function nodeLifecycleController(parts: NodeLifecycleParts): Controller {
  const loop = new NodeLifecycleLoop(parts)
  const own: Source<Node> = { type: nodes, keysOf: (now, before) => loop.keysOfNode(now, before) }
  const beats: Source<Lease> = {
    type: leases,
    keysOf: (now) => (now?.metadata.namespace === leaseNamespace ? [now.metadata.name] : []),
  }
  return {
    name: 'node-lifecycle',
    sources: [own, beats, { type: pods, keysOf: () => [] }],
    reconcile: (scope, key) => loop.reconcile(scope, key),
  }
}

/** The last sign of life of a node, and when it was seen on our clock. */
interface Sign {
  readonly uid: string
  readonly text: string
  readonly seenMs: number
}

class NodeLifecycleLoop {
  readonly #parts: NodeLifecycleParts
  readonly #graceMs: number
  readonly #nodes: Cache<Node>
  readonly #leases: Cache<Lease>
  readonly #pods: Cache<Pod>
  readonly #signs = new Map<string, Sign>()
  readonly #zones: Zones
  /** By zone: when pods of one of its nodes were last driven off, on our clock. */
  readonly #lastEvictionMs = new Map<string, number>()
  #wasCutOff = false

  constructor(parts: NodeLifecycleParts) {
    this.#parts = parts
    this.#graceMs = parts.gracePeriodMs ?? 40_000
    this.#zones = new Zones({ ...defaultRates, ...parts.rates })
    this.#nodes = parts.caches.of(nodes)
    this.#leases = parts.caches.of(leases)
    this.#pods = parts.caches.of(pods)
    this.#pods.addIndex(podsOnNode, nodeOfPod)
  }

  keysOfNode(now: Node | undefined, before: Node | undefined): readonly string[] {
    const { name } = (now ?? before)!.metadata
    if (!this.#zones.note(now, before)) return [name]
    // Whether, and how fast, pods are driven off silent nodes is another matter now.
    const silent = this.#nodes.list().filter((node) => !isNodeReady(node))
    return [name, ...silent.map(({ metadata }) => metadata.name)]
  }

  async reconcile(scope: Scope, key: string): Promise<Outcome> {
    const node = this.#nodes.get(key)
    if (node === undefined) {
      this.#forget(scope, key)
      return done
    }
    this.#noteReturn(scope)
    const silentMs = await this.#silence(scope, node)
    const isSilent = silentMs >= this.#graceMs
    const judged = isSilent ? await this.#silenced(scope, node) : node
    const { waitMs } = await this.#taint(scope, judged)
    if (!isNodeReady(judged)) await this.#unreadyPods(judged)
    const rechecks = [waitMs, isSilent ? 0 : this.#graceMs - silentMs].filter((ms) => ms > 0)
    return rechecks.length === 0 ? done : again(Math.min(...rechecks))
  }

  #forget(scope: Scope, name: string): void {
    const known = this.#signs.get(name)
    this.#signs.delete(name)
    if (known === undefined) return
    const gone = { metadata: { name, uid: known.uid }, spec: {} }
    this.#tell(scope, gone, 'RemovingNode', `Node ${name} event: Removing Node ${name} from Controller`)
  }

  /** After a time in which no node was seen alive, each has its whole grace again: it was more likely us than them. */
  #noteReturn(scope: Scope): void {
    const isCutOff = this.#zones.allDisrupted
    if (this.#wasCutOff && !isCutOff) {
      const seenMs = scope.clock.monotonicMs()
      for (const [name, sign] of this.#signs) this.#signs.set(name, { ...sign, seenMs })
    }
    this.#wasCutOff = isCutOff
  }

  /** Milliseconds since the node last gave a sign that we saw. */
  async #silence(scope: Scope, node: Node): Promise<number> {
    const { name, uid } = node.metadata
    const nowMs = scope.clock.monotonicMs()
    const known = this.#signs.get(name)
    const text = signOf(node, this.#leases.get(`${leaseNamespace}/${name}`))
    if (known === undefined || known.uid !== uid) {
      const isFirst = known === undefined
      this.#signs.set(name, { uid: uid!, text, seenMs: nowMs })
      if (isFirst)
        this.#tell(scope, node, 'RegisteredNode', `Node ${name} event: Registered Node ${name} in Controller`)
      return 0
    }
    if (known.text !== text) {
      this.#signs.set(name, { ...known, text, seenMs: nowMs })
      return 0
    }
    const silentMs = nowMs - known.seenMs
    if (silentMs < this.#graceMs || conditionOf(node, 'Ready')?.status === 'Unknown') return silentMs
    // Before a verdict the server is asked: this process may have been asleep, and its caches behind.
    const lease = await this.#leaseOf(name)
    const fresh = signOf(node, lease)
    if (fresh === text) return silentMs
    this.#signs.set(name, { ...known, text: fresh, seenMs: scope.clock.monotonicMs() })
    return 0
  }

  async #leaseOf(name: string): Promise<Lease | undefined> {
    const { client, reader = client } = this.#parts
    const found = await reader.list(leases, { namespace: leaseNamespace, fieldSelector: `metadata.name=${name}` })
    return found.items[0]
  }

  async #silenced(scope: Scope, node: Node): Promise<Node> {
    const conditions = silencedConditions(node, scope.clock.now())
    if (conditions === undefined) return node
    const wasReady = isNodeReady(node)
    const written = await writeStatus(this.#parts.client, nodes, node, { ...node.status, conditions })
    const { name } = node.metadata
    if (wasReady) this.#tell(scope, node, 'NodeNotReady', `Node ${name} status is now: NodeNotReady`)
    return written
  }

  /** Writes the taints; `waitMs` is set while another node's eviction has to be waited for. */
  async #taint(scope: Scope, node: Node): Promise<{ readonly waitMs: number }> {
    const isDown = !isNodeReady(node)
    const zone = zoneOf(node)
    const intervalMs = this.#zones.intervalMs(zone)
    const wantsEviction = isDown && intervalMs < Infinity
    const lastMs = this.#lastEvictionMs.get(zone)
    const pauseMs = lastMs === undefined ? 0 : lastMs + intervalMs - scope.clock.monotonicMs()
    const isBegun = isEvicting(node)
    // Where a zone is partly lost nobody new is driven off, and what was begun goes on.
    const mayEvict = isDown && !this.#zones.allDisrupted && (isBegun || (wantsEviction && pauseMs <= 0))
    const taints = judgeTaints(node, mayEvict, scope.clock.now())
    if (taints !== (node.spec?.taints ?? [])) {
      if (!(taints.length === 0 && node.spec?.taints === undefined)) await this.#writeTaints(node, taints)
      if (mayEvict && !isBegun) this.#lastEvictionMs.set(zone, scope.clock.monotonicMs())
    }
    return { waitMs: wantsEviction && !mayEvict ? pauseMs : 0 }
  }

  async #writeTaints(node: Node, taints: NonNullable<Node['spec']>['taints'] & {}): Promise<void> {
    const { uid, resourceVersion } = node.metadata
    const body = { metadata: { uid, resourceVersion }, spec: { taints: taints.length === 0 ? null : taints } }
    await this.#parts.client.patch(nodes, node.metadata, { kind: 'merge', body })
  }

  /** Nobody can say any more that its pods are ready: services must not send traffic there. */
  async #unreadyPods(node: Node): Promise<void> {
    if (conditionOf(node, 'Ready')?.status !== 'Unknown') return
    for (const pod of this.#pods.byIndex(podsOnNode, node.metadata.name)) {
      if (isReady(pod)) await this.#unready(pod, node)
    }
  }

  async #unready(pod: Pod, node: Node): Promise<void> {
    const lastTransitionTime = conditionOf(node, 'Ready')?.lastTransitionTime ?? formatTime(0)
    const conditions = (pod.status?.conditions ?? []).map((condition) =>
      condition.type === 'Ready' ? { ...condition, status: 'False', lastTransitionTime } : condition,
    )
    await ignoreReason('NotFound', writeStatus(this.#parts.client, pods, pod, { ...pod.status, conditions }))
  }

  #tell(scope: Scope, object: Node, reason: string, message: string): void {
    tell(scope, this.#parts.client, { type: nodes, object, source: 'node-controller' }, 'Normal', reason, message)
  }
}

/** What a living node changes: its lease, or the heartbeat in its status. */
function signOf(node: Node, lease: Lease | undefined): string {
  const ready = conditionOf(node, 'Ready')
  const heartbeat = ready?.status === 'Unknown' ? '' : (ready?.lastHeartbeatTime ?? '')
  return `${lease?.spec?.renewTime ?? ''}/${lease?.metadata.uid ?? ''}/${heartbeat}`
}
