// Managed namespaces by Azure's SDK: made, adopted, changed, kept in order and let go inside the cluster, as the resource says.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { ContainerServiceClient } from '@azure/arm-containerservice'
import { namespaces, networkPolicies, resourceQuotas } from '@aksel/api/resources'
import { createMemoryStore } from '@aksel/store/memory-store'
import type { FakeClient } from '@aksel/testing/fake-client'
import { testScope } from '@aksel/testing/test-scope'
import {
  clientId,
  clientSecret,
  openFrontDoor,
  subscriptionId,
  tenantId,
  type OpenedFrontDoor,
  type OpenOptions,
} from './testing/opened-front-door.ts'
import { otherClient } from './testing/other-client.ts'
import { sdkAccess } from './testing/sdk-access.ts'
import { openEntraDirectory } from './resource-providers/directory/entra-directory.ts'

const group = `/subscriptions/${subscriptionId}/resourcegroups/rg`
const cluster = `${group}/providers/Microsoft.ContainerService/managedClusters/c1`

/** Azure Kubernetes Service RBAC Reader. */
const reader = '7f6c6a51-bcf8-42ba-9220-52d62157d7db'

async function withCluster(
  work: (world: {
    readonly opened: OpenedFrontDoor
    readonly sdk: ContainerServiceClient
    readonly inside: FakeClient
  }) => Promise<void>,
  options: OpenOptions = {},
): Promise<void> {
  await using opened = await openFrontDoor(options)
  await opened.call('PUT', group, { body: { location: 'eastus' } })
  const properties = { dnsPrefix: 'c1', agentPoolProfiles: [{ name: 'system', mode: 'System', count: 1 }] }
  await opened.call('PUT', cluster, { body: { location: 'eastus', properties } })
  await opened.door.idle()
  const access = sdkAccess(opened)
  const sdk = new ContainerServiceClient(access.credential, subscriptionId, access.options)
  await work({ opened, sdk, inside: opened.engine.client(cluster.toLowerCase()) })
}

