// Waits for an object by a watch, with a deadline that tells the last state seen.

import { Watch, type KubeConfig } from '@kubernetes/client-node'

export interface Wish<T> {
  /** Of the collection. */
  readonly path: string
  readonly name: string
  readonly isWanted: (object: T | undefined) => boolean
  readonly waitMs: number
}

/** Follows one object by a watch from its present state on, until it is as wanted. */
export async function watched<T>(config: KubeConfig, wish: Wish<T>): Promise<T | undefined> {
  const watch = new Watch(config)
  const done = Promise.withResolvers<T | undefined>()
  let last: T | undefined
  const query = {
    fieldSelector: `metadata.name=${wish.name}`,
    sendInitialEvents: true,
    resourceVersionMatch: 'NotOlderThan',
    allowWatchBookmarks: true,
  }
  const onEvent = (phase: string, object: T): void => {
    // The first bookmark ends the present state: an object that was not among it is not there.
    if (phase !== 'BOOKMARK') last = phase === 'DELETED' ? undefined : object
    if (wish.isWanted(last)) done.resolve(last)
  }
  const calls: AbortController[] = []
  const begin = async (): Promise<void> => {
    calls.push(await watch.watch(wish.path, query, onEvent, (error) => void onEnd(error)))
  }
  // The client takes a watch that is quiet for half a minute for a broken one; ours is quiet until something happens.
  const onEnd = (error: unknown): Promise<void> | void => {
    if (error instanceof DOMException && error.name === 'TimeoutError') return begin().catch(done.reject)
    done.reject(new Error(`the watch of ${wish.name} ended: ${String(error)}; last seen: ${JSON.stringify(last)}`))
  }
  await begin()
  const timer = setTimeout(
    () =>
      done.reject(
        new Error(`${wish.name} is not as wanted after ${wish.waitMs} ms; last seen: ${JSON.stringify(last)}`),
      ),
    wish.waitMs,
  )
  try {
    return await done.promise
  } finally {
    clearTimeout(timer)
    for (const call of calls) call.abort()
  }
}
