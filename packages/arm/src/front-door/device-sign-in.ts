// Signing in where there is no browser: a program gets a code, somebody types it on a page with the id and secret of an application that
// exists here, and the program acts in that application's name. This directory has no people; a service principal stands for them.

import { applicationOf, secretHash } from '../resource-providers/directory/directory.ts'
import type { ResourceStore } from '../store-keyspace.ts'
import { objectIdOf } from './client-identity.ts'
import { answerSignIn, beginSignIn, deviceCodeSeconds, pollSeconds, pollSignIn, waitingFor } from './device-codes.ts'
import type { Approval, Polled } from './device-codes.ts'
import { devicePage, devicePageHeaders, type DeviceView } from './device-page.ts'
import { holderOfRefreshToken, issueRefreshToken, stillHolds } from './refresh-tokens.ts'
import { ok, param, type ArmRequest, type ArmResponse, type Route } from './route.ts'
import { audienceOf, formOf, isTenant, refused } from './sign-in-forms.ts'
import { tokenLifetimeSeconds, type Identity, type Tokens } from './tokens.ts'

/** Programs that every directory of Azure knows: they have no secret. */
const publicClients: Readonly<Record<string, string>> = {
  '04b07795-8ddb-461a-bbee-02f9e1bf7b46': 'Microsoft Azure CLI',
  '1950a258-227b-4e31-a9cf-717495945fc2': 'Microsoft Azure PowerShell',
  '80faf920-1908-4b52-b5ef-a8e7bedfc67a': 'Azure Kubernetes Service AAD Client',
}

/** OAuth's name, and that of the older endpoint. */
export const deviceGrants = ['urn:ietf:params:oauth:grant-type:device_code', 'device_code']

export interface DeviceParts {
  readonly identity: Identity
  readonly tokens: Tokens
  readonly store: ResourceStore
}

export function deviceRoutes(parts: DeviceParts): readonly Route[] {
  const open = { open: true } as const
  const begin = (request: ArmRequest): Promise<ArmResponse> => authorizeDevice(request, parts)
  return [
    { ...open, method: 'POST', path: '/:tenant/oauth2/v2.0/devicecode', handle: begin },
    { ...open, method: 'POST', path: '/:tenant/oauth2/devicecode', handle: begin },
    { ...open, method: 'GET', path: '/devicelogin', handle: (request) => askWho(request, parts) },
    { ...open, method: 'POST', path: '/devicelogin', handle: (request) => takeAnswer(request, parts) },
  ]
}

async function authorizeDevice(request: ArmRequest, { identity, store }: DeviceParts): Promise<ArmResponse> {
  const tenant = param(request, 'tenant')
  if (!isTenant(tenant, identity))
    return refused(request, 400, 'invalid_request', 90002, `Tenant '${tenant}' not found.`)
  const form = formOf(request)
  // The older endpoint takes its parameters from the query, too.
  const clientId = form.get('client_id') ?? request.query['client_id'] ?? ''
  if ((await nameOf(store, clientId)) === undefined) return unknownClient(request, clientId)
  const begun = await beginSignIn(request.scope, store, clientId)
  if (begun === undefined)
    return refused(request, 503, 'temporarily_unavailable', 90033, 'Too many sign-ins wait to be approved.')
  const page = `${request.origin}/devicelogin`
  return ok({
    user_code: begun.userCode,
    device_code: begun.deviceCode,
    verification_uri: page,
    // What Entra's older endpoint calls it.
    verification_url: page,
    expires_in: deviceCodeSeconds,
    interval: pollSeconds,
    message: `To sign in, use a web browser to open the page ${page} and enter the code ${begun.userCode} to authenticate.`,
  })
}

async function nameOf(store: ResourceStore, clientId: string): Promise<string | undefined> {
  return publicClients[clientId.toLowerCase()] ?? (await applicationOf(store, clientId))?.displayName
}

function unknownClient(request: ArmRequest, clientId: string): ArmResponse {
  const text = `Application with identifier '${clientId}' was not found in the directory '${param(request, 'tenant')}'.`
  return refused(request, 400, 'unauthorized_client', 700016, text)
}

async function askWho(request: ArmRequest, { store }: DeviceParts): Promise<ArmResponse> {
  const typed = request.query['code'] ?? request.query['user_code'] ?? request.query['otc']
  if (typed === undefined) return shown({ kind: 'code' })
  const signIn = await waitingFor(request.scope, store, typed)
  if (signIn === undefined) return shown(noSuchCode, 400)
  const asker = (await nameOf(store, signIn.clientId)) ?? signIn.clientId
  return shown({ kind: 'sign-in', userCode: signIn.userCode, asker })
}

const noSuchCode: DeviceView = {
  kind: 'code',
  wrong: 'There is no such code, or it is over. Check it, or ask the program for another.',
}