test('a managed namespace is made with quota, policy, labels and annotations, changed in place and deleted with what is inside', () =>
  withCluster(async ({ sdk, inside }) => {
    const made = await sdk.managedNamespaces.createOrUpdate('rg', 'c1', 'team', {
      location: 'eastus',
      tags: { cost: '7' },
      properties: {
        labels: { team: 'blue', old: '1' },
        annotations: { note: 'hello' },
        defaultResourceQuota: { cpuRequest: '1000m', cpuLimit: '2', memoryRequest: '512Mi', memoryLimit: '1Gi' },
        defaultNetworkPolicy: { ingress: 'AllowSameNamespace', egress: 'DenyAll' },
        adoptionPolicy: 'Never',
        deletePolicy: 'Delete',
      },
    })
    assert.equal(made.type, 'Microsoft.ContainerService/managedClusters/managedNamespaces')
    assert.equal(made.properties?.provisioningState, 'Succeeded')
    assert.match(made.properties?.portalFqdn ?? '', /^c1-[0-9a-f]{8}\.portal\.hcp\.eastus\.azmk8s\.io$/)
    assert.match(made.eTag ?? '', /^[0-9a-f-]{36}$/)
    assert.deepEqual(made.tags, { cost: '7' })
    const space = inside.peek(namespaces, 'team')!
    assert.deepEqual(space.metadata.labels, {
      team: 'blue',
      old: '1',
      'kubernetes.azure.com/managedByArm': 'true',
    })
    assert.equal(space.metadata.annotations?.['note'], 'hello')
    assert.deepEqual(inside.peek(resourceQuotas, 'team/defaultresourcequota')?.spec?.hard, {
      'requests.cpu': '1000m',
      'limits.cpu': '2',
      'requests.memory': '512Mi',
      'limits.memory': '1Gi',
    })
    assert.deepEqual(inside.peek(networkPolicies, 'team/defaultnetworkpolicy')?.spec, {
      podSelector: {},
      policyTypes: ['Ingress', 'Egress'],
      ingress: [{ from: [{ podSelector: {} }] }],
    })

    const changed = await sdk.managedNamespaces.createOrUpdate('rg', 'c1', 'team', {
      location: 'eastus',
      properties: { labels: { team: 'red' }, deletePolicy: 'Delete' },
    })
    assert.deepEqual(changed.properties?.defaultNetworkPolicy, { ingress: 'AllowSameNamespace', egress: 'AllowAll' })
    assert.equal(changed.properties?.adoptionPolicy, 'Never')
    assert.deepEqual(inside.peek(namespaces, 'team')?.metadata.labels, {
      team: 'red',
      'kubernetes.azure.com/managedByArm': 'true',
    })
    assert.equal(inside.peek(resourceQuotas, 'team/defaultresourcequota'), undefined, 'no quota is wanted any more')
    assert.deepEqual(inside.peek(networkPolicies, 'team/defaultnetworkpolicy')?.spec?.egress, [{}])

    const tagged = await sdk.managedNamespaces.update('rg', 'c1', 'team', { tags: { cost: '8' } })
    assert.deepEqual([tagged.tags, tagged.properties?.labels], [{ cost: '8' }, { team: 'red' }])
    assert.notEqual(tagged.eTag, changed.eTag)
    const names: (string | undefined)[] = []
    for await (const { name } of sdk.managedNamespaces.listByManagedCluster('rg', 'c1')) names.push(name)
    assert.deepEqual(names, ['team'])

    await sdk.managedNamespaces.delete('rg', 'c1', 'team')
    assert.equal(inside.peek(namespaces, 'team')?.status?.phase, 'Terminating')
    await assert.rejects(sdk.managedNamespaces.get('rg', 'c1', 'team'), { statusCode: 404, code: 'ResourceNotFound' })
    await sdk.managedNamespaces.delete('rg', 'c1', 'team')
    const again = sdk.managedNamespaces.createOrUpdate('rg', 'c1', 'team', { location: 'eastus' })
    await assert.rejects(again, /is being deleted: it can be made again once it is gone/)
  }))

test('a namespace that is there already is taken over as the adoption policy says, and kept where the delete policy says so', () =>
  withCluster(async ({ sdk, inside }) => {
    inside.put(namespaces, { metadata: { name: 'legacy', labels: { team: 'green', by: 'hand' } }, spec: {} })
    const put = (adoptionPolicy: string, labels: Record<string, string>) =>
      sdk.managedNamespaces.createOrUpdate('rg', 'c1', 'legacy', {
        location: 'eastus',
        properties: { adoptionPolicy, labels, deletePolicy: 'Keep' },
      })
    await assert.rejects(put('Never', {}), /The namespace 'legacy' already exists in the cluster/)
    assert.equal((await sdk.managedNamespaces.get('rg', 'c1', 'legacy')).properties?.provisioningState, 'Failed')
    await assert.rejects(put('IfIdentical', { team: 'blue' }), /its labels differ/)
    assert.deepEqual(inside.peek(namespaces, 'legacy')?.metadata.labels, { team: 'green', by: 'hand' })
    // The cluster itself is none the worse for it.
    assert.equal((await sdk.managedClusters.get('rg', 'c1')).provisioningState, 'Succeeded')

    await put('IfIdentical', { team: 'green' })
    assert.equal(inside.peek(namespaces, 'legacy')?.metadata.labels?.['kubernetes.azure.com/managedByArm'], 'true')
    await put('Always', { team: 'blue' })
    await sdk.managedNamespaces.delete('rg', 'c1', 'legacy')
    const left = inside.peek(namespaces, 'legacy')!
    assert.deepEqual(left.metadata.labels, { team: 'blue', by: 'hand' })
    assert.deepEqual(left.metadata.annotations, {})
    assert.notEqual(inside.peek(networkPolicies, 'legacy/defaultnetworkpolicy'), undefined)
  }))

