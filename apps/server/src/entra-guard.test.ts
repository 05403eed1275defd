// A real API server that believes the directory: tokens that the front door issues, and role assignments as it writes them.

import assert from 'node:assert/strict'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { aksServerId, openTokens } from '@aksel/arm/front-door/tokens'
import { objectIdOf } from '@aksel/arm/front-door/client-identity'
import { builtInRoles } from '@aksel/arm/resource-providers/authorization/built-in-roles'
import { assignmentKey, type RoleAssignment } from '@aksel/arm/resource-providers/authorization/role-assignments'
import { openEntraDirectory } from '@aksel/arm/resource-providers/directory/entra-directory'
import { ResourceStore } from '@aksel/arm/store-keyspace'
import { systemClock } from '@aksel/base/clock'
import { systemRandom } from '@aksel/base/ids'
import { createLocalJWKSet, jwtVerify, type JSONWebKeySet } from 'jose'
import { silentLog } from '@aksel/base/log'
import type { Scope } from '@aksel/base/scope'
import { readBody } from '@aksel/client/response-body'
import { createHttpsTransport } from '@aksel/runtime/https-transport'
import { createMemoryStore } from '@aksel/store/memory-store'
import { EmbeddedEngine } from './embedded-engine.ts'
import { firstPortOf } from './places.ts'

const tenantId = 'aaaaaaaa-bbbb-cccc-dddd-eeeeeeeeeeee'
const clientId = '99999999-8888-7777-6666-555555555555'
const objectId = objectIdOf(clientId)
const rest = { signIn: true, workloadIdentity: false }
const id = '/subscriptions/s/resourcegroups/g/providers/microsoft.containerservice/managedclusters/one'
const notInAzure = 'User does not have access to the resource in Azure. Update role assignment to allow access.'

interface Answer {
  readonly status: number
  readonly message: string
  readonly body: Record<string, unknown>
}

type Ask = (method: string, path: string, body?: object) => Promise<Answer>

interface Opened extends AsyncDisposable {
  readonly engine: EmbeddedEngine
  readonly scope: Scope
  /** As the client of the directory. */
  readonly ask: Ask
  /** As an administrator of the cluster's own. */
  readonly administer: Ask
  /** Returns what takes it back. */
  readonly grant: (role: string, scope: string) => Promise<() => Promise<void>>
}

async function open(): Promise<Opened> {
  const dataDir = await mkdtemp(join(tmpdir(), 'aksel-entra-'))
  const stopping = new AbortController()
  const scope: Scope = { clock: systemClock(), random: systemRandom(), log: silentLog(), signal: stopping.signal }
  const store = createMemoryStore(scope)
  const tenant = { tenantId, clients: [{ clientId, clientSecret: 'secret' }] }
  const options = { store, dataDir, privileged: false, firstPort: firstPortOf(dataDir), audit: () => {} }
  const engine = await EmbeddedEngine.open(scope, {
    ...options,
    loops: false,
    authorityHost: () => 'https://door/',
    entra: await openEntraDirectory(scope, store, tenant),
  })
  const spec = { kubernetesVersion: '1.35.7', serviceCidr: '10.0.0.0/16', dnsServiceIp: '10.0.0.10' }
  const { localUrl, certificateAuthority } = await engine.create(scope, { id, name: 'one', fqdn: 'one.test', ...spec })
  const resources = new ResourceStore(store)
  const tokens = await openTokens(resources, tenant)
  const token = await tokens.issue(scope, { clientId, audience: aksServerId, origin: 'https://door' })
  const wire = createHttpsTransport({ server: localUrl, caPem: certificateAuthority })
  const inside = engine.client(id)
  const asked =
    (send: typeof wire.send, more: object) =>
    async (method: string, path: string, body?: object): Promise<Answer> => {
      const headers = { accept: 'application/json', 'content-type': 'application/json', ...more }
      const content = body === undefined ? {} : { body: Buffer.from(JSON.stringify(body)) }
      const response = await send({ method, path, headers, ...content })
      const text = new TextDecoder().decode(await readBody(response.body))
      const read = (text.startsWith('{') ? JSON.parse(text) : {}) as Answer['body'] & { readonly message?: string }
      return { status: response.status, message: read.message ?? '', body: read }
    }
  return {
    engine,
    scope,
    ask: asked((request) => wire.send(request), { authorization: `Bearer ${token}` }),
    administer: asked((request) => inside.send(request), {}),
    async grant(roleName, at) {
      const role = builtInRoles.find((each) => each.roleName === roleName)!.name
      const who = { principalId: objectId, principalType: 'ServicePrincipal', createdBy: '', updatedBy: '' } as const
      const when = { createdOn: '', updatedOn: '' }
      const value: RoleAssignment = {
        kind: 'roleAssignment',
        name: `${role}-${at}`.replaceAll('/', '-'),
        scope: at,
        role,
        ...who,
        ...when,
      }
      await resources.commit([{ kind: 'put', key: `hub/resources${id}`, value: {}, expected: 0 }])
      assert.ok(await resources.commit([{ kind: 'put', key: assignmentKey(value), value, expected: 0 }]))
      return async () => {
        const { modRevision } = (await resources.get(assignmentKey(value)))!
        await resources.commit([{ kind: 'delete', key: assignmentKey(value), expected: modRevision }])
      }
    },
    async [Symbol.asyncDispose]() {
      await wire[Symbol.asyncDispose]()
      await engine[Symbol.asyncDispose]()
      await store[Symbol.asyncDispose]()
      stopping.abort(new Error('the test ended'))
      await rm(dataDir, { recursive: true, force: true })
    },
  }
}

