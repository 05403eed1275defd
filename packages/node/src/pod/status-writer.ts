// Writes a pod's status to the API when it differs from what was written last, and makes it anew when another was first.

import { isDeepStrictEqual } from 'node:util'
import { pods } from '@aksel/api/resources'
import type { Pod, PodStatus } from '@aksel/api/types/core-v1'
import { isReason } from '@aksel/base/errors'
import type { Client } from '@aksel/client/client'
import { revisionOf } from './ending.ts'
import { identityOf } from './names.ts'

const ATTEMPTS_MAX = 5

/** What this node says of a pod, and nobody else. */
export const ownConditions: ReadonlySet<string> = new Set([
  'PodReadyToStartContainers',
  'Initialized',
  'Ready',
  'ContainersReady',
  'AllContainersRestarting',
])

export class StatusWriter {
  readonly #client: Client
  /** What we sent last, and what the server made of it: it may leave out what is empty. */
  #sent: PodStatus | undefined
  #stored: PodStatus | undefined
  #storedRevision = 0

  constructor(client: Client) {
    this.#client = client
  }

  /** The pod as it is then; the given one where nothing differed, undefined where it is gone. */
  async write(pod: Pod, make: (pod: Pod) => PodStatus): Promise<Pod | undefined> {
    let current = pod
    for (let attempt = 1; ; attempt += 1) {
      const status = make(current)
      if (this.#isWritten(current, status)) return current
      try {
        const written = await this.#client.update(pods, { ...current, status }, { subresource: 'status' })
        this.#sent = status
        this.#stored = written.status
        this.#storedRevision = revisionOf(written)
        return written
      } catch (error) {
        if (isReason(error, 'NotFound')) return undefined
        if (!isReason(error, 'Conflict') || attempt === ATTEMPTS_MAX) throw error
        const latest = await this.#latest(pod)
        if (latest === undefined) return undefined
        current = latest
      }
    }
  }

  /**
   * Another has changed since what is this node's to say: the loop that watches over nodes calls the pods of a silent one
   * not ready, and they would stay so when it is back.
   */
  isOverruled(now: Pod): boolean {
    if (this.#stored === undefined || revisionOf(now) <= this.#storedRevision) return false
    return ownWords(now.status) !== ownWords(this.#stored)
  }

  #isWritten(current: Pod, status: PodStatus): boolean {
    if (isDeepStrictEqual(current.status, status)) return true
    return isDeepStrictEqual(this.#sent, status) && isDeepStrictEqual(this.#stored, current.status)
  }

  /** Undefined where it is gone, or another pod has its name. */
  async #latest(pod: Pod): Promise<Pod | undefined> {
    const { name, namespace, uid } = identityOf(pod)
    try {
      const found = await this.#client.get(pods, { name, namespace })
      return found.metadata.uid === uid ? found : undefined
    } catch (error) {
      if (isReason(error, 'NotFound')) return undefined
      throw error
    }
  }
}

function ownWords(status: PodStatus | undefined): string {
  const conditions = (status?.conditions ?? []).filter(({ type }) => ownConditions.has(type))
  return conditions.map(({ type, status: word }) => `${type} ${word}`).join()
}