test('deleting a managed namespace that failed to be adopted leaves the namespace of others alone', () =>
  withCluster(async ({ sdk, inside }) => {
    inside.put(namespaces, { metadata: { name: 'theirs', labels: {} }, spec: {} })
    const properties = { adoptionPolicy: 'Never', deletePolicy: 'Delete' }
    await assert.rejects(sdk.managedNamespaces.createOrUpdate('rg', 'c1', 'theirs', { location: 'eastus', properties }))
    await sdk.managedNamespaces.delete('rg', 'c1', 'theirs')
    assert.notEqual(inside.peek(namespaces, 'theirs'), undefined)
  }))

test('what somebody changed inside is put in order by the next pass over the cluster', () =>
  withCluster(async ({ opened, sdk, inside }) => {
    const properties = { defaultResourceQuota: { cpuLimit: '1' } }
    await sdk.managedNamespaces.createOrUpdate('rg', 'c1', 'team', { location: 'eastus', properties })
    await inside.delete(resourceQuotas, { name: 'defaultresourcequota', namespace: 'team' })
    await inside.delete(networkPolicies, { name: 'defaultnetworkpolicy', namespace: 'team' })
    await sdk.agentPools.createOrUpdate('rg', 'c1', 'system', { mode: 'System', count: 2 })
    await opened.door.idle()
    assert.deepEqual(inside.peek(resourceQuotas, 'team/defaultresourcequota')?.spec?.hard, { 'limits.cpu': '1' })
    assert.notEqual(inside.peek(networkPolicies, 'team/defaultnetworkpolicy'), undefined)
  }))

test('the credentials of a managed namespace begin in it', () =>
  withCluster(async ({ sdk }) => {
    await sdk.managedNamespaces.createOrUpdate('rg', 'c1', 'team', { location: 'eastus' })
    const { kubeconfigs } = await sdk.managedNamespaces.listCredential('rg', 'c1', 'team')
    assert.equal(kubeconfigs?.[0]?.name, 'clusterUser')
    const text = Buffer.from(kubeconfigs[0].value!).toString()
    assert.match(text, /- context:\n {4}cluster: c1\n {4}namespace: "team"\n {4}user: clusterUser_fake_c1\n/)
    await assert.rejects(sdk.managedNamespaces.listCredential('rg', 'c1', 'none'), { statusCode: 404 })
  }))

test('what no managed namespace can be is refused at once, and nothing is kept', () =>
  withCluster(async ({ opened }) => {
    const refused = async (name: string, properties: object, cause: RegExp): Promise<void> => {
      const { status, text } = await opened.call('PUT', `${cluster}/managedNamespaces/${name}`, {
        body: { location: 'eastus', properties },
      })
      assert.equal(status, 400, text)
      assert.match(text, cause)
    }
    await refused('Team', {}, /must consist of at most 63 lower-case letters/)
    await refused('kube-system', {}, /is a system namespace and cannot be managed/)
    await refused('team', { adoptionPolicy: 'Perhaps' }, /not one of the allowed values: Never, IfIdentical, Always/)
    await refused('team', { deletePolicy: 'Archive' }, /not one of the allowed values: Keep, Delete/)
    await refused('team', { defaultNetworkPolicy: { egress: 'Some' } }, /AllowSameNamespace, AllowAll, DenyAll/)
    await refused('team', { defaultResourceQuota: { cpuLimit: 'many' } }, /'many' is not a quantity/)
    await refused('team', { labels: { 'kubernetes.azure.com/x': '1' } }, /reserved for AKS/)
    await refused('team', { labels: ['x'] }, /cannot unmarshal/)
    assert.equal((await opened.call('GET', `${cluster}/managedNamespaces`)).text, '{"value":[]}')
    const { status, text } = await opened.call('PUT', `${cluster}x/managedNamespaces/team`, { body: {} })
    assert.deepEqual([status, /ParentResourceNotFound/.test(text)], [404, true])
    await opened.call('POST', `${cluster}/stop`)
    await opened.door.idle()
    const stopped = await opened.call('PUT', `${cluster}/managedNamespaces/team`, { body: {} })
    assert.deepEqual([stopped.status, /is stopped/.test(stopped.text)], [409, true])
  }))

