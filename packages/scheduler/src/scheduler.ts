// The scheduler: it takes waiting pods one by one, decides, assumes, and binds in the background. Watches wake it.

import { keyOf, refOfKey, type ResourceType } from '@aksel/api/resource'
import {
  namespaces,
  nodes,
  persistentVolumeClaims,
  persistentVolumes,
  pods,
  storageClasses,
} from '@aksel/api/resources'
import type { Node, Pod } from '@aksel/api/types/core-v1'
import { formatTime } from '@aksel/base/clock'
import { ignoreReason, isReason } from '@aksel/base/errors'
import { childScope, type Scope } from '@aksel/base/scope'
import type { Client } from '@aksel/client/client'
import type { Caches } from '@aksel/runtime/controller'
import { recordEvent, referenceTo } from '@aksel/runtime/event-recorder'
import { decide, type Decision } from './decide.ts'
import type { World } from './plugin.ts'
import { claimsAwaitingNode } from './plugins/volumes.ts'
import { SchedulingQueue } from './queue.ts'
import { isTerminal, Snapshot } from './snapshot.ts'
import { bindVolumes } from './volume-binder.ts'

export interface SchedulerOptions {
  readonly client: Client
  readonly caches: Caches
  /** Pods of other schedulers are left alone. */
  readonly schedulerName?: string
}

export interface Scheduler {
  /** Runs until the scope's signal. */
  run(): Promise<void>
  /** What each node would answer for this pod now; undefined when the pod is unknown. */
  explain(key: string): Decision | undefined
}

export function createScheduler(scope: Scope, options: SchedulerOptions): Scheduler {
  return new DefaultScheduler(childScope(scope, { controller: 'scheduler' }), options)
}

class DefaultScheduler implements Scheduler {
  readonly #scope: Scope
  readonly #options: SchedulerOptions
  readonly #name: string
  readonly #snapshot = new Snapshot()
  readonly #queue: SchedulingQueue
  /** Pods decided and not yet seen bound: the node they are assumed on. */
  readonly #assumed = new Map<string, string>()
  readonly #world: World
  #wakeLoop: () => void = () => {}

