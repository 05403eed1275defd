// Empties a namespace that is deleted, then lets it go.

import { namespaces, pods } from '@aksel/api/resources'
import type { ResourceType } from '@aksel/api/resource'
import type { Namespace, Pod } from '@aksel/api/types/core-v1'
import { ignoreReason, isReason } from '@aksel/base/errors'
import type { Scope } from '@aksel/base/scope'
import type { Client } from '@aksel/client/client'
import { again, done } from '@aksel/runtime/controller'
import type { Controller, Outcome, Source } from '@aksel/runtime/controller'
import { discover } from '../discovery.ts'
import { writeStatus } from '../parts.ts'
import type { LoopParts } from '../parts.ts'
import { empty } from './contents.ts'
import type { Remains } from './contents.ts'
import { isEmptied, judgeDeletion, recheckMs } from './status.ts'
import type { DeletionFacts } from './status.ts'

const finalizer = 'kubernetes'

export function namespaceController({ client, caches }: LoopParts): Controller {
  const known = caches.of(namespaces)
  const isDying = (name: string): boolean => known.get(name)?.metadata.deletionTimestamp !== undefined
  const own: Source<Namespace> = {
    type: namespaces,
    keysOf: (now) => (now?.metadata.deletionTimestamp === undefined ? [] : [now.metadata.name]),
  }
  // The last thing to end is a pod; its end is worth a look at once.
  const ends: Source<Pod> = {
    type: pods,
    keysOf: (now, before) =>
      now === undefined && isDying(before!.metadata.namespace!) ? [before!.metadata.namespace!] : [],
  }
  return {
    name: 'namespace',
    sources: [own, ends],
    workers: 10,
    async reconcile(scope, key) {
      const namespace = known.get(key)
      if (namespace?.metadata.deletionTimestamp === undefined) return done
      return remove(scope, client, namespace)
    },
  }
}

async function remove(scope: Scope, client: Client, cached: Namespace): Promise<Outcome> {
  // The cache may be behind our own status write of a pass ago.
  const namespace = await ignoreReason('NotFound', client.get(namespaces, cached.metadata))
  if (namespace === undefined || namespace.metadata.uid !== cached.metadata.uid) return done
  if (!(namespace.spec?.finalizers ?? []).includes(finalizer)) return done
  const facts = await emptyAll(client, namespace.metadata.name)
  const written = await writeStatus(client, namespaces, namespace, judgeDeletion(namespace, facts, scope.clock.now()))
  if (!isEmptied(facts)) return again(recheckMs(facts))
  const finalizers = (namespace.spec?.finalizers ?? []).filter((name) => name !== finalizer)
  const freed = { ...written, spec: { ...written.spec, finalizers } }
  try {
    await client.update(namespaces, freed, { subresource: 'finalize' })
  } catch (error) {
    if (!isReason(error, 'NotFound')) throw error
  }
  return done
}

async function emptyAll(client: Client, namespace: string): Promise<DeletionFacts> {
  const { types, failures } = await discover(client, { namespaced: true })
  const remains: Remains[] = []
  const contentFailures: string[] = []
  // Pods first and alone, so that nothing they run on goes before they have ended (KEP-5080).
  // Events last, after all that still tell something.
  const isPods = (type: ResourceType): boolean => type.plural === 'pods' && type.group === ''
  const order = (type: ResourceType): number => (isPods(type) ? 0 : type.plural === 'events' ? 2 : 1)
  for (const type of types.toSorted((left, right) => order(left) - order(right))) {
    try {
      remains.push(await empty(client, type, namespace))
    } catch (error) {
      if (isReason(error, 'NotFound', 'MethodNotAllowed')) continue
      contentFailures.push(`${type.plural}: ${(error as Error).message}`)
    }
    const facts = { discoveryFailures: [], contentFailures, remains }
    if (isPods(type) && !isEmptied(facts)) break
  }
  return { discoveryFailures: failures, contentFailures, remains }
}
