// What becomes of a secret of type kubernetes.io/service-account-token: filled in, left alone, or taken away with its account.

import type { Secret, ServiceAccount } from '@aksel/api/types/core-v1'

export const tokenType = 'kubernetes.io/service-account-token'
export const accountNameAnnotation = 'kubernetes.io/service-account.name'
export const accountUidAnnotation = 'kubernetes.io/service-account.uid'

export interface TokenParts {
  /** PEM, which the secret carries beside the token. */
  readonly rootCaPem: string
  /** Called where a token is missing. */
  readonly sign: (secret: Secret, account: ServiceAccount) => string
  /** Until when what a key signed is believed, by key id; milliseconds since 1970. */
  readonly keyEnds: ReadonlyMap<string, number>
  readonly nowMs: number
}

export type TokenVerdict =
  /** `recheckMs`: its token is believed so long. */
  | { readonly kind: 'keep'; readonly recheckMs?: number }
  | { readonly kind: 'delete' }
  | { readonly kind: 'fill'; readonly secret: Secret }

/** The key of the account that a token secret is for; undefined for other secrets. */
export function accountKeyOf({ type, metadata }: Secret): string | undefined {
  const name = metadata.annotations?.[accountNameAnnotation] ?? ''
  return type === tokenType && name !== '' ? `${metadata.namespace}/${name}` : undefined
}

/** `account`: the one of the name that the secret gives, as the server has it. */
export function judgeToken(secret: Secret, account: ServiceAccount | undefined, parts: TokenParts): TokenVerdict {
  const annotations = secret.metadata.annotations ?? {}
  const uid = annotations[accountUidAnnotation] ?? ''
  if (account === undefined || (uid !== '' && uid !== account.metadata.uid)) return { kind: 'delete' }
  const wanted: Record<string, string> = {}
  const data = secret.data ?? {}
  const caText = base64(parts.rootCaPem)
  if (data['ca.crt'] !== caText) wanted['ca.crt'] = caText
  if ((data['namespace'] ?? '') === '') wanted['namespace'] = base64(secret.metadata.namespace!)
  const believedMs = endOf(data['token'] ?? '', parts.keyEnds) - parts.nowMs
  if (believedMs <= 0) wanted['token'] = base64(parts.sign(secret, account))
  if (Object.keys(wanted).length === 0 && uid !== '')
    return Number.isFinite(believedMs) ? { kind: 'keep', recheckMs: believedMs } : { kind: 'keep' }
  const { name, uid: accountUid } = account.metadata
  const metadata = {
    ...secret.metadata,
    annotations: { ...annotations, [accountNameAnnotation]: name, [accountUidAnnotation]: accountUid! },
  }
  return { kind: 'fill', secret: { ...secret, metadata, data: { ...data, ...wanted } } }
}

/** When a token stops being believed: at once where its key is none of ours, or where there is none. */
function endOf(tokenText: string, keyEnds: ReadonlyMap<string, number>): number {
  if (tokenText === '') return Number.NEGATIVE_INFINITY
  try {
    const header = Buffer.from(tokenText, 'base64').toString().split('.', 1)[0]!
    const { kid } = JSON.parse(Buffer.from(header, 'base64url').toString()) as { readonly kid?: string }
    return keyEnds.get(kid ?? '') ?? Number.NEGATIVE_INFINITY
  } catch {
    // What somebody else put there is left to them.
    return Number.POSITIVE_INFINITY
  }
}

function base64(text: string): string {
  return Buffer.from(text).toString('base64')
}
