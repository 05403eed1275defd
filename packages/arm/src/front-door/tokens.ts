// Tokens of this server's own tenant: issued for a client's secret, checked on every call.

import { createHash, timingSafeEqual } from 'node:crypto'
import { importPKCS8, importSPKI, exportJWK, errors, jwtVerify, SignJWT, type JWTPayload } from 'jose'
import { ArmError } from '@aksel/base/errors'
import { uuid } from '@aksel/base/ids'
import type { Scope } from '@aksel/base/scope'
import { createServiceAccountKey, type SigningKey } from '@aksel/runtime/pki'
import { applicationOf, hasPassword } from '../resource-providers/directory/directory.ts'
import { keys, type ResourceStore } from '../store-keyspace.ts'
import { objectIdOf, type ClientIdentity } from './client-identity.ts'
import { KnownTokens } from './known-tokens.ts'
import type { Caller } from './route.ts'

export interface Identity {
  readonly tenantId: string
  readonly clients: readonly ClientIdentity[]
}

const lifetimeSeconds = 3_600

export interface Tokens {
  /** The public key as a JSON web key. */
  readonly publicJwk: Readonly<Record<string, unknown>>
  issue(
    scope: Scope,
    request: {
      readonly clientId: string
      readonly audience: string
      readonly origin: string
      /** Where it does not follow from the client's id: of managed identities. */
      readonly objectId?: string
      /** The resource of a managed identity: its id goes with the token. */
      readonly resourceId?: string
      /** The program that acts in the client's name, where somebody signed it in. */
      readonly through?: string
    },
  ): Promise<string>
  /** Tells the program that is the audience whom it signed in; Resource Manager does not take it. */
  issueIdToken(
    scope: Scope,
    request: { readonly clientId: string; readonly audience: string; readonly origin: string },
  ): Promise<string>
  /** Whether there is such a client, and the secret is its own. */
  authenticate(scope: Scope, clientId: string, clientSecret: string): Promise<'unknown' | 'wrong' | 'right'>
  /** Who the token stands for where it was issued for one of the audiences and is in force; undefined for any other. */
  holderOf(scope: Scope, token: string, audiences: readonly string[]): Promise<Caller | undefined>
  /** Throws the 401 that tells what is wrong. */
  verify(scope: Scope, authorization: string | undefined): Promise<Caller>
}

/** The application that AKS's API servers are to the directory: what their callers ask tokens for. */
export const aksServerId = '6dae42f8-4368-4678-94ff-3960e28e3630'

/** Tokens whose signature is not looked at again; clients that ask for a new one each time push out their own old ones. */
const knownMax = 1_000

const isFor = ({ aud = [] }: JWTPayload, audiences: readonly string[]): boolean =>
  [aud].flat().some((one) => audiences.includes(one))

const isForApiServers = (audience: unknown): boolean => [audience].flat().some((one) => String(one) === aksServerId)

