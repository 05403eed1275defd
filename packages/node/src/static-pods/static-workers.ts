// Static pods over time: which run, which wait for an earlier one of their name to end, and whose picture in the API
// belongs to nobody any more.

import type { Pod } from '@aksel/api/types/core-v1'
import type { Scope } from '@aksel/base/scope'
import type { Client } from '@aksel/client/client'
import { deleteMirror } from './mirror.ts'

export interface StaticWorld {
  readonly client: Client
  /** Begins to run it. `onGone` is called when nothing of it is left on the node. */
  start(pod: Pod, onGone: () => void): void
  /** Ends it as if its object were gone. */
  end(uid: string): void
  wake(uid: string): void
}

export class StaticWorkers {
  readonly #scope: Scope
  readonly #world: StaticWorld
  /** By `namespace/name`. */
  readonly #wanted = new Map<string, Pod>()
  readonly #running = new Map<string, Pod>()
  readonly #mirrors = new Map<string, Pod>()
  #isRead = false

  constructor(scope: Scope, world: StaticWorld) {
    this.#scope = scope
    this.#world = world
  }

  mirrorOf(pod: Pod): Pod | undefined {
    return this.#mirrors.get(keyOf(pod))
  }

  /** All that the manifests say now. */
  set(pods: readonly Pod[]): void {
    this.#isRead = true
    this.#wanted.clear()
    for (const pod of pods) this.#wanted.set(keyOf(pod), pod)
    for (const [key, running] of this.#running) {
      if (this.#wanted.get(key)?.metadata.uid !== running.metadata.uid) this.#world.end(running.metadata.uid ?? '')
    }
    for (const key of this.#wanted.keys()) this.#startIfFree(key)
    for (const [key, mirror] of this.#mirrors) this.#judgeMirror(key, mirror)
  }

  /** A mirror pod came, changed or went. */
  onMirror(now: Pod | undefined, before: Pod | undefined): void {
    const pod = now ?? before
    if (pod === undefined) return
    const key = keyOf(pod)
    if (now === undefined) this.#mirrors.delete(key)
    else this.#mirrors.set(key, now)
    const running = this.#running.get(key)
    if (running !== undefined) this.#world.wake(running.metadata.uid ?? '')
    else if (now !== undefined) this.#judgeMirror(key, now)
  }

  /** A second pod of a name waits for the first: they may want the same ports and files. */
  #startIfFree(key: string): void {
    const pod = this.#wanted.get(key)
    if (pod === undefined || this.#running.has(key)) return
    this.#running.set(key, pod)
    this.#world.start(pod, () => {
      this.#running.delete(key)
      this.#startIfFree(key)
      const mirror = this.#mirrors.get(key)
      if (mirror !== undefined) this.#judgeMirror(key, mirror)
    })
  }

  #judgeMirror(key: string, mirror: Pod): void {
    if (!this.#isRead || this.#wanted.has(key) || this.#running.has(key)) return
    deleteMirror(this.#world.client, mirror).catch((error: unknown) =>
      this.#scope.log.warn('the mirror of a static pod that is gone was not deleted', { error, pod: key }),
    )
  }
}

function keyOf({ metadata }: Pod): string {
  return `${metadata.namespace ?? 'default'}/${metadata.name}`
}