test('role assignments of Azure open a namespace or the whole cluster, from the next request on', async () => {
  await using opened = await open()
  const { engine, scope, ask, administer, grant } = opened
  assert.equal((await ask('GET', '/api/v1/nodes')).status, 401, 'without a profile the directory is not believed')
  await engine.configureEntra(scope, id, { tenantId, azureRbac: true, ...rest })
  await administer('POST', '/api/v1/namespaces', { metadata: { name: 'web' } })
  const denied = await ask('GET', '/api/v1/nodes')
  assert.equal(denied.status, 403)
  assert.equal(
    denied.message,
    `nodes is forbidden: User "${objectId}" cannot list resource "nodes" in API group "" at the cluster scope: ${notInAzure}`,
  )
  const inWeb = '/api/v1/namespaces/web'
  const map = { metadata: { name: 'm' } }
  const revoke = await grant('Azure Kubernetes Service RBAC Reader', `${id}/namespaces/web`)
  assert.equal((await ask('GET', `${inWeb}/pods`)).status, 200)
  assert.equal((await ask('GET', `${inWeb}/secrets`)).status, 403)
  assert.equal((await ask('GET', '/api/v1/namespaces/default/pods')).status, 403, 'another namespace')
  assert.equal((await ask('GET', '/api/v1/pods')).status, 403, 'all namespaces')
  assert.equal((await ask('POST', `${inWeb}/configmaps`, map)).status, 403)
  await grant('Azure Kubernetes Service RBAC Writer', `${id}/namespaces/web`)
  assert.equal((await ask('POST', `${inWeb}/configmaps`, map)).status, 201)
  await revoke()
  assert.equal((await ask('GET', `${inWeb}/secrets`)).status, 200)
  const revokeAll = await grant('Azure Kubernetes Service RBAC Cluster Admin', '/subscriptions/s')
  assert.equal((await ask('GET', '/api/v1/nodes')).status, 200)
  assert.equal((await ask('POST', '/api/v1/namespaces', { metadata: { name: 'more' } })).status, 201)
  await revokeAll()
  assert.equal((await ask('GET', '/api/v1/nodes')).status, 403)
})

test('the cluster’s own roles permit besides; reviews say who it is and why not; switched off, Azure is not asked', async () => {
  await using opened = await open()
  const { engine, scope, ask, administer, grant } = opened
  await engine.configureEntra(scope, id, { tenantId, azureRbac: true, ...rest })
  const rbac = '/apis/rbac.authorization.k8s.io/v1/clusterrolebindings'
  const roleRef = { apiGroup: 'rbac.authorization.k8s.io', kind: 'ClusterRole', name: 'view' }
  const subjects = [{ apiGroup: 'rbac.authorization.k8s.io', kind: 'User', name: objectId }]
  const bound = await administer('POST', rbac, { metadata: { name: 'viewer' }, roleRef, subjects })
  assert.equal(bound.status, 201, bound.message)
  assert.equal((await ask('GET', '/api/v1/pods')).status, 200)
  const reviews = '/apis/authorization.k8s.io/v1'
  const wish = { resourceAttributes: { verb: 'list', resource: 'nodes' } }
  const review = await ask('POST', `${reviews}/selfsubjectaccessreviews`, { spec: wish })
  assert.deepEqual(review.body['status'], { allowed: false, denied: true, reason: notInAzure })
  const who = await ask('POST', '/apis/authentication.k8s.io/v1/selfsubjectreviews', {})
  assert.deepEqual((who.body['status'] as { userInfo: unknown }).userInfo, {
    username: objectId,
    groups: ['system:authenticated'],
    extra: { oid: [objectId] },
  })
  const rules = await ask('POST', `${reviews}/selfsubjectrulesreviews`, { spec: { namespace: 'default' } })
  assert.equal((rules.body['status'] as { incomplete: boolean }).incomplete, true)
  const other = await administer('POST', `${reviews}/subjectaccessreviews`, {
    spec: { ...wish, user: 'system:serviceaccount:default:default' },
  })
  assert.match(
    String((other.body['status'] as { reason: string }).reason),
    /Azure does not have opinion for this user\./,
  )
  await grant('Azure Kubernetes Service RBAC Cluster Admin', id)
  assert.equal((await ask('GET', '/api/v1/nodes')).status, 200)
  await engine.configureEntra(scope, id, { tenantId, azureRbac: false, ...rest })
  const off = await ask('GET', '/api/v1/nodes')
  assert.equal(off.status, 403)
  assert.doesNotMatch(off.message, /Azure/)
  assert.equal((await ask('GET', '/api/v1/pods')).status, 200, 'who it is is still believed')
  await engine.configureEntra(scope, id, { tenantId: 'another', azureRbac: true, ...rest })
  assert.equal((await ask('GET', '/api/v1/pods')).status, 401, 'a token of another tenant')
})

