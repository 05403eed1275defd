// Runs control loops: feeds each one's queue from its sources, calls it one key at a time, and backs off when it fails.

import { channel } from 'node:diagnostics_channel'
import { isReason } from '@aksel/base/errors'
import { childScope } from '@aksel/base/scope'
import type { Scope } from '@aksel/base/scope'
import type { Caches, Controller, Source } from './controller.ts'
import { WorkQueue } from './work-queue.ts'

export interface RunOptions {
  readonly controllers: readonly Controller[]
  readonly caches: Caches
}

/** Published on the diagnostics channel `aksel.controller.reconcile` after every pass. */
export interface ReconcileReport {
  readonly controller: string
  readonly key: string
  readonly result: 'success' | 'requeue' | 'error'
  readonly durationMs: number
  /** Keys that wait in the controller's queue. */
  readonly queueLength: number
}

/** Passes of one worker in a row, with more to do, before others of the process get their turn. */
const TURN_PASSES = 64

const reports = channel('aksel.controller.reconcile')

/** Runs every controller until the scope's signal aborts, then waits for the passes under way. Never rejects because one fails. */
export async function runControllers(scope: Scope, { controllers, caches }: RunOptions): Promise<void> {
  await Promise.all(controllers.map((controller) => runController(scope, controller, caches)))
}

export async function runController(scope: Scope, controller: Controller, caches: Caches): Promise<void> {
  const own = childScope(scope, { controller: controller.name })
  if (own.signal.aborted) return
  using queue = new WorkQueue({ clock: own.clock })
  const close = (): void => queue[Symbol.dispose]()
  own.signal.addEventListener('abort', close, { once: true })
  const sources = controller.sources as readonly Source[]
  const subscriptions: Disposable[] = []
  try {
    // Every cache is asked for before any is waited for: they list at the same time.
    const inputs = sources.map((source) => ({ source, cache: caches.of(source.type) }))
    await Promise.all(inputs.map(({ cache }) => cache.synced(own.signal)))
    const followed = await Promise.allSettled(
      inputs.map(({ source, cache }) => cache.follow(wake(own, queue, source), own.signal)),
    )
    for (const each of followed) if (each.status === 'fulfilled') subscriptions.push(each.value)
    own.signal.throwIfAborted()
    await controller.start?.(own, (key) => queue.add(key))
    await Promise.all(Array.from({ length: controller.workers ?? 1 }, () => work(own, controller, queue)))
  } catch (error) {
    if (!own.signal.aborted) own.log.error('controller could not start', { error })
  } finally {
    own.signal.removeEventListener('abort', close)
    for (const subscription of subscriptions) subscription[Symbol.dispose]()
  }
}

function wake(scope: Scope, queue: WorkQueue, source: Source): Parameters<ReturnType<Caches['of']>['subscribe']>[0] {
  return (now, before) => {
    try {
      for (const key of source.keysOf(now, before)) queue.add(key)
    } catch (error) {
      scope.log.error('a source could not name its keys', { error, resource: source.type.plural })
    }
  }
}

async function work(scope: Scope, controller: Controller, queue: WorkQueue): Promise<void> {
  let inARow = 0
  while (true) {
    inARow = queue.length === 0 ? 0 : inARow + 1
    const key = await queue.take()
    if (key === undefined) return
    await pass(childScope(scope, { key }), controller, queue, key)
    // Passes that find nothing to do wait for nobody: a queue of very many must not hold the event loop.
    if (inARow >= TURN_PASSES) {
      inARow = 0
      await new Promise((resolve) => setImmediate(resolve))
    }
  }
}

async function pass(scope: Scope, controller: Controller, queue: WorkQueue, key: string): Promise<void> {
  const beganMs = scope.clock.monotonicMs()
  let result: ReconcileReport['result'] = 'success'
  try {
    const { againAfterMs } = await controller.reconcile(scope, key)
    queue.forget(key)
    if (againAfterMs !== undefined) {
      result = 'requeue'
      queue.addAfter(key, againAfterMs)
    }
  } catch (error) {
    result = 'error'
    if (!scope.signal.aborted) {
      // Someone else wrote first: expected with caches, and the next pass reads what they wrote.
      const level = isReason(error, 'Conflict') ? 'debug' : 'warn'
      scope.log[level]('reconcile failed', { error, failures: queue.failuresOf(key) + 1 })
      queue.addRateLimited(key)
    }
  } finally {
    queue.finish(key)
  }
  if (!reports.hasSubscribers) return
  const durationMs = scope.clock.monotonicMs() - beganMs
  const report: ReconcileReport = { controller: controller.name, key, result, durationMs, queueLength: queue.length }
  reports.publish(report)
}
