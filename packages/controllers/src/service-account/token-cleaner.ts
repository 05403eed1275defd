// Declares tokens void that the system once made by itself and nobody used for a year, and takes them away after another one.

import { keyOf } from '@aksel/api/resource'
import { configMaps, pods, secrets, serviceAccounts } from '@aksel/api/resources'
import type { Pod, Secret, ServiceAccount } from '@aksel/api/types/core-v1'
import { ignoreReason } from '@aksel/base/errors'
import type { Scope } from '@aksel/base/scope'
import { again, done } from '@aksel/runtime/controller'
import type { Controller, Outcome, Source } from '@aksel/runtime/controller'
import { invalidSinceLabel, lastUsedLabel, trackingMap } from '@aksel/runtime/legacy-token'
import type { LoopParts } from '../parts.ts'
import { accountKeyOf, accountUidAnnotation } from './judge-token.ts'

export interface TokenCleanerParts extends LoopParts {
  /** How long a token may be unused, and how long it stands void before it goes. Default a year. */
  readonly unusedMs?: number
}

export interface UnusedFacts {
  readonly secret: Secret
  readonly account: ServiceAccount | undefined
  /** A pod mounts the secret. */
  readonly isMounted: boolean
  /** Day since which uses are noted. */
  readonly trackedSince: string
  readonly nowMs: number
  readonly unusedMs: number
}

export type UnusedVerdict =
  | { readonly kind: 'keep'; readonly againAfterMs: number | undefined }
  | { readonly kind: 'invalidate'; readonly day: string }
  | { readonly kind: 'restore' }
  | { readonly kind: 'delete' }

const DAY_MS = 86_400_000

/** Only tokens that their account names were made by the system; those that people make stay, used or not. */
export function judgeUnused(facts: UnusedFacts): UnusedVerdict {
  const { secret, account, isMounted, nowMs, unusedMs } = facts
  const isOurs =
    account !== undefined &&
    secret.metadata.annotations?.[accountUidAnnotation] === account.metadata.uid &&
    (account.secrets ?? []).some(({ name }) => name === secret.metadata.name)
  if (!isOurs) return { kind: 'keep', againAfterMs: undefined }
  const labels = secret.metadata.labels ?? {}
  const voidSince = Date.parse(labels[invalidSinceLabel] ?? '')
  const usedMs = lastUse(facts)
  if (usedMs === undefined) return { kind: 'keep', againAfterMs: DAY_MS }
  const unusedSinceMs = usedMs + unusedMs
  if (isMounted || nowMs < unusedSinceMs) {
    if (!Number.isNaN(voidSince)) return { kind: 'restore' }
    return { kind: 'keep', againAfterMs: Math.max(DAY_MS, unusedSinceMs - nowMs) }
  }
  if (Number.isNaN(voidSince) || voidSince > nowMs)
    return { kind: 'invalidate', day: new Date(nowMs).toISOString().slice(0, 10) }
  const goneMs = voidSince + unusedMs
  return nowMs < goneMs ? { kind: 'keep', againAfterMs: goneMs - nowMs } : { kind: 'delete' }
}

/** When it was used last, as far as anybody can say; undefined where nothing can be read. */
function lastUse({ secret, trackedSince }: UnusedFacts): number | undefined {
  const times = [
    secret.metadata.creationTimestamp ?? '',
    // Without a note, the last day without notes.
    secret.metadata.labels?.[lastUsedLabel] ?? trackedSince,
  ].map((text) => Date.parse(text))
  return times.some((ms) => Number.isNaN(ms)) ? undefined : Math.max(...times)
}

/** A year is more than a timer holds, and looking once a day costs nothing. */
const LOOK_AGAIN_MAX_MS = DAY_MS
const byAccount = 'token-cleaner/secrets'

export function legacyTokenCleaner({ client, caches, unusedMs = 365 * DAY_MS }: TokenCleanerParts): Controller {
  const tokens = caches.of(secrets)
  const accounts = caches.of(serviceAccounts)
  const users = caches.of(pods)
  accounts.addIndex(byAccount, ({ metadata, secrets: named = [] }) =>
    named.map(({ name }) => `${metadata.namespace}/${name}`),
  )
  const isNamed = (secret: Secret): boolean => accounts.byIndex(byAccount, keyOf(secret)).length > 0
  const own: Source<Secret> = {
    type: secrets,
    keysOf: (now) => (now === undefined || accountKeyOf(now) === undefined || !isNamed(now) ? [] : [keyOf(now)]),
  }
  const patch = (secret: Secret, value: string | null): Promise<unknown> => {
    const { uid, resourceVersion } = secret.metadata
    const body = { metadata: { uid, resourceVersion, labels: { [invalidSinceLabel]: value } } }
    return ignoreReason('NotFound', client.patch(secrets, secret.metadata, { kind: 'merge', body }))
  }
  const act = async (scope: Scope, secret: Secret): Promise<Outcome> => {
    const map = await ignoreReason('NotFound', client.get(configMaps, { namespace: 'kube-system', name: trackingMap }))
    const verdict = judgeUnused({
      secret,
      account: accounts.get(accountKeyOf(secret) ?? ''),
      isMounted: users.list(secret.metadata.namespace).some((pod) => mounts(pod, secret.metadata.name)),
      trackedSince: map?.data?.['since'] ?? '',
      nowMs: scope.clock.now(),
      unusedMs,
    })
    switch (verdict.kind) {
      case 'keep':
        return verdict.againAfterMs === undefined ? done : again(Math.min(verdict.againAfterMs, LOOK_AGAIN_MAX_MS))
      case 'invalidate':
        await patch(secret, verdict.day)
        return again(LOOK_AGAIN_MAX_MS)
      case 'restore':
        await patch(secret, null)
        return done
      case 'delete': {
        const { uid, resourceVersion } = secret.metadata
        const preconditions = { uid: uid!, resourceVersion: resourceVersion! }
        await ignoreReason('NotFound', client.delete(secrets, secret.metadata, { preconditions }))
        return done
      }
      default:
        return verdict satisfies never
    }
  }
  return {
    name: 'legacy-token-cleaner',
    sources: [own, { type: serviceAccounts, keysOf: () => [] }, { type: pods, keysOf: () => [] }],
    async reconcile(scope, key) {
      const secret = tokens.get(key)
      return secret === undefined ? done : act(scope, secret)
    },
  }
}

function mounts({ spec }: Pod, name: string): boolean {
  return (spec?.volumes ?? []).some(({ secret }) => secret?.secretName === name)
}
