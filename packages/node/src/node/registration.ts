// Makes the node known to the cluster and keeps it so: its object, its status, its lease.

import { isDeepStrictEqual } from 'node:util'
import { leases, nodes } from '@aksel/api/resources'
import type { Lease } from '@aksel/api/types/coordination-v1'
import type { Node, NodeStatus } from '@aksel/api/types/core-v1'
import { anySignal } from '@aksel/base/any-signal'
import { formatMicroTime, sleep } from '@aksel/base/clock'
import { ignoreReason, isReason } from '@aksel/base/errors'
import type { Scope } from '@aksel/base/scope'
import type { Client } from '@aksel/client/client'
import { recordEvent } from '@aksel/runtime/event-recorder'
import type { ContainerRuntime, ImageEntry } from '../cri/types.ts'
import { labelsOf, newNode, newsOf, nodeStatus } from './node-object.ts'
import type { NodeDescription, NodeFacts } from './node-object.ts'

const LEASE_MS = 40_000
const RENEW_MS = 10_000
const RENEW_TRIES = 5
/** An unchanged status is written anew after this time. */
const HEARTBEAT_MS = 5 * 60_000
const RETRY_MS_MAX = 7000

/** What the node says of itself beside what the runtime says. */
export type NodeState = Pick<NodeFacts, 'pressure' | 'isShuttingDown' | 'devices'>

export class NodeRegistration {
  readonly #scope: Scope
  readonly #client: Client
  readonly #runtime: ContainerRuntime
  readonly #node: NodeDescription
  readonly #state: () => NodeState
  #poked = new AbortController()
  #lastStatus: NodeStatus | undefined
  #writtenAtMs = 0
  #lease: Lease | undefined

  constructor(
    scope: Scope,
    client: Client,
    runtime: ContainerRuntime,
    node: NodeDescription,
    state: () => NodeState = () => ({ pressure: new Set(), isShuttingDown: false }),
  ) {
    this.#scope = scope
    this.#client = client
    this.#runtime = runtime
    this.#node = node
    this.#state = state
  }

  /** Something of the status has changed: it is written now. */
  tell(): void {
    this.#poked.abort()
  }