async function takeAnswer(request: ArmRequest, parts: DeviceParts): Promise<ArmResponse> {
  const { store, tokens } = parts
  const { scope } = request
  const form = formOf(request)
  const signIn = await waitingFor(scope, store, form.get('code') ?? '')
  if (signIn === undefined) return shown(noSuchCode, 400)
  const { userCode } = signIn
  const asker = (await nameOf(store, signIn.clientId)) ?? signIn.clientId
  if (form.get('answer') === 'cancel') {
    await answerSignIn(scope, store, userCode, 'declined')
    return shown({ kind: 'end', text: `${asker} was not signed in. You may close this window.` })
  }
  const [appId, secret] = [form.get('client_id') ?? '', form.get('client_secret') ?? '']
  if ((await tokens.authenticate(scope, appId, secret)) !== 'right')
    return shown(
      { kind: 'sign-in', userCode, asker, wrong: 'There is no such application, or this is not its secret.' },
      401,
    )
  const approval: Approval = { appId: await writtenId(parts, appId), secretHash: secretHash(secret) }
  if (!(await answerSignIn(scope, store, userCode, approval))) return shown(noSuchCode, 400)
  return shown({ kind: 'end', text: `You have signed in to ${asker} on your device. You may close this window.` })
}

/** As the directory has it, however it was typed: object ids follow from it. */
async function writtenId({ identity, store }: DeviceParts, typed: string): Promise<string> {
  const own = identity.clients.find(({ clientId }) => clientId.toLowerCase() === typed.toLowerCase())
  return own?.clientId ?? (await applicationOf(store, typed))?.appId ?? typed
}

function shown(view: DeviceView, status = 200): ArmResponse {
  return { status, page: devicePage(view), headers: devicePageHeaders }
}

type Refused = Exclude<Polled['kind'], 'approved'>

/** In Entra's words. */
const refusals: Readonly<Record<Refused, readonly [error: string, number: number, text: string]>> = {
  unknown: ['bad_verification_code', 7000024, 'The device code is not known here, or was redeemed already.'],
  expired: [
    'expired_token',
    70020,
    'The provided value for the input parameter device_code is not valid. It is expired.',
  ],
  pending: ['authorization_pending', 70016, 'OAuth 2.0 device flow error. Authorization is pending. Continue polling.'],
  slow: [
    'slow_down',
    70016,
    'OAuth 2.0 device flow error. Authorization is pending. Wait five seconds longer each time.',
  ],
  declined: ['authorization_declined', 70018, 'The user declined to sign in with this code.'],
}

export async function redeemDeviceCode(request: ArmRequest, parts: DeviceParts): Promise<ArmResponse> {
  const form = formOf(request)
  const clientId = form.get('client_id') ?? ''
  const deviceCode = form.get('device_code') ?? form.get('code') ?? ''
  const known = { store: parts.store, clients: parts.identity.clients }
  const polled = await pollSignIn(request.scope, parts.store, { deviceCode, clientId })
  if (polled.kind === 'approved') {
    // Minutes may lie between: a secret that was taken away meanwhile approves nothing any more.
    if (!(await stillHolds(request.scope, known, polled.by)))
      return refused(request, 400, 'invalid_grant', 50173, 'The secret that the sign-in was approved with is gone.')
    const refreshToken = await issueRefreshToken(request.scope, parts.store, { clientId, by: polled.by })
    return signedIn(request, parts, { by: polled.by, clientId, refreshToken })
  }
  const [error, number, text] = refusals[polled.kind]
  return refused(request, 400, error, number, text)
}

export async function redeemRefreshToken(request: ArmRequest, parts: DeviceParts): Promise<ArmResponse> {
  const form = formOf(request)
  const clientId = form.get('client_id') ?? ''
  const refreshToken = form.get('refresh_token') ?? ''
  const known = { store: parts.store, clients: parts.identity.clients }
  const by = await holderOfRefreshToken(request.scope, known, { token: refreshToken, clientId })
  if (by !== undefined) return signedIn(request, parts, { by, clientId, refreshToken })
  const text =
    'The refresh token is not known here, has expired, or the secret that its sign-in was approved with is gone.'
  return refused(request, 400, 'invalid_grant', 700082, text)
}

async function signedIn(
  request: ArmRequest,
  { tokens, identity }: DeviceParts,
  whose: { readonly by: Approval; readonly clientId: string; readonly refreshToken: string },
): Promise<ArmResponse> {
  const { scope, origin } = request
  const { by, clientId, refreshToken } = whose
  const audience = audienceOf(formOf(request)) ?? origin
  const issued = { clientId: by.appId, audience, origin, through: clientId }
  const objectId = objectIdOf(by.appId)
  return ok({
    token_type: 'Bearer',
    scope: `${audience}/user_impersonation`,
    resource: audience,
    expires_in: tokenLifetimeSeconds,
    ext_expires_in: tokenLifetimeSeconds,
    access_token: await tokens.issue(scope, issued),
    refresh_token: refreshToken,
    id_token: await tokens.issueIdToken(scope, { clientId: by.appId, audience: clientId, origin }),
    client_info: Buffer.from(JSON.stringify({ uid: objectId, utid: identity.tenantId })).toString('base64url'),
  })
}
