// Tokens that bind a pod to its service account, asked for when needed and again before they end.

import { serviceAccounts } from '@aksel/api/resources'
import type { Pod, ServiceAccountTokenProjection } from '@aksel/api/types/core-v1'
import type { TokenRequest } from '@aksel/api/types/authentication-v1'
import type { Scope } from '@aksel/base/scope'
import type { Client } from '@aksel/client/client'

export interface PodToken {
  readonly token: string
  readonly expirationTimestamp: string
  /** When to ask for the next one: at four fifths of its life, or after a day. */
  readonly refreshAtMs: number
}

const LIFE_SECONDS_DEFAULT = 3600
const AGE_MS_MAX = 24 * 60 * 60_000
const SHARE_OF_LIFE = 0.8

export async function requestPodToken(
  scope: Scope,
  client: Client,
  pod: Pod,
  projection: ServiceAccountTokenProjection,
): Promise<PodToken> {
  const { name, namespace = 'default', uid } = pod.metadata
  const account = pod.spec.serviceAccountName ?? 'default'
  const body = {
    apiVersion: 'authentication.k8s.io/v1',
    kind: 'TokenRequest',
    spec: {
      audiences: projection.audience === undefined || projection.audience === '' ? [] : [projection.audience],
      expirationSeconds: projection.expirationSeconds ?? LIFE_SECONDS_DEFAULT,
      boundObjectRef: { apiVersion: 'v1', kind: 'Pod', name, uid },
    },
  }
  const answer = await client.createSubresource<TokenRequest>(
    serviceAccounts,
    { namespace, name: account },
    'token',
    body,
  )
  const status = answer.status
  if (status === undefined) throw new Error(`the server gave no token for service account "${namespace}/${account}"`)
  const now = scope.clock.now()
  const lifeMs = Date.parse(status.expirationTimestamp) - now
  const refreshAtMs = now + Math.min(lifeMs * SHARE_OF_LIFE, AGE_MS_MAX)
  return { token: status.token, expirationTimestamp: status.expirationTimestamp, refreshAtMs }
}
