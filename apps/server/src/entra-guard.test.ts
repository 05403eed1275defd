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
  await engine.configureEntra(scope, id, { tenantId, azureRbac: true })
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
  await engine.configureEntra(scope, id, { tenantId, azureRbac: true })
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
  await engine.configureEntra(scope, id, { tenantId, azureRbac: false })
  const off = await ask('GET', '/api/v1/nodes')
  assert.equal(off.status, 403)
  assert.doesNotMatch(off.message, /Azure/)
  assert.equal((await ask('GET', '/api/v1/pods')).status, 200, 'who it is is still believed')
  await engine.configureEntra(scope, id, { tenantId: 'another', azureRbac: true })
  assert.equal((await ask('GET', '/api/v1/pods')).status, 401, 'a token of another tenant')
})
