// Tokens of pods in place of secrets, by @azure/identity as a program in a pod uses it; and what the token endpoint refuses.

import assert from 'node:assert/strict'
import { generateKeyPairSync, type KeyObject } from 'node:crypto'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { ClientAssertionCredential, WorkloadIdentityCredential } from '@azure/identity'
import { ContainerServiceClient } from '@azure/arm-containerservice'
import { SignJWT } from 'jose'
import {
  openFrontDoor,
  subscriptionId,
  tenantId,
  type Answer,
  type OpenedFrontDoor,
  type OpenOptions,
} from './testing/opened-front-door.ts'

const group = `/subscriptions/${subscriptionId}/resourceGroups/rg`
const identity = `${group}/providers/Microsoft.ManagedIdentity/userAssignedIdentities/app`
const cluster = `${group}/providers/Microsoft.ContainerService/managedClusters/c1`
const audience = 'api://AzureADTokenExchange'
const subject = 'system:serviceaccount:shop:front'
const reader = 'acdd72a7-3385-48ef-bd42-f606fba81ae7'

interface Opened {
  readonly door: OpenedFrontDoor
  readonly clientId: string
  readonly issuer: string
  readonly privateKey: KeyObject
}

/** A cluster with an issuer, and an identity that may read the group; nothing stands for it yet. */
async function opened(options: OpenOptions = {}): Promise<Opened> {
  const door = await openFrontDoor(options)
  await door.call('PUT', group, { body: { location: 'eastus' } })
  const properties = {
    dnsPrefix: 'c1',
    oidcIssuerProfile: { enabled: true },
    agentPoolProfiles: [{ name: 'system', mode: 'System', count: 1 }],
  }
  await door.call('PUT', cluster, { body: { location: 'eastus', properties } })
  await door.door.idle()
  const read = (await door.call('GET', cluster)).body as unknown as {
    readonly properties: { readonly oidcIssuerProfile: { readonly issuerURL: string } }
  }
  const made = (await door.call('PUT', identity, { body: { location: 'eastus' } })).body as unknown as {
    readonly properties: { readonly clientId: string; readonly principalId: string }
  }
  const { clientId, principalId } = made.properties
  const roleDefinitionId = `/subscriptions/${subscriptionId}/providers/Microsoft.Authorization/roleDefinitions/${reader}`
  const assignment = `${group}/providers/Microsoft.Authorization/roleAssignments/${principalId}`
  await door.call('PUT', assignment, { body: { properties: { roleDefinitionId, principalId } } })
  const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' })
  door.engine.keys = [{ ...publicKey.export({ format: 'jwk' }), kid: 'one', alg: 'ES256', use: 'sig' }]
  return { door, clientId, issuer: read.properties.oidcIssuerProfile.issuerURL, privateKey }
}

interface Said {
  readonly iss?: string
  readonly sub?: string
  readonly aud?: string
  readonly expiresIn?: number
}

function podToken(
  { issuer, privateKey }: Opened,
  { iss = issuer, sub = subject, aud = audience, expiresIn = 3_600 }: Said = {},
): Promise<string> {
  const now = Math.floor(Date.now() / 1_000)
  return new SignJWT({})
    .setProtectedHeader({ alg: 'ES256', kid: 'one' })
    .setIssuer(iss)
    .setSubject(sub)
    .setAudience(aud)
    .setIssuedAt(now)
    .setExpirationTime(now + expiresIn)
    .sign(privateKey)
}

const federate = ({ door, issuer }: Opened, name = 'front', more: object = {}): Promise<Answer> =>
  door.call('PUT', `${identity}/federatedIdentityCredentials/${name}`, {
    body: { properties: { issuer, subject, audiences: [audience], ...more } },
  })