test('pods that ask for an identity of Azure get its environment and a token that the keys of the cluster check', async () => {
  await using opened = await open()
  const { engine, scope, administer } = opened
  const inDefault = '/api/v1/namespaces/default'
  await administer('POST', `${inDefault}/serviceaccounts`, {
    metadata: { name: 'app', annotations: { 'azure.workload.identity/client-id': clientId } },
  })
  const pod = async (name: string, annotations: object = {}): Promise<Answer> =>
    administer('POST', `${inDefault}/pods`, {
      metadata: { name, labels: { 'azure.workload.identity/use': 'true' }, annotations },
      spec: {
        serviceAccountName: 'app',
        containers: [
          { name: 'main', image: 'x', env: [{ name: 'AZURE_TENANT_ID', value: 'own' }] },
          { name: 'side', image: 'x' },
        ],
      },
    })
  interface Spec {
    readonly containers: readonly {
      readonly env?: readonly { readonly name: string; readonly value: string }[]
      readonly volumeMounts: readonly { readonly name: string; readonly mountPath: string }[]
    }[]
    readonly volumes: readonly { readonly name: string; readonly projected: unknown }[]
  }
  const specOf = ({ body }: Answer): Spec => body['spec'] as Spec
  const envOf = (spec: Spec, index: number): object =>
    Object.fromEntries((spec.containers[index]!.env ?? []).map(({ name, value }) => [name, value]))
  assert.deepEqual(envOf(specOf(await pod('before')), 1), {}, 'not before it is switched on')
  await engine.configureEntra(scope, id, { signIn: false, azureRbac: false, workloadIdentity: true })
  const given = specOf(await pod('with', { 'azure.workload.identity/skip-containers': 'other' }))
  const common = {
    AZURE_CLIENT_ID: clientId,
    AZURE_FEDERATED_TOKEN_FILE: '/var/run/secrets/azure/tokens/azure-identity-token',
    AZURE_AUTHORITY_HOST: 'https://door/',
  }
  assert.deepEqual(envOf(given, 0), { ...common, AZURE_TENANT_ID: 'own' }, 'what it sets itself stays')
  assert.deepEqual(envOf(given, 1), { ...common, AZURE_TENANT_ID: tenantId })
  assert.deepEqual(given.volumes.find(({ name }) => name === 'azure-identity-token')?.projected, {
    sources: [
      {
        serviceAccountToken: {
          audience: 'api://AzureADTokenExchange',
          expirationSeconds: 3_600,
          path: 'azure-identity-token',
        },
      },
    ],
    defaultMode: 0o644,
  })
  assert.ok(given.containers[1]!.volumeMounts.some(({ mountPath }) => mountPath === '/var/run/secrets/azure/tokens'))
  const skipped = specOf(await pod('skipped', { 'azure.workload.identity/skip-containers': 'main;side' }))
  assert.deepEqual(envOf(skipped, 1), {})
  const expiration = 'azure.workload.identity/service-account-token-expiration'
  const refused = await pod('refused', { [expiration]: '60' })
  assert.equal(refused.status, 403)
  assert.match(refused.message, /mutation\.azure-workload-identity\.io.*between 3600 and 86400 seconds/)
  const request = { spec: { audiences: ['api://AzureADTokenExchange'], expirationSeconds: 3_600 } }
  const issued = await administer('POST', `${inDefault}/serviceaccounts/app/token`, request)
  const { token } = issued.body['status'] as { readonly token: string }
  const verified = await jwtVerify(token, createLocalJWKSet({ keys: engine.tokenKeys(id) } as unknown as JSONWebKeySet))
  assert.equal(verified.payload.sub, 'system:serviceaccount:default:app')
  assert.equal(verified.payload.iss, 'https://one.test')
  await engine.rotateKeys(scope, id, { certificates: 0, signingKeys: 1 })
  const both = createLocalJWKSet({ keys: engine.tokenKeys(id) } as unknown as JSONWebKeySet)
  assert.equal((await jwtVerify(token, both)).payload.sub, verified.payload.sub, 'the key before is believed for a day')
  await engine.rotateKeys(scope, id, { certificates: 1, signingKeys: 1 })
  const fresh = createLocalJWKSet({ keys: engine.tokenKeys(id) } as unknown as JSONWebKeySet)
  await assert.rejects(jwtVerify(token, fresh))
})
