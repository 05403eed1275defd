// Where clients of Azure look before their first call: the cloud's description, OpenID documents, tokens.

import { assertedClient, AssertionRefusedError, assertionType, type AssertionParts } from './client-assertions.ts'
import { ok, param, type ArmRequest, type ArmResponse, type Route } from './route.ts'
import { deviceGrants, deviceRoutes, redeemDeviceCode, redeemRefreshToken } from './device-sign-in.ts'
import { audienceOf, formOf, isTenant, refused, tenantWords } from './sign-in-forms.ts'
import { suffixes } from './suffixes.ts'
import { tokenLifetimeSeconds, type Identity, type Tokens } from './tokens.ts'

export function signInRoutes(identity: Identity, tokens: Tokens, assertions: AssertionParts): readonly Route[] {
  const token = (request: ArmRequest): Promise<ArmResponse> => issueToken(request, { identity, tokens, assertions })
  const open = { open: true } as const
  const discovery = (request: ArmRequest): ArmResponse => openIdDocument(request, identity)
  const keySet = (): ArmResponse => ok({ keys: [tokens.publicJwk] })
  return [
    { ...open, method: 'GET', path: '/metadata/endpoints', handle: (request) => ok(metadata(request, identity)) },
    {
      ...open,
      method: 'GET',
      path: '/common/discovery/instance',
      handle: (request) => ok(instances(request, identity)),
    },
    { ...open, method: 'GET', path: '/:tenant/.well-known/openid-configuration', handle: discovery },
    { ...open, method: 'GET', path: '/:tenant/v2.0/.well-known/openid-configuration', handle: discovery },
    { ...open, method: 'GET', path: '/:tenant/discovery/v2.0/keys', handle: keySet },
    { ...open, method: 'GET', path: '/:tenant/discovery/keys', handle: keySet },
    { ...open, method: 'POST', path: '/:tenant/oauth2/v2.0/token', handle: token },
    { ...open, method: 'POST', path: '/:tenant/oauth2/token', handle: token },
    ...deviceRoutes({ identity, tokens, store: assertions.store }),
  ]
}

/** The shapes differ by api-version; every one has the fields that its askers need. */
function metadata(request: ArmRequest, identity: Identity): unknown {
  const { origin } = request
  const version = request.query['api-version'] ?? ''
  if (version.startsWith('2015-')) {
    return {
      galleryEndpoint: `${origin}/`,
      graphEndpoint: `${origin}/`,
      portalEndpoint: `${origin}/`,
      // A login endpoint that ends in /adfs spares az the question at login.microsoftonline.com.
      authentication: { loginEndpoint: `${origin}/adfs`, audiences: [`${origin}/`] },
    }
  }
  if (version.startsWith('2018-')) {
    return { cloudEndpoint: { public: { endpoint: new URL(origin).host, locations: [] } } }
  }
  const cloud = {
    name: 'Aksel',
    portal: origin,
    authentication: { loginEndpoint: origin, audiences: [origin], tenant: 'common', identityProvider: 'AAD' },
    graph: `${origin}/`,
    gallery: `${origin}/`,
    microsoftGraphResourceId: `${origin}/`,
    resourceManager: origin,
    activeDirectory: `${origin}/${identity.tenantId}`,
    suffixes: {
      keyVaultDns: suffixes.keyVault,
      storage: suffixes.storage,
      acrLoginServer: suffixes.registry,
    },
  }
  return version.startsWith('2019-') ? [cloud] : cloud
}

function instances(request: ArmRequest, identity: Identity): unknown {
  const { host } = new URL(request.origin)
  return {
    tenant_discovery_endpoint: `${request.origin}/${identity.tenantId}/v2.0/.well-known/openid-configuration`,
    'api-version': '1.1',
    metadata: [{ preferred_network: host, preferred_cache: host, aliases: [host] }],
  }
}