test('a managed namespace is changed only under the eTag that was read, and its operation ends with its cluster', () =>
  withCluster(async ({ opened, sdk }) => {
    const path = `${cluster}/managedNamespaces/team`
    const { eTag } = await sdk.managedNamespaces.createOrUpdate('rg', 'c1', 'team', { location: 'eastus' })
    const stale = await opened.call('PUT', path, { body: {}, headers: { 'if-match': '"other"' } })
    assert.equal(stale.status, 412)
    const fresh = await opened.call('PUT', path, { body: {}, headers: { 'if-match': `"${eTag}"` } })
    assert.equal(fresh.status, 200)
    await opened.door.idle()
    const begun = await opened.call('PUT', path, { body: {} })
    await opened.call('DELETE', cluster)
    await opened.door.idle()
    const status = await opened.call('GET', String(begun.headers['azure-asyncoperation']))
    assert.notEqual(status.body?.['status'], 'InProgress')
    assert.equal((await opened.call('GET', path)).status, 404)
  }))

test('a role that is granted at a managed namespace holds inside it, and while it is there', async () => {
  const scope = testScope()
  await using store = createMemoryStore(scope)
  const identity = { tenantId, clients: [{ clientId, clientSecret }] }
  const objectId = 'bbbbbbbb-0000-4000-8000-000000000007'
  await withCluster(
    async ({ opened, sdk }) => {
      await sdk.managedNamespaces.createOrUpdate('rg', 'c1', 'team', { location: 'eastus' })
      const roles = `/subscriptions/${subscriptionId}/providers/Microsoft.Authorization/roleDefinitions`
      const assignment = `${cluster}/managedNamespaces/team/providers/Microsoft.Authorization/roleAssignments`
      const granted = await opened.call('PUT', `${assignment}/bbbbbbbb-0000-4000-8000-000000000008`, {
        body: {
          properties: {
            roleDefinitionId: `${roles}/${reader}`,
            principalId: objectId,
            principalType: 'ServicePrincipal',
          },
        },
      })
      assert.equal(granted.status, 201, granted.text)
      const directory = await openEntraDirectory(scope, store, identity)
      const mayRead = async (namespace: string): Promise<boolean> => {
        const request = { verb: 'list', isResource: true, group: '', resource: 'pods', subresource: '', path: '' }
        const ask = { clusterId: cluster, objectId, request: { ...request, namespace } }
        return (await directory.authorize(ask)).allowed
      }
      assert.deepEqual([await mayRead('team'), await mayRead('other'), await mayRead('')], [true, false, false])
      await sdk.managedNamespaces.delete('rg', 'c1', 'team')
      assert.equal(await mayRead('team'), false)
    },
    { store },
  )
})

test('a Namespace User reads a managed namespace and its credentials, a Namespace Contributor writes it', () =>
  withCluster(async ({ opened, sdk }) => {
    await sdk.managedNamespaces.createOrUpdate('rg', 'c1', 'team', { location: 'eastus' })
    const path = `${cluster}/managedNamespaces/team`
    const [user, contributor] = [await otherClient(opened, 'user'), await otherClient(opened, 'contributor')]
    await user.grant('c9f76ca8-b262-4b10-8ed2-09cf0948aa35', path)
    await contributor.grant('289d8817-ee69-43f1-a0af-43a45505b488', cluster)
    const statuses = [
      (await user.call('GET', path)).status,
      (await user.call('POST', `${path}/listCredential`)).status,
      (await user.call('PUT', path, { body: {} })).status,
      (await user.call('GET', cluster)).status,
      (await contributor.call('PUT', path, { body: {} })).status,
    ]
    assert.deepEqual(statuses, [200, 200, 403, 403, 200])
    await opened.door.idle()
  }))
