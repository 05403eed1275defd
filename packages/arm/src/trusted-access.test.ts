// Trusted access by Azure's SDK: roles are listed, bindings kept, and a source with an identity really gets its roles inside the cluster.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { ContainerServiceClient } from '@azure/arm-containerservice'
import { clusterRoleBindings, clusterRoles } from '@aksel/api/resources'
import type { FakeClient } from '@aksel/testing/fake-client'
import { openFrontDoor, subscriptionId, type OpenedFrontDoor } from './testing/opened-front-door.ts'
import { sdkAccess } from './testing/sdk-access.ts'

const group = `/subscriptions/${subscriptionId}/resourcegroups/rg`
const cluster = `${group}/providers/Microsoft.ContainerService/managedClusters/c1`
const vault = `${group}/providers/Microsoft.DataProtection/backupVaults/v1`
const backup = 'Microsoft.DataProtection/backupVaults/backup-operator'
const reader = 'Microsoft.Compute/virtualMachineScaleSets/test-node-reader'
const admin = 'Microsoft.Compute/virtualMachineScaleSets/test-admin'

async function withCluster(
  properties: object,
  work: (world: {
    readonly opened: OpenedFrontDoor
    readonly sdk: ContainerServiceClient
    readonly inside: FakeClient
  }) => Promise<void>,
): Promise<void> {
  await using opened = await openFrontDoor()
  await opened.call('PUT', group, { body: { location: 'eastus' } })
  const agentPoolProfiles = [{ name: 'system', mode: 'System', count: 1 }]
  const body = { location: 'eastus', properties: { dnsPrefix: 'c1', agentPoolProfiles, ...properties } }
  await opened.call('PUT', cluster, { body })
  await opened.door.idle()
  const { credential, options } = sdkAccess(opened)
  const sdk = new ContainerServiceClient(credential, subscriptionId, options)
  await work({ opened, sdk, inside: opened.engine.client(cluster.toLowerCase()) })
}

test('a scale set gets the roles of its binding inside the cluster, other roles when they change, and none when it goes', () =>
  withCluster({ aadProfile: { managed: true } }, async ({ opened, sdk, inside }) => {
    const sets = await opened.call(
      'GET',
      `/subscriptions/${subscriptionId}/providers/Microsoft.Compute/virtualMachineScaleSets`,
    )
    const [set] = sets.body!['value'] as unknown as readonly { readonly id: string }[]
    const kubelet = (await sdk.managedClusters.get('rg', 'c1')).identityProfile?.['kubeletidentity']?.objectId
    const made = await sdk.trustedAccessRoleBindings.createOrUpdate('rg', 'c1', 'Nodes', {
      sourceResourceId: set!.id,
      roles: [reader],
    })
    assert.deepEqual(
      [made.provisioningState, made.sourceResourceId, made.roles, made.type],
      ['Succeeded', set!.id, [reader], 'Microsoft.ContainerService/managedClusters/trustedAccessRoleBindings'],
    )
    assert.deepEqual(inside.peek(clusterRoles, 'aks-trustedaccess-nodes')?.rules, [
      { verbs: ['get', 'list'], apiGroups: [''], resources: ['nodes'] },
    ])
    assert.deepEqual(inside.peek(clusterRoleBindings, 'aks-trustedaccess-nodes')?.subjects, [
      { kind: 'User', apiGroup: 'rbac.authorization.k8s.io', name: kubelet },
    ])
    await sdk.trustedAccessRoleBindings.createOrUpdate('rg', 'c1', 'Nodes', {
      sourceResourceId: set!.id,
      roles: [reader, admin],
    })
    assert.equal(inside.peek(clusterRoles, 'aks-trustedaccess-nodes')?.rules.length, 3)
    const names: (string | undefined)[] = []
    for await (const { name } of sdk.trustedAccessRoleBindings.list('rg', 'c1')) names.push(name)
    assert.deepEqual(names, ['Nodes'])
    await sdk.trustedAccessRoleBindings.delete('rg', 'c1', 'Nodes')
    assert.equal(inside.peek(clusterRoles, 'aks-trustedaccess-nodes'), undefined)
    assert.equal(inside.peek(clusterRoleBindings, 'aks-trustedaccess-nodes'), undefined)
    await assert.rejects(sdk.trustedAccessRoleBindings.get('rg', 'c1', 'Nodes'), { statusCode: 404 })
  }))

test('a binding of a source without an identity here is kept, and named as recorded', () =>
  withCluster({ aadProfile: { managed: true } }, async ({ opened, inside }) => {
    const path = `${cluster}/trustedAccessRoleBindings/backup`
    const body = { properties: { sourceResourceId: vault, roles: [backup] } }
    const strict = await opened.call('PUT', path, { body, headers: { 'x-aksel-strict': 'true' } })
    assert.deepEqual([strict.status, /PropertyWithoutEffect/.test(strict.text)], [400, true])
    const made = await opened.call('PUT', path, { body })
    assert.equal(made.status, 201)
    assert.match(String(made.headers['warning']), /recorded without effect: trustedAccessRoleBindings\.roles/)
    assert.equal((made.body!['properties'] as unknown as Record<string, string>)['provisioningState'], 'Updating')
    await opened.door.idle()
    const read = await opened.call('GET', path)
    assert.deepEqual(read.body!['properties'], { ...body.properties, provisioningState: 'Succeeded' })
    assert.equal(inside.peek(clusterRoles, 'aks-trustedaccess-backup'), undefined)
  }))

test('the roles of trusted access are listed with their rules', async () => {
  await using opened = await openFrontDoor()
  const { credential, options } = sdkAccess(opened)
  const roles = new Map<string | undefined, unknown>()
  for await (const role of new ContainerServiceClient(credential, subscriptionId, options).trustedAccessRoles.list(
    'eastus',
  ))
    roles.set(role.name, [role.sourceResourceType, role.rules?.length])
  assert.deepEqual(roles.get(reader), ['Microsoft.Compute/virtualMachineScaleSets', 1])
  assert.deepEqual(roles.get(backup), ['Microsoft.DataProtection/backupVaults', 3])
})

test('bindings that cannot be are refused, and a cluster has eight at most', () =>
  withCluster({}, async ({ opened }) => {
    const put = (name: string, properties: object) =>
      opened.call('PUT', `${cluster}/trustedAccessRoleBindings/${name}`, { body: { properties } })
    const good = { sourceResourceId: vault, roles: [backup] }
    for (const [name, properties, cause] of [
      ['a'.repeat(25), good, /must consist of 1 to 24 letters/],
      ['a', { ...good, sourceResourceId: undefined }, /properties\.sourceResourceId is missing/],
      ['a', { ...good, roles: [] }, /properties\.roles is missing/],
      ['a', { ...good, roles: ['backup-operator'] }, /not a role of the form/],
      ['a', { ...good, sourceResourceId: 'v1' }, /is not the id of a resource/],
    ] as const) {
      const { status, text } = await put(name, properties)
      assert.equal(status, 400, text)
      assert.match(text, cause)
    }
    for (let at = 0; at < 8; at++) assert.equal((await put(`b${at}`, good)).status, 201)
    const ninth = await put('b8', good)
    assert.deepEqual([ninth.status, /at most 8 trusted access role bindings/.test(ninth.text)], [400, true])
    await opened.door.idle()
    assert.equal((await put('b7', good)).status, 200, 'those that are there may be written again')
    await opened.door.idle()
  }))
