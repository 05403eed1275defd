// The events of a watch as they come, and a way to wait for so many of them.

import { Watch, type KubeConfig } from '@kubernetes/client-node'

export interface SeenEvent<T> {
  readonly type: string
  readonly object: T
}

export class WatchLog<T> implements AsyncDisposable {
  readonly events: SeenEvent<T>[] = []
  readonly #waiting = new Set<() => void>()
  #call: AbortController | undefined
  #ended: string | undefined
  #isOver = false

  private constructor() {}

  static async open<T>(
    config: KubeConfig,
    path: string,
    query: Readonly<Record<string, string | number | boolean>> = {},
  ): Promise<WatchLog<T>> {
    const log = new WatchLog<T>()
    const onEvent = (type: string, object: T): void => {
      log.events.push({ type, object })
      for (const look of log.#waiting) look()
    }
    const fail = (error: unknown): void => {
      log.#ended = String(error)
      for (const look of log.#waiting) look()
    }
    const begin = async (): Promise<void> => {
      const last = (log.events.at(-1)?.object as { metadata?: { resourceVersion?: string } } | undefined)?.metadata
      const from = last?.resourceVersion === undefined ? {} : { resourceVersion: last.resourceVersion }
      log.#call = await new Watch(config).watch(path, { ...query, ...from }, onEvent, onEnd)
    }
    // A watch that was quiet for half a minute is ended by the client: it goes on where it was.
    const onEnd = (error: unknown): void => {
      if (log.#isOver) return
      if (error instanceof DOMException && error.name === 'TimeoutError') begin().catch(fail)
      else fail(error)
    }
    await begin()
    return log
  }

  /** The first so many events; rejects after the deadline with those that came. */
  async first(count: number, waitMs = 20_000): Promise<readonly SeenEvent<T>[]> {
    const { promise, resolve, reject } = Promise.withResolvers<void>()
    const look = (): void => {
      if (this.events.length >= count) resolve()
      else if (this.#ended !== undefined) reject(new Error(`the watch ended: ${this.#ended}`))
    }
    this.#waiting.add(look)
    const timer = setTimeout(() => {
      const seen = this.events.map(({ type }) => type).join(' ')
      reject(new Error(`not ${count} events after ${waitMs} ms: ${seen}`))
    }, waitMs)
    look()
    try {
      await promise
      return this.events.slice(0, count)
    } finally {
      clearTimeout(timer)
      this.#waiting.delete(look)
    }
  }

  [Symbol.asyncDispose](): Promise<void> {
    this.#isOver = true
    this.#call?.abort()
    return Promise.resolve()
  }
}