export async function openTokens(store: ResourceStore, identity: Identity): Promise<Tokens> {
  const signing = await signingKey(store)
  const privateKey = await importPKCS8(signing.privateKeyPem, 'ES256')
  const publicKey = await importSPKI(signing.publicKeyPem, 'ES256', { extractable: true })
  const known = new KnownTokens(knownMax)
  const checked = async (scope: Scope, token: string, audience?: readonly string[]): Promise<JWTPayload> => {
    const before = known.find(token, scope.clock.now())
    if (before !== undefined && (audience === undefined || isFor(before, audience))) return before
    const { payload } = await jwtVerify(token, publicKey, {
      algorithms: ['ES256'],
      currentDate: new Date(scope.clock.now()),
      requiredClaims: ['exp', 'appid', 'oid', 'tid'],
      ...(audience === undefined ? {} : { audience: [...audience] }),
    })
    known.add(token, payload)
    return payload
  }
  return {
    publicJwk: { ...(await exportJWK(publicKey)), kid: signing.keyId, use: 'sig', alg: 'ES256' },
    issue(scope, { clientId, audience, origin, objectId = objectIdOf(clientId), resourceId, through }) {
      const nowSeconds = Math.floor(scope.clock.now() / 1000)
      return new SignJWT({
        ...(through === undefined
          ? { appid: clientId, appidacr: '1', idtyp: 'app' }
          : { appid: through, appidacr: '0', idtyp: 'user', upn: clientId, scp: 'user_impersonation' }),
        oid: objectId,
        tid: identity.tenantId,
        uti: uuid(scope.random),
        ver: '1.0',
        ...(resourceId === undefined ? {} : { xms_mirid: resourceId }),
      })
        .setProtectedHeader({ alg: 'ES256', kid: signing.keyId, typ: 'JWT' })
        .setIssuer(`${origin}/${identity.tenantId}/`)
        .setSubject(objectId)
        .setAudience(audience)
        .setIssuedAt(nowSeconds)
        .setNotBefore(nowSeconds)
        .setExpirationTime(nowSeconds + lifetimeSeconds)
        .sign(privateKey)
    },
    issueIdToken(scope, { clientId, audience, origin }) {
      const nowSeconds = Math.floor(scope.clock.now() / 1000)
      const oid = objectIdOf(clientId)
      const names = { name: clientId, preferred_username: clientId, upn: clientId }
      return new SignJWT({ ...names, oid, tid: identity.tenantId, ver: '2.0' })
        .setProtectedHeader({ alg: 'ES256', kid: signing.keyId, typ: 'JWT' })
        .setIssuer(`${origin}/${identity.tenantId}/v2.0`)
        .setSubject(oid)
        .setAudience(audience)
        .setIssuedAt(nowSeconds)
        .setNotBefore(nowSeconds)
        .setExpirationTime(nowSeconds + lifetimeSeconds)
        .sign(privateKey)
    },
    async authenticate(scope, clientId, clientSecret) {
      const own = identity.clients.find((client) => client.clientId.toLowerCase() === clientId.toLowerCase())
      // A secret is compared even where the client is unknown, so that time tells nothing.
      const same = sameSecret(own?.clientSecret ?? '', clientSecret)
      if (own !== undefined) return same ? 'right' : 'wrong'
      const application = await applicationOf(store, clientId)
      if (application === undefined) return 'unknown'
      return hasPassword(scope, application, clientSecret) ? 'right' : 'wrong'
    },
    async holderOf(scope, token, audiences) {
      try {
        return holderIn(await checked(scope, token, audiences))
      } catch {
        return undefined
      }
    },
    async verify(scope, authorization) {
      if (authorization === undefined || authorization === '') {
        throw new ArmError(401, 'AuthenticationFailed', "Authentication failed. The 'Authorization' header is missing.")
      }
      const token = /^Bearer +(\S+)$/i.exec(authorization)?.[1]
      if (token === undefined) {
        throw new ArmError(
          401,
          'AuthenticationFailed',
          "Authentication failed. The 'Authorization' header is provided in an invalid format.",
        )
      }
      let payload: JWTPayload
      try {
        payload = await checked(scope, token)
      } catch (error) {
        throw refusal(scope, error)
      }
      if (!isForApiServers(payload.aud)) return holderIn(payload)
      throw new ArmError(
        401,
        'InvalidAuthenticationTokenAudience',
        `The access token has been obtained for wrong audience or resource '${aksServerId}'. It should exactly match with one of the allowed audiences of Azure Resource Manager.`,
      )
    },
  }
}

function holderIn(payload: JWTPayload): Caller {
  return {
    // Whoever was signed in by a program, else the program itself.
    clientId: String(payload['upn'] ?? payload['appid']),
    objectId: String(payload['oid']),
    tenantId: String(payload['tid']),
  }
}

export const tokenLifetimeSeconds = lifetimeSeconds

function sameSecret(left: string, right: string): boolean {
  const digest = (text: string): Buffer => createHash('sha256').update(text).digest()
  return timingSafeEqual(digest(left), digest(right))
}

function refusal(scope: Scope, error: unknown): ArmError {
  if (error instanceof errors.JWTExpired) {
    const at = new Date(Number(error.payload.exp) * 1000).toISOString()
    const now = new Date(scope.clock.now()).toISOString()
    return new ArmError(
      401,
      'ExpiredAuthenticationToken',
      `The access token expiry UTC time '${at}' is earlier than current UTC time '${now}'.`,
    )
  }
  return new ArmError(401, 'InvalidAuthenticationToken', 'The access token is invalid.', { cause: error })
}

/** The key is kept, so that tokens outlive a restart. */
async function signingKey(store: ResourceStore): Promise<SigningKey> {
  const stored = await store.get<SigningKey>(keys.signingKey)
  if (stored !== undefined) return stored.value
  const fresh = await createServiceAccountKey()
  await store.commit([{ kind: 'put', key: keys.signingKey, value: fresh, expected: 0 }])
  return (await store.get<SigningKey>(keys.signingKey))!.value
}
