// Notes on a token's secret the day it was last used, so that tokens nobody uses can be found. Beside the request, once a day.

import { secrets } from '@aksel/api/resources'
import type { Secret } from '@aksel/api/types/core-v1'
import { isReason } from '@aksel/base/errors'
import type { Scope } from '@aksel/base/scope'
import type { Client } from '@aksel/client/client'
import { lastUsedLabel } from '@aksel/runtime/legacy-token'

/** `2026-01-31`, in UTC. */
export function dayOf(nowMs: number): string {
  return new Date(nowMs).toISOString().slice(0, 10)
}

export function noteLegacyUses(scope: Scope, opened: () => Pick<Client, 'patch'>): (secret: Secret) => void {
  const underWay = new Set<string>()
  return (secret) => {
    const { uid = '', labels } = secret.metadata
    const today = dayOf(scope.clock.now())
    if (labels?.[lastUsedLabel] === today || underWay.has(uid)) return
    underWay.add(uid)
    const body = { metadata: { uid, labels: { [lastUsedLabel]: today } } }
    void Promise.resolve()
      .then(() => opened().patch(secrets, secret.metadata, { kind: 'merge', body }))
      .catch((error: unknown) => {
        if (!isReason(error, 'NotFound', 'Conflict') && !scope.signal.aborted)
          scope.log.warn('the use of a token was not noted', { error })
      })
      .finally(() => underWay.delete(uid))
  }
}
