// An issuer for tests: OpenID Connect discovery and keys over TLS on loopback, and tokens signed as one asks.

import { once } from 'node:events'
import { createServer } from 'node:https'
import type { AddressInfo } from 'node:net'
import { exportJWK, generateKeyPair, SignJWT, type CryptoKey, type JWK } from 'jose'
import type { Scope } from '@aksel/base/scope'
import { createAuthority, issue } from '@aksel/runtime/pki'

export interface TestIssuer extends AsyncDisposable {
  readonly url: string
  readonly caPem: string
  /** How often the keys were asked for. */
  readonly fetches: number
  /** By path: what else it hands out, to whom has the token. */
  readonly documents: Map<string, { readonly bearerToken?: string; readonly text: string }>
  /** Answers 503 from now on, or no longer. */
  isDown: boolean
  /** Another key from now on; the old one is gone from the key set. */
  rotate(): Promise<void>
  /** Valid for an hour, for audience `aksel`, unless the claims say otherwise; a claim of undefined is left out. */
  sign(claims: Readonly<Record<string, unknown>>, algorithm?: Algorithm): Promise<string>
}

export type Algorithm = 'ES256' | 'RS256'

export async function startTestIssuer(scope: Scope): Promise<TestIssuer> {
  const authority = await createAuthority(scope, { commonName: 'issuer-ca', years: 1 })
  const serving = await issue(scope, authority, {
    commonName: 'issuer',
    ipAddresses: ['127.0.0.1'],
    usages: ['server'],
    days: 1,
  })
  const keys = new Map<Algorithm, { readonly privateKey: CryptoKey; readonly jwk: JWK }>()
  const documents: TestIssuer['documents'] = new Map()
  const state = { fetches: 0, isDown: false, generation: 0 }
  const rotate = async (): Promise<void> => {
    state.generation += 1
    for (const alg of ['ES256', 'RS256'] as const) {
      const { privateKey, publicKey } = await generateKeyPair(alg)
      const jwk = { ...(await exportJWK(publicKey)), kid: `${alg}-${state.generation}`, alg, use: 'sig' }
      keys.set(alg, { privateKey, jwk })
    }
  }
  await rotate()
  const server = createServer({ cert: serving.certificatePem, key: serving.keyPem }, (request, response) => {
    const isKeys = request.url === '/keys'
    if (isKeys) state.fetches += 1
    if (state.isDown) return void response.writeHead(503).end()
    const own = documents.get(request.url ?? '')
    if (own !== undefined) {
      const isMeant = own.bearerToken === undefined || request.headers.authorization === `Bearer ${own.bearerToken}`
      return void response
        .writeHead(isMeant ? 200 : 401, { 'content-type': 'application/jwt' })
        .end(isMeant ? own.text : '')
    }
    response.setHeader('content-type', 'application/json')
    const document = isKeys
      ? { keys: [...keys.values()].map(({ jwk }) => jwk) }
      : { issuer: url(), jwks_uri: `${url()}/keys` }
    response.end(JSON.stringify(document))
  })
  const url = (): string => `https://127.0.0.1:${(server.address() as AddressInfo).port}`
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  return {
    url: url(),
    caPem: authority.certificatePem,
    documents,
    get fetches() {
      return state.fetches
    },
    get isDown() {
      return state.isDown
    },
    set isDown(down) {
      state.isDown = down
    },
    rotate,
    async sign(claims, algorithm = 'ES256') {
      const { privateKey, jwk } = keys.get(algorithm)!
      const now = Math.floor(scope.clock.now() / 1000)
      const all = { iss: url(), aud: 'aksel', sub: 'jane', iat: now, exp: now + 3600, ...claims }
      return new SignJWT(all).setProtectedHeader({ alg: algorithm, kid: jwk.kid! }).sign(privateKey)
    },
    async [Symbol.asyncDispose]() {
      server.closeAllConnections()
      server.close()
      await once(server, 'close')
    },
  }
}
