// One collection of objects as plain JSON: calls, and waits by a watch on one object or on all that a label selects.

import assert from 'node:assert/strict'
import { request } from 'node:https'
import type { RequestOptions } from 'node:https'
import { Watch } from '@kubernetes/client-node'
import type { KubeConfig, V1ObjectMeta } from '@kubernetes/client-node'
import { watched } from '../watched.ts'

export interface Named {
  readonly metadata?: V1ObjectMeta
}

export interface Answer<T> {
  readonly code: number
  readonly body: T
}

const WAIT_MS = 60_000

export class Collection<T extends Named> {
  readonly #config: KubeConfig
  readonly path: string

  /** `path` as in `/apis/batch/v1/namespaces/x/jobs`. */
  constructor(config: KubeConfig, path: string) {
    this.#config = config
    this.path = path
  }

  create(object: T): Promise<T> {
    return this.#expect<T>(201, 'POST', '', object)
  }

  get(name: string, subresource = ''): Promise<T> {
    return this.#expect<T>(200, 'GET', `/${name}${subresource}`)
  }

  replace(object: T, subresource = ''): Promise<T> {
    return this.#expect<T>(200, 'PUT', `/${object.metadata!.name}${subresource}`, object)
  }

  /** Reads, changes and writes until nobody came between. */
  async change(name: string, edit: (object: T) => void, subresource = ''): Promise<T> {
    while (true) {
      const next = await this.get(name)
      edit(next)
      const { code, body } = await this.call<T>('PUT', `/${name}${subresource}`, next)
      if (code === 200) return body
      assert.equal(code, 409, JSON.stringify(body))
    }
  }

  merge(name: string, body: unknown, subresource = ''): Promise<T> {
    return this.#expect<T>(200, 'PATCH', `/${name}${subresource}`, body, 'application/merge-patch+json')
  }

  strategic(name: string, body: unknown, subresource = ''): Promise<T> {
    return this.#expect<T>(200, 'PATCH', `/${name}${subresource}`, body, 'application/strategic-merge-patch+json')
  }

  async delete(name: string, options: unknown = {}): Promise<void> {
    await this.#expect(200, 'DELETE', `/${name}`, options)
  }

  async deleteAll(selector: string): Promise<void> {
    await this.#expect(200, 'DELETE', `?labelSelector=${encodeURIComponent(selector)}`)
  }

  async list(selector = ''): Promise<readonly T[]> {
    const query = selector === '' ? '' : `?labelSelector=${encodeURIComponent(selector)}`
    const { items } = await this.#expect<{ readonly items: readonly T[] }>(200, 'GET', query)
    return items
  }

  /** Any call, whatever the answer. */
  async call<R>(method: string, suffix: string, body?: unknown, type = 'application/json'): Promise<Answer<R>> {
    const url = new URL(`${this.path}${suffix}`, this.#config.getCurrentCluster()!.server)
    const options: RequestOptions = {}
    await this.#config.applyToHTTPSOptions(options)
    return new Promise((resolve, reject) => {
      const text = body === undefined ? '' : JSON.stringify(body)
      // Stated, since Node leaves it out for a DELETE.
      const headers = { accept: 'application/json', 'content-type': type, 'content-length': Buffer.byteLength(text) }
      const call = request(url, { ...options, method, headers }, (response) => {
        const chunks: Buffer[] = []
        response.on('data', (chunk: Buffer) => chunks.push(chunk))
        response.on('error', reject)
        response.on('end', () =>
          resolve({ code: response.statusCode!, body: JSON.parse(Buffer.concat(chunks).toString()) as R }),
        )
      })
      call.on('error', reject)
      call.end(text)
    })
  }

  async #expect<R>(code: number, method: string, suffix: string, body?: unknown, type?: string): Promise<R> {
    const answer = await this.call<R>(method, suffix, body, type)
    assert.equal(answer.code, code, `${method} ${this.path}${suffix}: ${JSON.stringify(answer.body)}`)
    return answer.body
  }

  until(name: string, isWanted: (object: T) => boolean, waitMs = WAIT_MS): Promise<T> {
    const wish = { path: this.path, name, isWanted: (object?: T) => object !== undefined && isWanted(object), waitMs }
    return watched<T>(this.#config, wish) as Promise<T>
  }

  async gone(name: string, waitMs = WAIT_MS): Promise<void> {
    await watched<T>(this.#config, { path: this.path, name, isWanted: (object) => object === undefined, waitMs })
  }

  /** Follows all that the selector picks until they are as wanted. */
  async untilAll(selector: string, isWanted: (all: readonly T[]) => boolean, waitMs = WAIT_MS): Promise<readonly T[]> {
    const all = new Map<string, T>()
    const done = Promise.withResolvers<readonly T[]>()
    let isListed = false
    const onEvent = (phase: string, object: T): void => {
      const name = object.metadata?.name ?? ''
      if (phase === 'BOOKMARK') isListed = true
      else if (phase === 'DELETED') all.delete(name)
      else all.set(name, object)
      if (isListed && isWanted([...all.values()])) done.resolve([...all.values()])
    }
    const query = {
      labelSelector: selector,
      sendInitialEvents: true,
      resourceVersionMatch: 'NotOlderThan',
      allowWatchBookmarks: true,
    }
    const calls: AbortController[] = []
    const begin = async (): Promise<void> => {
      isListed = false
      all.clear()
      calls.push(await new Watch(this.#config).watch(this.path, query, onEvent, (error) => void onEnd(error)))
    }
    // The client takes a watch that is quiet for half a minute for a broken one.
    const onEnd = (error: unknown): Promise<void> | void => {
      if (error instanceof DOMException && error.name === 'TimeoutError') return begin().catch(done.reject)
      done.reject(new Error(`the watch of ${this.path} ended: ${String(error)}`))
    }
    await begin()
    const timer = setTimeout(() => {
      const last = JSON.stringify([...all.values()])
      done.reject(new Error(`${this.path}?${selector} is not as wanted after ${waitMs} ms; last seen: ${last}`))
    }, waitMs)
    return done.promise.finally(() => {
      clearTimeout(timer)
      for (const call of calls) call.abort()
    })
  }
}
