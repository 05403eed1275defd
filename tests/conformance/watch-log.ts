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
    const onEnd = (error: unknown): void => {
      log.#ended = String(error)
      for (const look of log.#waiting) look()
    }
    log.#call = await new Watch(config).watch(path, { ...query }, onEvent, onEnd)
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
    this.#call?.abort()
    return Promise.resolve()
  }
}
