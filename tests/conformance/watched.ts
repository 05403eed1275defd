// Waits for an object by a watch, with a deadline that tells the last state seen.

import { Watch, type KubeConfig } from '@kubernetes/client-node'

export interface Wish<T> {
  /** Of the collection. */
  readonly path: string
  /** Any object of the collection when absent. */
  readonly name?: string
  readonly isWanted: (object: T | undefined) => boolean
  readonly waitMs: number
}

/** Follows one object by a watch from its present state on, until it is as wanted. */
export async function watched<T>(config: KubeConfig, wish: Wish<T>): Promise<T | undefined> {
  const watch = new Watch(config)
  const done = Promise.withResolvers<T | undefined>()
  let last: T | undefined
  const query = {
    ...(wish.name === undefined ? {} : { fieldSelector: `metadata.name=${wish.name}` }),
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
    done.reject(
      new Error(`the watch of ${wish.name ?? wish.path} ended: ${String(error)}; last seen: ${JSON.stringify(last)}`),
    )
  }
  await begin()
  const timer = setTimeout(
    () =>
      done.reject(
        new Error(
          `${wish.name ?? wish.path} is not as wanted after ${wish.waitMs} ms; last seen: ${JSON.stringify(last)}`,
        ),
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

interface SetWish<T> {
  readonly path: string
  readonly labelSelector?: string
  readonly fieldSelector?: string
  readonly list: () => Promise<readonly T[]>
  readonly isWanted: (objects: readonly T[]) => boolean
  readonly waitMs: number
}

/** Follows all objects of its selectors by a watch, until together they are as wanted. */
export async function watchedSet<T>(config: KubeConfig, wish: SetWish<T>): Promise<readonly T[]> {
  const done = Promise.withResolvers<readonly T[]>()
  let last: readonly T[] = []
  let isOver = false
  const look = async (): Promise<void> => {
    last = await wish.list()
    if (wish.isWanted(last)) done.resolve(last)
  }
  const { labelSelector, fieldSelector } = wish
  const query = { ...(labelSelector && { labelSelector }), ...(fieldSelector && { fieldSelector }) }
  const watch = new Watch(config)
  const calls: AbortController[] = []
  const begin = async (): Promise<void> => {
    const onEvent = (): void => void look().catch(done.reject)
    // A watch that was quiet for half a minute is ended by the client.
    const onEnd = (): void => {
      if (!isOver) void begin().catch(done.reject)
    }
    calls.push(await watch.watch(wish.path, query, onEvent, onEnd))
    await look()
  }
  const timer = setTimeout(
    () => done.reject(new Error(`not as wanted after ${wish.waitMs} ms; last seen: ${JSON.stringify(last)}`)),
    wish.waitMs,
  )
  try {
    await begin()
    return await done.promise
  } finally {
    clearTimeout(timer)
    isOver = true
    done.promise.catch(() => {})
    for (const call of calls) call.abort()
  }
}
