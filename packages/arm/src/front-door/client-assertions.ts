// Tokens of somebody else in place of a secret: a pod's, signed by its cluster, stands for the identity whose federated
// credential names issuer, subject and audience. Refusals are those of Microsoft Entra ID, by number.

import {
  createLocalJWKSet,
  createRemoteJWKSet,
  customFetch,
  decodeJwt,
  errors,
  jwtVerify,
  type JSONWebKeySet,
} from 'jose'
import type { JWTPayload, JWTVerifyGetKey } from 'jose'
import { anySignal } from '@aksel/base/any-signal'
import type { Scope } from '@aksel/base/scope'
import type { DocumentRecord, Json } from '../records.ts'
import { applicationOf } from '../resource-providers/directory/directory.ts'
import { credentialsOf } from '../resource-providers/neighbours/federated-credentials.ts'
import { keys, type ResourceStore } from '../store-keyspace.ts'
import { objectIdOf } from './client-identity.ts'

export const assertionType = 'urn:ietf:params:oauth:client-assertion-type:jwt-bearer'

/** Of the clocks of issuers, as Entra has it. */
const LEEWAY_SECONDS = 300
const FETCH_TIMEOUT_MS = 10_000
const algorithms = ['RS256', 'RS384', 'RS512', 'PS256', 'PS384', 'PS512', 'ES256', 'ES384', 'ES512']

/** Why an assertion is not believed: the number goes behind `AADSTS`. */
export class AssertionRefusedError extends Error {
  readonly status: number
  readonly error: string
  readonly number: number

  constructor(
    number: number,
    text: string,
    how: { readonly status?: number; readonly error?: string; readonly cause?: unknown } = {},
  ) {
    super(text, how.cause === undefined ? {} : { cause: how.cause })
    this.name = 'AssertionRefusedError'
    this.number = number
    this.status = how.status ?? 401
    this.error = how.error ?? 'invalid_client'
  }
}

export interface AssertionParts {
  readonly store: ResourceStore
  /** The keys of a cluster of ours; undefined where the issuer is none of them. Rejects where its OIDC issuer is off. */
  readonly clusterKeys: (issuer: string) => Promise<{ readonly keys: readonly Json[] } | undefined>
  /** How issuers elsewhere are asked. */
  readonly fetch: typeof fetch
}

interface Federated {
  readonly issuer: string
  readonly subject: string
  readonly audiences: readonly string[]
}

interface Client {
  readonly objectId: string
  readonly federated: readonly Federated[]
}

/** The object id of the client that the assertion stands for. Rejects with an AssertionRefusedError. */
export async function assertedClient(
  scope: Scope,
  parts: AssertionParts,
  asked: { readonly clientId: string; readonly assertion: string; readonly tenant: string },
): Promise<string> {
  const claims = decoded(asked.assertion)
  const client = await clientOf(parts.store, asked.clientId)
  if (client === undefined)
    throw new AssertionRefusedError(
      700016,
      `Application with identifier '${asked.clientId}' was not found in the directory '${asked.tenant}'.`,
      { status: 400, error: 'unauthorized_client' },
    )
  const credential = matching(client.federated, claims)
  const keyOf = await keysOf(scope, parts, credential.issuer)
  try {
    await jwtVerify(asked.assertion, keyOf, {
      algorithms,
      issuer: credential.issuer,
      subject: credential.subject,
      audience: [...credential.audiences],
      currentDate: new Date(scope.clock.now()),
      clockTolerance: LEEWAY_SECONDS,
      requiredClaims: ['exp'],
    })
  } catch (error) {
    throw refusal(scope, claims, error)
  }
  return client.objectId
}

function decoded(assertion: string): JWTPayload {
  try {
    return decodeJwt(assertion)
  } catch (cause) {
    throw new AssertionRefusedError(50027, 'JWT token is invalid or malformed.', {
      status: 400,
      error: 'invalid_request',
      cause,
    })
  }
}

