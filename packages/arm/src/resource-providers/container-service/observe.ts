// Waiting for objects of a cluster to be as wished: one list, then a watch, again where the watch breaks.

import { keyOf, type KubernetesObject, type ResourceType } from '@aksel/api/resource'
import { anySignal } from '@aksel/base/any-signal'
import { sleep } from '@aksel/base/clock'
import type { Scope } from '@aksel/base/scope'
import type { Client, ListOptions } from '@aksel/client/client'

export interface Wait<T> {
  readonly type: ResourceType<T & KubernetesObject>
  readonly list: Pick<ListOptions, 'fieldSelector' | 'labelSelector' | 'namespace'>
  readonly signal: AbortSignal
  /** Called with everything there is, at first and after every change. */
  readonly satisfied: (objects: ReadonlyMap<string, T>) => boolean
}

const reconnectMs = 500

/** Resolves when satisfied; rejects with the signal's reason. */
export async function waitUntil<T extends KubernetesObject>(
  scope: Scope,
  client: Client,
  wait: Wait<T>,
): Promise<void> {
  while (true) {
    wait.signal.throwIfAborted()
    try {
      if (await follow(client, wait)) return
    } catch (error) {
      wait.signal.throwIfAborted()
      scope.log.warn('watch broke off, starting again', { resource: wait.type.plural, error })
    }
    await sleep(scope.clock, reconnectMs, wait.signal)
  }
}

/** True when satisfied, false when the watch ended first. */
async function follow<T extends KubernetesObject>(client: Client, wait: Wait<T>): Promise<boolean> {
  const stop = new AbortController()
  const signal = anySignal([wait.signal, stop.signal])
  const { metadata, items } = await client.list(wait.type, { ...wait.list, signal })
  const objects = new Map(items.map((item) => [keyOf(item), item]))
  if (wait.satisfied(objects)) return true
  const resourceVersion = metadata.resourceVersion
  const events = client.watch(wait.type, {
    ...wait.list,
    ...(resourceVersion === undefined ? {} : { resourceVersion }),
    signal,
  })
  try {
    for await (const { type, object } of events) {
      if (type === 'BOOKMARK') continue
      if (type === 'DELETED') objects.delete(keyOf(object))
      else objects.set(keyOf(object), object)
      if (wait.satisfied(objects)) return true
    }
    return false
  } finally {
    stop.abort()
  }
}
