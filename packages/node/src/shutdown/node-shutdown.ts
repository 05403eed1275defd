// A node that is told to shut down says so, takes no more pods, and ends those it has, group by group.

import type { Pod } from '@aksel/api/types/core-v1'
import { anySignal } from '@aksel/base/any-signal'
import { sleep } from '@aksel/base/clock'
import type { Scope } from '@aksel/base/scope'
import type { Refusal } from '../pod/admission.ts'
import type { PodFailure } from '../pod/failure.ts'
import { planShutdown } from './plan.ts'
import type { ShutdownGroup } from './plan.ts'

export interface EndablePod {
  readonly pod: Pod
  /** Resolves when it is down and its status says why. */
  fail(failure: PodFailure): Promise<void>
}

export interface ShutdownWorld {
  /** Those that have not come to an end. */
  pods(): readonly EndablePod[]
  /** Resolves when the node's status says that it shuts down. */
  announce(): Promise<void>
}

const message = 'Pod was terminated in response to imminent node shutdown.'
const ANNOUNCE_MS_MAX = 2000

export class NodeShutdown {
  readonly #scope: Scope
  readonly #groups: readonly ShutdownGroup[]
  readonly #world: ShutdownWorld
  #running: Promise<void> | undefined

  constructor(scope: Scope, groups: readonly ShutdownGroup[], world: ShutdownWorld) {
    this.#scope = scope
    this.#groups = groups
    this.#world = world
  }

  get isUnderWay(): boolean {
    return this.#running !== undefined
  }

  admit(): Refusal | undefined {
    if (!this.isUnderWay) return undefined
    return { reason: 'NodeShutdown', message: 'Pod was rejected as the node is shutting down.' }
  }

  /** Resolves when all pods are down or their time is over. A second call waits for the first. */
  begin(): Promise<void> {
    return (this.#running ??= this.#run())
  }

  async #run(): Promise<void> {
    const { log } = this.#scope
    log.info('the node shuts down', { groups: this.#groups.length })
    // A server that does not answer holds no shutdown up.
    await this.#within(ANNOUNCE_MS_MAX, this.#world.announce())
    for (const { graceSeconds, pods } of planShutdown(this.#groups, this.#world.pods())) {
      const ends = pods.map((each) =>
        each.pod.fail({
          reason: 'Terminated',
          message,
          graceSeconds: each.graceSeconds,
          disruption: 'TerminationByKubelet',
        }),
      )
      await this.#within(graceSeconds * 1000, Promise.allSettled(ends))
    }
    log.info('the pods of the node are down')
  }

  async #within(ms: number, work: Promise<unknown>): Promise<void> {
    const done = new AbortController()
    const over = sleep(this.#scope.clock, ms, anySignal([this.#scope.signal, done.signal])).catch(() => {})
    await Promise.race([work.catch(() => {}), over])
    done.abort()
  }
}
