// Every namespace has a service account `default`.

import { namespaces, serviceAccounts } from '@aksel/api/resources'
import type { Namespace, ServiceAccount } from '@aksel/api/types/core-v1'
import { isReason } from '@aksel/base/errors'
import { done } from '@aksel/runtime/controller'
import type { Controller, Source } from '@aksel/runtime/controller'
import type { LoopParts } from '../parts.ts'
import { isNamespaceTerminating } from '../pod-control.ts'

const name = 'default'

export function serviceAccountController({ client, caches }: LoopParts): Controller {
  const known = caches.of(namespaces)
  const accounts = caches.of(serviceAccounts)
  const spaces: Source<Namespace> = {
    type: namespaces,
    keysOf: (now) => (now === undefined ? [] : [now.metadata.name]),
  }
  const losses: Source<ServiceAccount> = {
    type: serviceAccounts,
    keysOf: (now, before) => (now === undefined && before!.metadata.name === name ? [before!.metadata.namespace!] : []),
  }
  return {
    name: 'service-account',
    sources: [spaces, losses],
    async reconcile(_scope, key) {
      const namespace = known.get(key)
      if (namespace === undefined || namespace.metadata.deletionTimestamp !== undefined) return done
      if (accounts.get(`${key}/${name}`) !== undefined) return done
      try {
        await client.create(serviceAccounts, { metadata: { name, namespace: key } })
      } catch (error) {
        if (!isReason(error, 'AlreadyExists') && !isNamespaceTerminating(error)) throw error
      }
      return done
    },
  }
}
