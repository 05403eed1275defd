// Takes bootstrap tokens away that have ended.

import { keyOf } from '@aksel/api/resource'
import { secrets } from '@aksel/api/resources'
import type { Secret } from '@aksel/api/types/core-v1'
import { ignoreReason } from '@aksel/base/errors'
import { again, done } from '@aksel/runtime/controller'
import type { Controller, Source } from '@aksel/runtime/controller'
import type { LoopParts } from '../parts.ts'
import { expiryOf, isTokenSecret } from './token-secret.ts'

const LOOK_AGAIN_MAX_MS = 86_400_000

export function bootstrapTokenCleaner({ client, caches }: LoopParts): Controller {
  const known = caches.of(secrets)
  const own: Source<Secret> = {
    type: secrets,
    keysOf: (now) => (now !== undefined && isTokenSecret(now) ? [keyOf(now)] : []),
  }
  return {
    name: 'token-cleaner',
    sources: [own],
    async reconcile(scope, key) {
      const secret = known.get(key)
      if (secret === undefined || secret.metadata.deletionTimestamp !== undefined) return done
      const endMs = expiryOf(secret)
      if (endMs === undefined) return done
      const leftMs = endMs - scope.clock.now()
      if (leftMs > 0) return again(Math.min(leftMs, LOOK_AGAIN_MAX_MS))
      const { uid, resourceVersion } = secret.metadata
      const preconditions = { uid: uid!, resourceVersion: resourceVersion! }
      await ignoreReason('NotFound', client.delete(secrets, secret.metadata, { preconditions }))
      return done
    },
  }
}