test('@azure/identity in a pod exchanges its token file for a token, and does what the identity was granted', async () => {
  const world = await opened()
  await using door = world.door
  assert.equal((await federate(world)).status, 201)
  const folder = await mkdtemp(join(tmpdir(), 'aksel-wi-'))
  const tokenFilePath = join(folder, 'azure-identity-token')
  await writeFile(tokenFilePath, await podToken(world))
  const tlsOptions = { ca: door.caPem }
  const common = { authorityHost: door.url, disableInstanceDiscovery: true, tlsOptions }
  const { clientId } = world
  const options = {
    endpoint: door.url,
    credentials: { scopes: [`${door.url}/.default`] },
    tlsOptions,
    retryOptions: { maxRetries: 0 },
  }
  for (const credential of [
    new WorkloadIdentityCredential({ tenantId, clientId, tokenFilePath, ...common }),
    new ClientAssertionCredential(tenantId, clientId, () => podToken(world), common),
  ]) {
    const client = new ContainerServiceClient(credential, subscriptionId, options)
    assert.equal((await client.managedClusters.get('rg', 'c1')).name, 'c1')
    await assert.rejects(
      async () => client.managedClusters.updateTags('rg', 'c1', { tags: {} }),
      (error) => (error as { readonly code?: string }).code === 'AuthorizationFailed',
    )
  }
  await rm(folder, { recursive: true })
})

test('assertions that match no credential, or do not hold, get no token, and Entra’s number says why', async () => {
  const world = await opened()
  await using door = world.door
  await federate(world)
  const { privateKey: stranger } = generateKeyPairSync('ec', { namedCurve: 'P-256' })
  const ask = async (assertion: string, more: Readonly<Record<string, string>> = {}): Promise<string> => {
    const body = new URLSearchParams({
      grant_type: 'client_credentials',
      client_id: world.clientId,
      client_assertion_type: 'urn:ietf:params:oauth:client-assertion-type:jwt-bearer',
      client_assertion: assertion,
      scope: 'https://management.azure.com/.default',
      ...more,
    })
    const { status, text } = await door.call('POST', `/${tenantId}/oauth2/v2.0/token`, { body, token: null })
    const { error, error_codes: codes = [] } = JSON.parse(text) as { error?: string; error_codes?: number[] }
    return [status, error, ...codes].filter((part) => part !== undefined).join(' ')
  }
  assert.equal(await ask(await podToken(world)), '200')
  for (const [what, expected] of [
    [{ iss: 'https://elsewhere.example' }, '401 invalid_client 700211'],
    [{ sub: 'system:serviceaccount:shop:back' }, '401 invalid_client 700213'],
    [{ aud: 'api://other' }, '401 invalid_client 700212'],
    [{ expiresIn: -3_600 }, '401 invalid_client 500133'],
  ] as const)
    assert.equal(await ask(await podToken(world, what)), expected)
  assert.equal(await ask(await podToken({ ...world, privateKey: stranger })), '401 invalid_client 700027')
  assert.equal(await ask('not a token'), '400 invalid_request 50027')
  assert.equal(await ask(await podToken(world), { client_id: tenantId }), '400 unauthorized_client 700016')
  assert.equal(await ask(await podToken(world), { client_assertion_type: 'x' }), '400 invalid_request 900144')
  door.engine.keys = []
  assert.equal(await ask(await podToken(world)), '401 invalid_client 700027', 'keys that were made anew')
  await door.call('DELETE', `${identity}/federatedIdentityCredentials/front`)
  assert.equal(await ask(await podToken(world)), '401 invalid_client 700211')
})