  /** Resolves when the node stands in the API with a status; goes on trying until the scope aborts. */
  async register(): Promise<void> {
    const { clock, signal, log } = this.#scope
    for (let waitMs = 100; ; waitMs = Math.min(RETRY_MS_MAX, waitMs * 2)) {
      try {
        await this.#ensureNode()
        await this.#writeStatus()
        await this.#renew()
        log.info('node registered', { node: this.#node.name })
        return
      } catch (error) {
        if (signal.aborted) throw error
        log.warn('registration failed', { error, waitMs })
        await sleep(clock, waitMs, signal)
      }
    }
  }

  /** Renews the lease and the status until the scope aborts. */
  async keep(): Promise<void> {
    const { clock, signal, log } = this.#scope
    while (!signal.aborted) {
      await sleep(clock, RENEW_MS, anySignal([signal, this.#poked.signal])).catch(() => {})
      if (signal.aborted) return
      this.#poked = new AbortController()
      // The lease first: it alone says that the node is alive.
      await this.#renew().catch((error: unknown) => log.warn('the lease was not renewed', { error }))
      await this.#writeStatus().catch((error: unknown) => log.warn('the node status was not written', { error }))
    }
  }

  /** Writes the status now, once. */
  announce(): Promise<void> {
    return this.#writeStatus()
  }

  async #ensureNode(): Promise<void> {
    try {
      await this.#client.create(nodes, newNode(this.#node))
    } catch (error) {
      if (!isReason(error, 'AlreadyExists')) throw error
      await this.#reconcile(await this.#client.get(nodes, { name: this.#node.name }))
    }
  }

  /** Labels that the node is known by follow its options; taints are the cluster's after the first registration. */
  async #reconcile(found: Node): Promise<void> {
    const labels = { ...found.metadata.labels, ...labelsOf(this.#node) }
    if (isDeepStrictEqual(labels, found.metadata.labels)) return
    await this.#client.patch(nodes, { name: this.#node.name }, { kind: 'merge', body: { metadata: { labels } } })
  }

  async #writeStatus(): Promise<void> {
    const { clock } = this.#scope
    const found = await this.#client.get(nodes, { name: this.#node.name })
    const status = nodeStatus(this.#node, {
      nowMs: clock.now(),
      before: found.status,
      ...this.#state(),
      ...(await this.#runtimeFacts()),
    })
    const isOld = clock.monotonicMs() - this.#writtenAtMs > HEARTBEAT_MS
    if (!isOld && this.#lastStatus !== undefined && isSame(this.#lastStatus, status)) return
    const written = await this.#client.update(nodes, { ...found, status }, { subresource: 'status' })
    this.#lastStatus = status
    this.#writtenAtMs = clock.monotonicMs()
    for (const reason of newsOf(found.status, status)) this.#tellOf(reason)
    const ready = written.status?.conditions?.find(({ type }) => type === 'Ready')
    this.#scope.log.debug('node status written', { ready: ready?.status })
  }

  #tellOf(reason: string): void {
    const { name } = this.#node
    void recordEvent(this.#scope, this.#client, {
      // As upstream: the node's events are found by its name.
      about: { apiVersion: 'v1', kind: 'Node', name, uid: name },
      type: 'Normal',
      reason,
      message: `Node ${name} status is now: ${reason}`,
      source: 'kubelet',
      host: name,
    })
  }

  async #runtimeFacts(): Promise<{
    readonly runtime: Awaited<ReturnType<ContainerRuntime['version']>> | undefined
    readonly runtimeConditions: Awaited<ReturnType<ContainerRuntime['conditions']>>
    readonly images: readonly ImageEntry[]
  }> {
    try {
      const [runtime, runtimeConditions, images] = await Promise.all([
        this.#runtime.version(),
        this.#runtime.conditions(),
        this.#runtime.listImages(),
      ])
      return { runtime, runtimeConditions, images }
    } catch (error) {
      this.#scope.log.warn('the container runtime does not answer', { error })
      return { runtime: undefined, runtimeConditions: [], images: [] }
    }
  }

  /** What was written meanwhile may be our own, by a request that arrived twice: as often as upstream's agent it is tried again at once. */
  async #renew(triesLeft = RENEW_TRIES): Promise<void> {
    const renewTime = formatMicroTime(this.#scope.clock.now())
    const ref = { namespace: 'kube-node-lease', name: this.#node.name }
    this.#lease ??= await ignoreReason('NotFound', this.#client.get(leases, ref))
    if (this.#lease === undefined) {
      const owner = await this.#client.get(nodes, { name: this.#node.name })
      this.#lease = await this.#client.create(leases, newLease(owner, renewTime))
      return
    }
    try {
      const spec = {
        ...this.#lease.spec,
        holderIdentity: this.#node.name,
        leaseDurationSeconds: LEASE_MS / 1000,
        renewTime,
      }
      this.#lease = await this.#client.update(leases, { ...this.#lease, spec })
    } catch (error) {
      // Another wrote it, or it is gone: read it again next time.
      this.#lease = undefined
      if (!isReason(error, 'Conflict', 'NotFound') || triesLeft <= 1) throw error
      return this.#renew(triesLeft - 1)
    }
  }
}

function newLease(owner: Node, renewTime: string): Lease {
  const { name, uid = '' } = owner.metadata
  return {
    metadata: {
      namespace: 'kube-node-lease',
      name,
      ownerReferences: [{ apiVersion: 'v1', kind: 'Node', name, uid }],
    },
    spec: { holderIdentity: name, leaseDurationSeconds: LEASE_MS / 1000, renewTime },
  }
}

/** Heartbeat times aside. */
function isSame(left: NodeStatus, right: NodeStatus): boolean {
  const bare = (status: NodeStatus): unknown => ({
    ...status,
    conditions: status.conditions?.map((condition) => ({ ...condition, lastHeartbeatTime: '' })),
  })
  return isDeepStrictEqual(bare(left), bare(right))
}
