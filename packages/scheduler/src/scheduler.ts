// The scheduler: it takes waiting pods one by one, decides, assumes, and binds in the background. Watches wake it.

import { deepEqual } from '@aksel/api/deep-equal'
import { keyOf, refOfKey, type KubernetesObject, type ResourceType } from '@aksel/api/resource'
import {
  csiNodes,
  namespaces,
  nodes,
  persistentVolumeClaims,
  pods,
  resourceClaims,
  resourceSlices,
} from '@aksel/api/resources'
import type { DeviceTaintRule } from '@aksel/api/kinds/device-taint-rule'
import type { Node, Pod } from '@aksel/api/types/core-v1'
import type { ResourceClaim } from '@aksel/api/types/resource-v1'
import { isReason } from '@aksel/base/errors'
import { childScope, type Scope } from '@aksel/base/scope'
import type { Client } from '@aksel/client/client'
import type { Caches } from '@aksel/runtime/controller'
import { DeviceCaches } from './dynamic-resources/device-caches.ts'
import { ApiObjects, lookedAt } from './api-objects.ts'
import { kindOfChange } from './changes.ts'
import { DynamicResources } from './dynamic-resources/dynamic-resources.ts'
import { Extensions, type Extension } from './extensions.ts'
import { Decider, type Decision } from './decider.ts'
import { News } from './news.ts'
import { Preemptor } from './preemptor.ts'
import { defaultProfile, type Profile } from './profile.ts'
import { SchedulingQueue, type QueueOptions } from './queue.ts'
import { isSameForScheduling, isTerminal } from './state/cluster-state.ts'
import { roomOn } from './room.ts'
import { bindVolumes } from './volume-binder.ts'

export interface SchedulerOptions {
  readonly client: Client
  readonly caches: Caches
  /** Pods of schedulers that none of them names are left alone; the default profile when absent. */
  readonly profiles?: readonly Profile[]
  readonly queue?: QueueOptions
  /** What is added from outside. */
  readonly extensions?: readonly Extension[]
  /** Taints that administrators put on devices, where the cluster serves them. */
  readonly deviceTaintRules?: ResourceType<DeviceTaintRule>
}

export interface Explanation {
  readonly pod: string
  readonly nodeName?: string
  readonly message?: string
  readonly nodes: Decision['nodes']
}

export interface Scheduler {
  /** Runs until the scope's signal. */
  run(): Promise<void>
  /** What each node would answer for this pod now, wherever it stands; undefined when the pod is unknown. */
  explain(key: string): Explanation | undefined
  /** Pods that wait, by upstream's names of the queues. */
  pending(): SchedulingQueue['counts']
}

/** Bindings on their way: beyond them the loop waits, so that a crowd of pods does not become a crowd of requests. */
const BINDINGS_MAX = 256
/** Pods decided before others of the process get their turn. */
const TURN_PODS = 32

export function createScheduler(scope: Scope, options: SchedulerOptions): Scheduler {
  return new DefaultScheduler(childScope(scope, { controller: 'scheduler' }), options)
}

class DefaultScheduler implements Scheduler {
  readonly #scope: Scope
  readonly #options: SchedulerOptions
  readonly #objects: ApiObjects
  readonly #decider: Decider
  readonly #extensions: Extensions
  readonly #devices: DynamicResources
  readonly #lookedAt: readonly ResourceType[]
  readonly #queue: SchedulingQueue
  readonly #news: News
  readonly #preemptor: Preemptor
  /** Pods decided and not yet seen bound: the node they are assumed on. */
  readonly #assumed = new Map<string, string>()
  #bindings = 0
  #wakeLoop: () => void = () => {}

