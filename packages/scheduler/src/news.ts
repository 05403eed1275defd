// What the scheduler says of its decisions: events and the pod's condition. Said beside the work, never before it.

import { keyOf, refOfKey } from '@aksel/api/resource'
import { pods } from '@aksel/api/resources'
import type { Pod, PodCondition } from '@aksel/api/types/core-v1'
import { formatTime } from '@aksel/base/clock'
import { ignoreReason } from '@aksel/base/errors'
import type { Scope } from '@aksel/base/scope'
import type { Client } from '@aksel/client/client'
import { recordEvent, referenceTo } from '@aksel/runtime/event-recorder'

/** As upstream's broadcaster: beyond so many untold events, the newest are dropped. */
const UNTOLD_MAX = 1000
const TELLERS = 4

export class News {
  readonly #scope: Scope
  readonly #client: Client
  readonly #untold: (() => Promise<void>)[] = []
  #tellers = 0

  constructor(scope: Scope, client: Client) {
    this.#scope = scope
    this.#client = client
  }

  event(
    pod: Pod,
    what: { readonly type: 'Normal' | 'Warning'; readonly reason: string; readonly message: string },
  ): void {
    if (this.#untold.length >= UNTOLD_MAX) return
    const source = pod.spec.schedulerName ?? 'default-scheduler'
    const about = referenceTo(pods, pod)
    this.#untold.push(() => recordEvent(this.#scope, this.#client, { about, ...what, source }))
    if (this.#tellers < TELLERS) void this.#tell()
  }

  async #tell(): Promise<void> {
    this.#tellers += 1
    for (let next = this.#untold.shift(); next !== undefined; next = this.#untold.shift()) {
      if (this.#scope.signal.aborted) break
      await next()
    }
    this.#tellers -= 1
  }

  /** Why the pod waits, by event and by condition; the condition only when it says something new. */
  async failure(
    pod: Pod,
    why: {
      readonly reason: 'Unschedulable' | 'SchedulerError'
      readonly message: string
      readonly nominatedNodeName?: string
    },
  ): Promise<void> {
    const { reason, message, nominatedNodeName } = why
    this.event(pod, { type: 'Warning', reason: 'FailedScheduling', message })
    const known = pod.status?.conditions?.find(({ type }) => type === 'PodScheduled')
    const isNews = known?.status !== 'False' || known.message !== message || known.reason !== reason
    const nominates = nominatedNodeName !== undefined && pod.status?.nominatedNodeName !== nominatedNodeName
    if (!isNews && !nominates) return
    const { generation } = pod.metadata
    const condition: PodCondition = {
      type: 'PodScheduled',
      status: 'False',
      reason,
      message,
      ...(generation === undefined ? {} : { observedGeneration: generation }),
      lastTransitionTime:
        (known?.status === 'False' ? known.lastTransitionTime : undefined) ?? formatTime(this.#scope.clock.now()),
    }
    await this.patchStatus(pod, {
      ...(isNews ? { conditions: [condition] } : {}),
      ...(nominates ? { nominatedNodeName } : {}),
    })
  }

  /** Whoever is gone needs no word; other failures are logged. */
  async patchStatus(pod: Pod, status: object): Promise<void> {
    const { uid } = pod.metadata
    const patch = { kind: 'strategic', body: { metadata: { uid }, status } } as const
    try {
      const ref = refOfKey(keyOf(pod))
      await ignoreReason('NotFound', this.#client.patch(pods, ref, patch, { subresource: 'status' }))
    } catch (error) {
      if (!this.#scope.signal.aborted) this.#scope.log.warn('pod status not written', { pod: keyOf(pod), error })
    }
  }
}
