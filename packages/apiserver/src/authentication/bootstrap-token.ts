// Bootstrap tokens: short secrets in kube-system that let a machine ask for its first certificate.

import { timingSafeEqual } from 'node:crypto'
import type { KindRow } from '@aksel/api/kind-row'
import type { Secret } from '@aksel/api/types/core-v1'
import type { Clock } from '@aksel/base/clock'
import type { RecordStore } from '../registry/record-store.ts'
import type { TokenUsers } from './authenticate.ts'
import type { TokenVerdict } from './service-account.ts'
import { authenticated, type UserInfo } from './user-info.ts'

const tokenForm = /^([a-z0-9]{6})\.([a-z0-9]{16})$/
const groupForm = /^system:bootstrappers:[a-z0-9:-]{0,255}[a-z0-9]$/
const defaultGroup = 'system:bootstrappers'
export const bootstrapTokenType = 'bootstrap.kubernetes.io/token'

export interface BootstrapTokenParts {
  readonly clock: Clock
  readonly records: RecordStore
  readonly secrets: KindRow
  /** Who this API server is to tokens; these say nothing of audiences and are good for all of its own. */
  readonly audiences: readonly string[]
}

/** Upstream's `--enable-bootstrap-token-auth`. */
export function bootstrapTokens({ clock, records, secrets, audiences: own }: BootstrapTokenParts): TokenUsers {
  return {
    async userOf(token, audiences = own): Promise<TokenVerdict | undefined> {
      const [, id, secretPart] = tokenForm.exec(token) ?? []
      if (id === undefined || secretPart === undefined) return undefined
      const shared = audiences.filter((audience) => own.includes(audience))
      if (shared.length === 0) return undefined
      const record = await records.get(secrets, 'kube-system', `bootstrap-token-${id}`)
      if (record === undefined) return undefined
      const user = bootstrapUser(record.object as Secret, { id, secret: secretPart, nowMs: clock.now() })
      return user === undefined ? undefined : { user, audiences: shared }
    },
  }
}

/** Who the secret makes of a bearer of this token; undefined where it is not meant for that, is over, or says another one. */
export function bootstrapUser(
  secret: Secret,
  token: { readonly id: string; readonly secret: string; readonly nowMs: number },
): UserInfo | undefined {
  if (secret.metadata.deletionTimestamp !== undefined || secret.type !== bootstrapTokenType) return undefined
  const field = (name: string): string => Buffer.from(secret.data?.[name] ?? '', 'base64').toString('utf8')
  if (!isEqual(field('token-secret'), token.secret) || field('token-id') !== token.id) return undefined
  if (hasExpired(field('expiration'), token.nowMs) || field('usage-bootstrap-authentication') !== 'true')
    return undefined
  const extra = field('auth-extra-groups')
  const groups = extra === '' ? [] : extra.split(',')
  if (!groups.every((group) => groupForm.test(group))) return undefined
  return authenticated({
    name: `system:bootstrap:${token.id}`,
    groups: [...new Set([defaultGroup, ...groups])].sort(),
  })
}

/** A time that cannot be read is over. */
function hasExpired(expiration: string, nowMs: number): boolean {
  return expiration !== '' && !(Date.parse(expiration) >= nowMs)
}

function isEqual(one: string, other: string): boolean {
  const [a, b] = [Buffer.from(one), Buffer.from(other)]
  return a.length === b.length && timingSafeEqual(a, b)
}