  constructor(scope: Scope, options: SchedulerOptions) {
    this.#scope = scope
    this.#options = options
    this.#objects = new ApiObjects(options.caches)
    const { client, caches, deviceTaintRules } = options
    this.#lookedAt = deviceTaintRules === undefined ? lookedAt : [...lookedAt, deviceTaintRules]
    this.#devices = new DynamicResources(scope, {
      client,
      caches,
      objects: new DeviceCaches(caches, deviceTaintRules),
      onFreed: (claim) => this.#queue.wake({ kind: 'resource-claim', claim, isFreed: true }),
    })
    this.#extensions = new Extensions([this.#devices, ...(options.extensions ?? [])])
    this.#decider = new Decider(this.#objects, options.profiles ?? [defaultProfile()], this.#extensions)
    this.#queue = new SchedulingQueue(scope.clock, () => this.#wakeLoop(), options.queue)
    this.#news = new News(scope, options.client)
    this.#preemptor = new Preemptor(
      scope,
      { client: options.client, news: this.#news, decider: this.#decider },
      (pod, nodeName) => this.#freed(pod, nodeName),
    )
  }

  async run(): Promise<void> {
    const { caches } = this.#options
    const { signal } = this.#scope
    await Promise.all([nodes, pods, ...this.#lookedAt].map((type) => caches.of(type).synced(signal)))
    using subscriptions = new DisposableStack()
    subscriptions.defer(() => this.#queue.close())
    // Nobody is placed before all who stand are known.
    subscriptions.use(await caches.of(nodes).follow((now, before) => this.#onNode(now, before), signal))
    subscriptions.use(await caches.of(pods).follow((now, before) => this.#onPod(now, before), signal))
    for (const type of this.#lookedAt)
      subscriptions.use(await caches.of(type).follow((now, before) => this.#onOther(type, now, before), signal))
    await this.#loop()
  }

  #onOther(type: ResourceType, now: KubernetesObject | undefined, before: KubernetesObject | undefined): void {
    if (type.plural === persistentVolumeClaims.plural) this.#decider.volumes.claimChanged(keyOf((now ?? before)!))
    if (type.plural === csiNodes.plural) this.#decider.volumes.csiNodeChanged((now ?? before)!.metadata.name)
    if (type.plural === namespaces.plural) this.#decider.state.topology.namespaceChanged()
    if (type.plural === resourceSlices.plural) this.#devices.ledger.slicesChanged()
    if (type.plural === resourceClaims.plural)
      this.#devices.ledger.claimChanged(now as ResourceClaim | undefined, before as ResourceClaim | undefined)
    const event = kindOfChange(type, now, before)
    if (event !== undefined) this.#queue.wake(event)
  }

  async #loop(): Promise<void> {
    const { signal } = this.#scope
    let turn = 0
    while (!signal.aborted) {
      const pod = this.#bindings < BINDINGS_MAX ? this.#queue.take() : undefined
      if (pod === undefined) {
        await this.#somethingToDo()
        turn = 0
        continue
      }
      this.#askThenSchedule(pod)
      turn += 1
      if (turn % TURN_PODS === 0) await new Promise<void>((resolve) => setImmediate(resolve))
    }
  }

  explain(key: string): Explanation | undefined {
    const pod = this.#options.caches.of(pods).get(key)
    if (pod === undefined) return undefined
    const decision = this.#decider.explain(pod)
    return {
      pod: key,
      ...(decision.kind === 'fits' ? { nodeName: decision.nodeName } : { message: decision.message }),
      nodes: decision.nodes,
    }
  }

  pending(): SchedulingQueue['counts'] {
    return this.#queue.counts
  }

  #somethingToDo(): Promise<void> {
    const { signal } = this.#scope
    return new Promise((resolve) => {
      const wake = (): void => {
        signal.removeEventListener('abort', wake)
        this.#wakeLoop = () => {}
        resolve()
      }
      this.#wakeLoop = wake
      signal.addEventListener('abort', wake, { once: true })
    })
  }

  #onNode(now: Node | undefined, before: Node | undefined): void {
    const { state } = this.#decider
    if (now === undefined) {
      state.removeNode(before!.metadata.name)
      return this.#queue.wake({ kind: 'node-gone', node: before! })
    }
    if (before !== undefined && isSameForScheduling(before, now)) return
    state.setNode(now)
    this.#queue.wake({ kind: 'node', now, before })
  }

  #onPod(now: Pod | undefined, before: Pod | undefined): void {
    const pod = (now ?? before)!
    const key = keyOf(pod)
    if (now === undefined || isTerminal(now)) return this.#onGone(key, pod)
    if ((now.spec.nodeName ?? '') !== '') return this.#onPlaced(key, now, before)
    if (this.#assumed.has(key) || !this.#isOurs(now)) {
      if (!this.#assumed.has(key)) this.#forget(key)
      return
    }
    this.#preemptor.noteNomination(now)
    if (!this.#queue.has(key) || differs(now, before)) this.#queue.put(now)
  }

  #onGone(key: string, pod: Pod): void {
    this.#assumed.delete(key)
    this.#decider.state.removePod(key)
    this.#preemptor.gone(key)
    this.#forget(key)
    if ((pod.spec.nodeName ?? '') !== '') this.#freed(pod, pod.spec.nodeName!)
  }

  /** A pod counts on this node no more, or no longer will. */
  #freed(pod: Pod, nodeName: string): void {
    const { nominations } = this.#preemptor
    const room = roomOn(this.#decider, nominations, nodeName, (key) => this.#preemptor.waitsForVictims(key))
    this.#queue.wake({ kind: 'pod-gone', pod, room })
  }

  #onPlaced(key: string, pod: Pod, before: Pod | undefined): void {
    const isNew = (before?.spec.nodeName ?? '') === ''
    const changed = !isNew && this.#decider.differs(pod, before!)
    this.#assumed.delete(key)
    this.#decider.state.setPod(pod)
    this.#forget(key)
    if (isNew) this.#queue.wake({ kind: 'pod-placed', pod })
    else if (changed) this.#queue.wake({ kind: 'pod-changed', pod })
  }

  #forget(key: string): void {
    this.#queue.drop(key)
    this.#preemptor.forget(key)
  }

  #isOurs(pod: Pod): boolean {
    return (
      this.#decider.serves(pod) &&
      pod.metadata.deletionTimestamp === undefined &&
      (pod.spec.schedulingGates ?? []).length === 0
    )
  }

  /** Nobody is waited for where nobody has to be asked; meanwhile others are decided. */
  #askThenSchedule(pod: Pod): void {
    const asked = this.#extensions.ask(this.#scope, pod)
    if (asked === undefined) return this.#scheduleOne(pod)
    this.#bindings += 1
    void asked
      .then(
        () => this.#scheduleOne(pod),
        (error: unknown) => this.#onTrouble(pod, error),
      )
      .finally(() => {
        this.#extensions.forget(pod)
        this.#bindings -= 1
        this.#wakeLoop()
      })
  }

  /** Something else than a node stands in the way: it is told, and the pod is tried again. */
  #onTrouble(pod: Pod, error: unknown): void {
    if (this.#scope.signal.aborted) return
    this.#queue.retry(keyOf(pod))
    const message = error instanceof Error ? error.message : String(error)
    void this.#news.failure(pod, { reason: 'SchedulerError', message })
  }

  #scheduleOne(known: Pod): void {
    const key = keyOf(known)
    const pod = this.#options.caches.of(pods).get(key)
    if (pod === undefined || !this.#isOurs(pod) || (pod.spec.nodeName ?? '') !== '') return this.#queue.drop(key)
    const holder = this.#extensions.heldBy(pod)
    if (holder !== undefined) return this.#queue.turnAway(key, new Set([holder]))
    try {
      const { nominations } = this.#preemptor
      const decision = this.#decider.decide(pod, nominations, nominations.get(key))
      if (decision.kind === 'fits') return this.#assume(pod, decision.nodeName)
      this.#fail(pod, decision)
    } catch (error) {
      // A pod that no one foresaw must not stop all others.
      this.#scope.log.error('a pod could not be judged', { pod: key, error })
      this.#queue.retry(key)
    }
  }

  #fail(pod: Pod, decision: Extract<Decision, { kind: 'unschedulable' }>): void {
    this.#extensions.refused(pod, decision.refusedBy)
    const outcome = this.#preemptor.preempt(pod, decision, this.#objects)
    const { isMakingRoom } = outcome
    this.#queue.turnAway(keyOf(pod), decision.refusedBy, { isMakingRoom })
    // Nothing would tell that a victim stays, which could not be asked to go.
    void outcome.ordered?.then((all) => (all ? undefined : this.#queue.retry(keyOf(pod))))
    const message = outcome.message === undefined ? decision.message : `${decision.message} ${outcome.message}`
    const nominated = outcome.nodeName === undefined ? {} : { nominatedNodeName: outcome.nodeName }
    void this.#news.failure(pod, { reason: 'Unschedulable', message, ...nominated })
  }

  #assume(pod: Pod, nodeName: string): void {
    const key = keyOf(pod)
    const refusal = this.#extensions.reserve(pod, nodeName)
    if (refusal !== undefined) return this.#onTrouble(pod, refusal)
    this.#assumed.set(key, nodeName)
    this.#decider.state.setPod({ ...pod, spec: { ...pod.spec, nodeName } })
    this.#preemptor.forget(key)
    this.#bindings += 1
    void this.#bind(pod, nodeName).finally(() => {
      this.#bindings -= 1
      this.#wakeLoop()
    })
  }

  async #bind(pod: Pod, nodeName: string): Promise<void> {
    const key = keyOf(pod)
    const { client, caches } = this.#options
    const { name, namespace, uid } = pod.metadata
    const plan = this.#decider.volumePlan(pod, nodeName)
    try {
      for (const { claim, volume } of plan.bind) this.#objects.promise(volume.metadata.name, keyOf(claim))
      await this.#permitted(pod, nodeName)
      if (plan.bind.length + plan.provision.length > 0) {
        const timeoutMs = this.#decider.profileOf(pod).bindTimeoutSeconds * 1000
        // Waiting for a provisioner takes minutes: it must not keep others from being bound.
        this.#bindings -= 1
        try {
          await bindVolumes(this.#scope, { client, caches, plan, nodeName, timeoutMs })
        } finally {
          this.#bindings += 1
        }
      }
      await client.createSubresource(pods, refOfKey(key), 'binding', {
        apiVersion: 'v1',
        kind: 'Binding',
        metadata: { name, namespace, uid },
        target: { kind: 'Node', name: nodeName },
      })
    } catch (error) {
      return this.#onBindingLost(pod, nodeName, error)
    } finally {
      for (const { volume } of plan.bind) this.#objects.promise(volume.metadata.name, undefined)
    }
    this.#news.event(pod, {
      type: 'Normal',
      reason: 'Scheduled',
      message: `Successfully assigned ${key} to ${nodeName}`,
    })
  }

  /** Who waits for others must not keep them from being bound. */
  async #permitted(pod: Pod, nodeName: string): Promise<void> {
    const permit = this.#extensions.permit(this.#scope, pod, nodeName)
    if (permit === undefined) return
    this.#bindings -= 1
    this.#wakeLoop()
    try {
      await permit
    } finally {
      this.#bindings += 1
    }
  }

  async #onBindingLost(pod: Pod, nodeName: string, error: unknown): Promise<void> {
    const key = keyOf(pod)
    if (this.#scope.signal.aborted) return
    this.#assumed.delete(key)
    this.#extensions.unreserve(pod, nodeName)
    const known = this.#options.caches.of(pods).get(key)
    // What the watch tells is true: it may have been bound all the same.
    if ((known?.spec.nodeName ?? '') !== '') return
    this.#decider.state.removePod(key)
    this.#freed(pod, nodeName)
    if (isReason(error, 'NotFound') || known === undefined) return this.#forget(key)
    this.#scope.log.warn('binding failed', { pod: key, node: nodeName, error })
    this.#queue.retry(key)
    const message = `binding rejected: ${error instanceof Error ? error.message : String(error)}`
    await this.#news.failure(pod, { reason: 'SchedulerError', message })
  }
}

/** Our own word on why a pod waits changes it too, and must not wake it, unless it says that a promise was taken back. */
function differs(now: Pod, before: Pod | undefined): boolean {
  return (
    (isPromised(before) && !isPromised(now)) ||
    !deepEqual(now.spec, before?.spec) ||
    !deepEqual(now.metadata.labels, before?.metadata.labels) ||
    !deepEqual(now.status?.resourceClaimStatuses, before?.status?.resourceClaimStatuses)
  )
}

function isPromised(pod: Pod | undefined): boolean {
  return (pod?.status?.nominatedNodeName ?? '') !== ''
}
