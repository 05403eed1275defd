// Makes bootstrap tokens: for machines of node pools, which are handed the rest, and for other hosts, which have to be sure whom they
// speak to.

import { secrets } from '@aksel/api/resources'
import { formatTime } from '@aksel/base/clock'
import { nameSuffix } from '@aksel/base/ids'
import type { Scope } from '@aksel/base/scope'
import type { Client } from '@aksel/client/client'
import { tokenNamespace } from './token-secret.ts'

export interface BootstrapToken {
  /** `abcdef.0123456789abcdef` */
  readonly token: string
  readonly expiresMs: number
}

/** Bound to what a node needs before it is one. */
export const bootstrappersGroup = 'system:bootstrappers:aksel:nodes'

export interface TokenWish {
  readonly description: string
  readonly durationMs: number
  /** Its holder can tell by `cluster-info` whether an API server is the cluster's. False when absent. */
  readonly signs?: boolean
}

/** Writes the token's Secret; the token cleaner takes it away when it has ended. */
export async function makeToken(scope: Scope, client: Client, wish: TokenWish): Promise<BootstrapToken> {
  const [id, secret] = [nameSuffix(scope.random, 6), nameSuffix(scope.random, 16)]
  const expiresMs = scope.clock.now() + wish.durationMs
  const fields = {
    'token-id': id,
    'token-secret': secret,
    expiration: formatTime(expiresMs),
    'usage-bootstrap-authentication': 'true',
    ...(wish.signs === true ? { 'usage-bootstrap-signing': 'true' } : {}),
    'auth-extra-groups': bootstrappersGroup,
    description: wish.description,
  }
  await client.create(secrets, {
    metadata: { name: `bootstrap-token-${id}`, namespace: tokenNamespace },
    type: 'bootstrap.kubernetes.io/token',
    data: Object.fromEntries(
      Object.entries(fields).map(([name, text]) => [name, Buffer.from(text).toString('base64')]),
    ),
  })
  return { token: `${id}.${secret}`, expiresMs }
}