function openIdDocument(request: ArmRequest, identity: Identity): ArmResponse {
  const tenant = param(request, 'tenant')
  if (!isTenant(tenant, identity))
    return refused(request, 400, 'invalid_tenant', 90002, `Tenant '${tenant}' not found.`)
  const base = `${request.origin}/${tenant}`
  const version = tenant === 'adfs' ? '' : '/v2.0'
  return ok({
    issuer: `${request.origin}/${tenantWords.includes(tenant) ? identity.tenantId : tenant}${version}`,
    authorization_endpoint: `${base}/oauth2${version}/authorize`,
    token_endpoint: `${base}/oauth2${version}/token`,
    device_authorization_endpoint: `${base}/oauth2${version}/devicecode`,
    jwks_uri: `${base}/discovery${version}/keys`,
    token_endpoint_auth_methods_supported: ['client_secret_post', 'private_key_jwt'],
    response_types_supported: ['token'],
    subject_types_supported: ['pairwise'],
    id_token_signing_alg_values_supported: ['ES256'],
    tenant_region_scope: null,
  })
}

interface SignIn {
  readonly identity: Identity
  readonly tokens: Tokens
  readonly assertions: AssertionParts
}

async function issueToken(request: ArmRequest, signIn: SignIn): Promise<ArmResponse> {
  const { identity, tokens } = signIn
  const tenant = param(request, 'tenant')
  if (!isTenant(tenant, identity))
    return refused(request, 400, 'invalid_request', 90002, `Tenant '${tenant}' not found.`)
  const form = formOf(request)
  const grant = form.get('grant_type') ?? ''
  const device = { identity, tokens, store: signIn.assertions.store }
  if (deviceGrants.includes(grant)) return redeemDeviceCode(request, device)
  if (grant === 'refresh_token') return redeemRefreshToken(request, device)
  if (grant !== 'client_credentials') {
    return refused(
      request,
      400,
      'unsupported_grant_type',
      70003,
      `The app requested an unsupported grant type '${grant}'.`,
    )
  }
  const clientId = form.get('client_id') ?? ''
  if (form.has('client_assertion')) return issueForAssertion(request, signIn, form)
  const found = await tokens.authenticate(request.scope, clientId, form.get('client_secret') ?? '')
  if (found === 'unknown') {
    return refused(
      request,
      400,
      'unauthorized_client',
      700016,
      `Application with identifier '${clientId}' was not found in the directory '${tenant}'.`,
    )
  }
  if (found === 'wrong') {
    return refused(request, 401, 'invalid_client', 7000215, `Invalid client secret provided for app '${clientId}'.`)
  }
  return issued(request, tokens, form, { clientId })
}

async function issueForAssertion(
  request: ArmRequest,
  { tokens, assertions }: SignIn,
  form: URLSearchParams,
): Promise<ArmResponse> {
  if (form.get('client_assertion_type') !== assertionType) {
    const text = `The request body must contain the following parameter: 'client_assertion_type' with value '${assertionType}'.`
    return refused(request, 400, 'invalid_request', 900144, text)
  }
  const clientId = form.get('client_id') ?? ''
  const assertion = form.get('client_assertion') ?? ''
  try {
    const asked = { clientId, assertion, tenant: param(request, 'tenant') }
    const objectId = await assertedClient(request.scope, assertions, asked)
    return await issued(request, tokens, form, { clientId, objectId })
  } catch (error) {
    if (!(error instanceof AssertionRefusedError)) throw error
    const { status, error: code, number, message } = error
    return refused(request, status, code, number, message)
  }
}

async function issued(
  request: ArmRequest,
  tokens: Tokens,
  form: URLSearchParams,
  client: { readonly clientId: string; readonly objectId?: string },
): Promise<ArmResponse> {
  const audience = audienceOf(form) ?? request.origin
  const accessToken = await tokens.issue(request.scope, { ...client, audience, origin: request.origin })
  return ok({
    token_type: 'Bearer',
    expires_in: tokenLifetimeSeconds,
    ext_expires_in: tokenLifetimeSeconds,
    access_token: accessToken,
  })
}
