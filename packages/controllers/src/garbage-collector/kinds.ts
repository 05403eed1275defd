// The kinds whose objects own or are owned: all that the server serves, and those that come later.

import { groupVersionOf } from '@aksel/api/resource'
import type { ResourceType } from '@aksel/api/resource'
import { sleep } from '@aksel/base/clock'
import type { Scope } from '@aksel/base/scope'
import type { Client } from '@aksel/client/client'
import { discover } from '../discovery.ts'

/** Further kinds: those of custom resources. */
export interface KindSource {
  list(): readonly ResourceType[]
  subscribe(onChange: () => void): Disposable
}

/** Events pass by themselves and own nothing; nobody waits for them. */
const notCollected: ReadonlySet<string> = new Set(['events'])

const retryBaseMs = 500
const retryMaxMs = 30_000

/** Asks until the server answers; rejects only when the scope ends. A group that fails is left out. */
export async function servedKinds(scope: Scope, client: Client): Promise<readonly ResourceType[]> {
  for (let tries = 0; ; tries += 1) {
    try {
      const answers = [await discover(client, { namespaced: true }), await discover(client, { namespaced: false })]
      for (const failure of answers.flatMap(({ failures }) => failures)) {
        scope.log.warn('objects of a group are not collected', { failure })
      }
      return answers.flatMap(({ types }) => types).filter(({ plural }) => !notCollected.has(plural))
    } catch (error) {
      scope.signal.throwIfAborted()
      scope.log.warn('discovery failed', { error })
      await sleep(scope.clock, Math.min(retryBaseMs * 2 ** tries, retryMaxMs), scope.signal)
    }
  }
}

/** `apps/v1/replicasets`. */
export function kindKey(type: ResourceType): string {
  return `${groupVersionOf(type)}/${type.plural}`
}