test('an issuer elsewhere is asked for its keys by discovery; one that does not answer gives no token', async () => {
  const asked: string[] = []
  const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' })
  const issuer = 'https://token.actions.example'
  const documents: Readonly<Record<string, unknown>> = {
    [`${issuer}/.well-known/openid-configuration`]: { issuer, jwks_uri: `${issuer}/keys` },
    [`${issuer}/keys`]: { keys: [{ ...publicKey.export({ format: 'jwk' }), kid: 'one', alg: 'ES256' }] },
  }
  const world = await opened({
    fetch: async (where) => {
      const url = where instanceof Request ? where.url : String(where)
      asked.push(url)
      return documents[url] === undefined ? new Response('', { status: 503 }) : Response.json(documents[url])
    },
  })
  await using door = world.door
  await federate(world, 'there', { issuer })
  await federate(world, 'silent', { issuer: 'https://silent.example' })
  const credential = (iss: string): ClientAssertionCredential =>
    new ClientAssertionCredential(tenantId, world.clientId, () => podToken({ ...world, privateKey }, { iss }), {
      authorityHost: door.url,
      disableInstanceDiscovery: true,
      tlsOptions: { ca: door.caPem },
    })
  assert.ok((await credential(issuer).getToken(`${door.url}/.default`)).token.length > 0)
  assert.deepEqual(asked, Object.keys(documents))
  await assert.rejects(
    async () => credential('https://silent.example').getToken(`${door.url}/.default`),
    /AADSTS50166: Request to External OIDC endpoint failed: .*answered 503/,
  )
})

test('federated credentials are judged in Azure’s words, at most twenty of an identity, and go with it', async () => {
  const world = await opened()
  await using door = world.door
  await federate(world)
  const again = await federate(world, 'twin')
  assert.equal(again.status, 400)
  assert.match(again.text, /Issuer and subject combination already exists for this Managed Identity\./)
  assert.equal((await federate(world, 'front', { subject: 'another' })).status, 200, 'it may be written anew')
  for (const more of [{ audiences: [] }, { audiences: ['a', 'b'] }, { subject: '' }, { issuer: 'http://x' }])
    assert.equal((await federate(world, 'bad', more)).status, 400, JSON.stringify(more))
  assert.equal((await federate(world, 'a', { subject: 'x' })).status, 400, 'a name that is too short')
  for (let each = 1; each < 20; each++) await federate(world, `more-${each}`, { subject: `s${each}` })
  assert.match((await federate(world, 'more-20', { subject: 's20' })).text, /Too many Federated Identity Credentials/)
  const list = await door.call('GET', `${identity}/federatedIdentityCredentials`)
  assert.equal((list.body as unknown as { readonly value: readonly unknown[] }).value.length, 20)
  const all = await door.call('GET', `${group}/resources`)
  assert.doesNotMatch(all.text, /federatedIdentityCredentials/, 'Azure lists no children')
  await door.call('DELETE', identity)
  await door.call('PUT', identity, { body: { location: 'eastus' } })
  const gone = await door.call('GET', `${identity}/federatedIdentityCredentials`)
  assert.deepEqual((gone.body as unknown as { readonly value: readonly unknown[] }).value, [])
  const nobody = await door.call('PUT', `${identity}2/federatedIdentityCredentials/front`, { body: { properties: {} } })
  assert.equal(nobody.status, 400)
})

test('workload identity needs the issuer, which cannot be switched off again', async () => {
  const world = await opened()
  await using door = world.door
  const write = (properties: object): Promise<Answer> =>
    door.call('PUT', cluster, {
      body: {
        location: 'eastus',
        properties: {
          dnsPrefix: 'c1',
          agentPoolProfiles: [{ name: 'system', mode: 'System', count: 1 }],
          ...properties,
        },
      },
    })
  assert.match(
    (await write({ oidcIssuerProfile: { enabled: false } })).text,
    /OIDC issuer feature cannot be disabled once it is enabled/,
  )
  const on = await write({ securityProfile: { workloadIdentity: { enabled: true } } })
  assert.equal(on.status, 200, on.text)
  await door.door.idle()
  const entra = door.engine.status(cluster.toLowerCase())?.entra
  assert.deepEqual(entra, { signIn: false, azureRbac: false, workloadIdentity: true })
  const other = cluster.replace(/c1$/, 'c2')
  const body = {
    location: 'eastus',
    properties: {
      dnsPrefix: 'c2',
      securityProfile: { workloadIdentity: { enabled: true } },
      agentPoolProfiles: [{ name: 'system', mode: 'System', count: 1 }],
    },
  }
  assert.equal((await door.call('PUT', other, { body })).status, 400)
})