/** A user-assigned identity by its client id, or an application of the directory. */
async function clientOf(store: ResourceStore, clientId: string): Promise<Client | undefined> {
  const application = await applicationOf(store, clientId)
  if (application !== undefined) return { objectId: objectIdOf(application.appId), federated: application.federated }
  const all = await store.list<DocumentRecord>(keys.below('/subscriptions'))
  const found = all.find(
    ({ value }) =>
      value.kind === 'document' &&
      /^microsoft\.managedidentity\/userassignedidentities$/i.test(value.type) &&
      String(value.properties['clientId']).toLowerCase() === clientId.toLowerCase(),
  )
  if (found === undefined) return undefined
  const credentials = await credentialsOf(store, found.value.id)
  return {
    objectId: String(found.value.properties['principalId']),
    federated: credentials.map(({ value }) => value.properties),
  }
}

/** Issuer, subject and audience are compared letter by letter, in this order. */
function matching(federated: readonly Federated[], { iss = '', sub = '', aud = [] }: JWTPayload): Federated {
  const audiences = [aud].flat()
  const none = (number: number, what: string): AssertionRefusedError =>
    new AssertionRefusedError(
      number,
      `No matching federated identity record found for presented assertion ${what}. Check your federated identity credential Subject, Audience and Issuer against the presented assertion. https://learn.microsoft.com/entra/workload-id/workload-identity-federation`,
    )
  const ofIssuer = federated.filter(({ issuer }) => issuer === iss)
  if (ofIssuer.length === 0) throw none(700211, `issuer '${iss}'`)
  const ofSubject = ofIssuer.filter(({ subject }) => subject === sub)
  if (ofSubject.length === 0) throw none(700213, `subject '${sub}'`)
  const found = ofSubject.find((one) => one.audiences.some((audience) => audiences.includes(audience)))
  if (found === undefined) throw none(700212, `audience '${audiences.join(' ')}'`)
  return found
}

/** A cluster of ours is not asked over the network: it may be reached by its nodes alone. */
async function keysOf(scope: Scope, parts: AssertionParts, issuer: string): Promise<JWTVerifyGetKey> {
  const where = `${issuer.replace(/\/$/, '')}/.well-known/openid-configuration`
  try {
    const own = await parts.clusterKeys(issuer)
    if (own !== undefined) return createLocalJWKSet(own as unknown as JSONWebKeySet)
    const signal = anySignal([scope.signal, AbortSignal.timeout(FETCH_TIMEOUT_MS)])
    const answer = await parts.fetch(where, { signal, redirect: 'error' })
    if (!answer.ok) throw new Error(`${where} answered ${answer.status}`)
    const document = (await answer.json()) as { readonly issuer?: unknown; readonly jwks_uri?: unknown }
    if (document.issuer !== issuer) throw new Error(`${where} is of the issuer "${String(document.issuer)}"`)
    const { jwks_uri: at } = document
    if (typeof at !== 'string' || !at.startsWith('https://')) throw new Error(`${where} names no jwks_uri over https`)
    return createRemoteJWKSet(new URL(at), { timeoutDuration: FETCH_TIMEOUT_MS, [customFetch]: parts.fetch })
  } catch (cause) {
    throw new AssertionRefusedError(
      50166,
      `Request to External OIDC endpoint failed: ${cause instanceof Error ? cause.message : String(cause)}.`,
      { status: 400, error: 'invalid_request', cause },
    )
  }
}

function refusal(scope: Scope, claims: JWTPayload, cause: unknown): AssertionRefusedError {
  const isOfTime =
    cause instanceof errors.JWTExpired || (cause instanceof errors.JWTClaimValidationFailed && cause.claim === 'nbf')
  if (!isOfTime) return new AssertionRefusedError(700027, 'Client assertion failed signature validation.', { cause })
  const at = (seconds: number | undefined): string =>
    seconds === undefined ? 'none' : new Date(seconds * 1000).toISOString()
  return new AssertionRefusedError(
    500133,
    `Assertion is not within its valid time range. Ensure that the access token is not expired before using it for user assertion, or request a new token. Current time: ${new Date(scope.clock.now()).toISOString()}, expiry time of assertion ${at(claims.exp)}.`,
    { cause },
  )
}