  constructor(scope: Scope, options: SchedulerOptions) {
    this.#scope = scope
    this.#options = options
    this.#name = options.schedulerName ?? 'default-scheduler'
    this.#queue = new SchedulingQueue(scope.clock, () => this.#wakeLoop())
    const { caches } = options
    this.#world = {
      nodes: this.#snapshot.nodes,
      namespaceLabels: (name) => caches.of(namespaces).get(name)?.metadata.labels ?? {},
      claim: (key) => caches.of(persistentVolumeClaims).get(key),
      volume: (name) => caches.of(persistentVolumes).get(name),
      storageClass: (name) => caches.of(storageClasses).get(name),
    }
  }

  async run(): Promise<void> {
    const { caches } = this.#options
    const { signal } = this.#scope
    const watched: readonly ResourceType[] = [
      nodes,
      pods,
      namespaces,
      persistentVolumeClaims,
      persistentVolumes,
      storageClasses,
    ]
    await Promise.all(watched.map((type) => caches.of(type).synced(signal)))
    using subscriptions = new DisposableStack()
    subscriptions.use(caches.of(nodes).subscribe((now, before) => this.#onNode(now, before)))
    subscriptions.use(caches.of(pods).subscribe((now, before) => this.#onPod(now, before)))
    const volumes: readonly ResourceType[] = [persistentVolumeClaims, persistentVolumes, storageClasses]
    for (const type of volumes) {
      subscriptions.use(caches.of(type).subscribe(() => this.#queue.wake('volume')))
    }
    subscriptions.use(caches.of(namespaces).subscribe(() => this.#queue.wake('namespace')))
    subscriptions.defer(() => this.#queue.close())
    while (!signal.aborted) {
      const key = this.#queue.take()
      if (key === undefined) await this.#somethingToDo()
      else this.#scheduleOne(key)
    }
  }

  explain(key: string): Decision | undefined {
    const pod = this.#options.caches.of(pods).get(key)
    return pod === undefined ? undefined : decide(pod, this.#world)
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
    if (now === undefined) this.#snapshot.removeNode(before!.metadata.name)
    else this.#snapshot.setNode(now)
    if (now !== undefined && (before === undefined || mayHelp(now, before))) this.#queue.wake('node')
  }

  #onPod(now: Pod | undefined, before: Pod | undefined): void {
    const pod = (now ?? before)!
    const key = keyOf(pod)
    if (now === undefined || isTerminal(now)) {
      this.#assumed.delete(key)
      this.#snapshot.removePod(key)
      this.#queue.drop(key)
      this.#queue.wake('pod-gone')
    } else if ((now.spec.nodeName ?? '') !== '') {
      this.#assumed.delete(key)
      this.#snapshot.setPod(now)
      this.#queue.drop(key)
      this.#queue.wake('pod-changed')
    } else if (this.#isOurs(now) && !this.#assumed.has(key) && (!this.#queue.has(key) || differs(now, before))) {
      this.#queue.put(now)
    }
  }

  #isOurs(pod: Pod): boolean {
    return (
      (pod.spec.schedulerName ?? 'default-scheduler') === this.#name &&
      pod.metadata.deletionTimestamp === undefined &&
      (pod.spec.schedulingGates ?? []).length === 0
    )
  }

  #scheduleOne(key: string): void {
    const pod = this.#options.caches.of(pods).get(key)
    if (pod === undefined || !this.#isOurs(pod) || (pod.spec.nodeName ?? '') !== '') return this.#queue.drop(key)
    const decision = decide(pod, this.#world)
    if (decision.kind === 'unschedulable') {
      this.#queue.turnAway(key, decision.wokenBy)
      void this.#reportFailure(pod, decision.message)
      return
    }
    this.#assumed.set(key, decision.nodeName)
    this.#snapshot.setPod({ ...pod, spec: { ...pod.spec, nodeName: decision.nodeName } })
    void this.#bind(pod, decision.nodeName)
  }

  async #bind(pod: Pod, nodeName: string): Promise<void> {
    const key = keyOf(pod)
    const { client, caches } = this.#options
    try {
      const awaiting = claimsAwaitingNode(pod, this.#world)
      if (awaiting.length > 0) await bindVolumes(this.#scope, { client, caches, claims: awaiting, nodeName })
      await client.createSubresource(pods, refOfKey(key), 'binding', {
        apiVersion: 'v1',
        kind: 'Binding',
        metadata: { name: pod.metadata.name, namespace: pod.metadata.namespace, uid: pod.metadata.uid },
        target: { kind: 'Node', name: nodeName },
      })
    } catch (error) {
      this.#assumed.delete(key)
      this.#snapshot.removePod(key)
      if (isReason(error, 'NotFound')) return this.#queue.drop(key)
      if (this.#scope.signal.aborted) return
      this.#scope.log.warn('binding failed', { pod: key, node: nodeName, error })
      this.#queue.retry(key)
      return this.#reportFailure(pod, `binding rejected: ${error instanceof Error ? error.message : String(error)}`)
    }
    await this.#event(pod, 'Normal', 'Scheduled', `Successfully assigned ${key} to ${nodeName}`)
  }

  /** The condition and the event by which a user sees why a pod is Pending. Written only when they say something new. */
  async #reportFailure(pod: Pod, message: string): Promise<void> {
    const conditions = pod.status?.conditions ?? []
    const known = conditions.find(({ type }) => type === 'PodScheduled')
    const told = this.#event(pod, 'Warning', 'FailedScheduling', message)
    if (known?.status === 'False' && known.message === message) return told
    const condition = {
      type: 'PodScheduled',
      status: 'False',
      reason: 'Unschedulable',
      message,
      lastTransitionTime: known?.status === 'False' ? known.lastTransitionTime : formatTime(this.#scope.clock.now()),
    }
    const patch = { kind: 'strategic', body: { status: { conditions: [condition] } } } as const
    await this.#quietly('pod condition not written', () =>
      ignoreReason(
        'NotFound',
        this.#options.client.patch(pods, refOfKey(keyOf(pod)), patch, { subresource: 'status' }),
      ),
    )
  }

  #event(pod: Pod, type: 'Normal' | 'Warning', reason: string, message: string): Promise<void> {
    return recordEvent(this.#scope, this.#options.client, {
      about: referenceTo(pods, pod),
      type,
      reason,
      message,
      source: this.#name,
    })
  }

  async #quietly(what: string, work: () => Promise<unknown>): Promise<void> {
    try {
      await work()
    } catch (error) {
      if (!this.#scope.signal.aborted) this.#scope.log.warn(what, { error })
    }
  }
}

/** Our own word on why a pod waits changes it too, and must not wake it. */
function differs(now: Pod, before: Pod | undefined): boolean {
  return JSON.stringify([now.spec, now.metadata.labels]) !== JSON.stringify([before?.spec, before?.metadata.labels])
}

/** Heartbeats change a node too; only what plug-ins look at may help a pod. */
function mayHelp(now: Node, before: Node): boolean {
  return (
    JSON.stringify([now.spec, now.metadata.labels, now.status?.allocatable]) !==
    JSON.stringify([before.spec, before.metadata.labels, before.status?.allocatable])
  )
}
