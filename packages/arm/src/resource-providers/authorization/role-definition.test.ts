// What roles permit: stars, exceptions, scopes, and the built-in roles at the actions that tell them apart.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { builtInRoles } from './built-in-roles.ts'
import { linkedScopes } from './linked-scopes.ts'
import { covers, holdsAt, permits } from './role-definition.ts'

test('a pattern covers what its stars stand for, slashes included, without regard to case', () => {
  const rows: readonly (readonly [string, string, boolean])[] = [
    ['*', 'Microsoft.Network/virtualNetworks/write', true],
    ['*/read', 'Microsoft.Network/virtualNetworks/subnets/READ', true],
    ['*/read', 'Microsoft.Network/virtualNetworks/write', false],
    ['Microsoft.Authorization/*/Write', 'microsoft.authorization/roleassignments/write', true],
    ['Microsoft.Authorization/*/Write', 'Microsoft.Authorization/write', false],
    ['Microsoft.Network/*', 'Microsoft.NetworkX/a/read', false],
    ['a/*b', 'a/b', true],
    ['ab*ba', 'aba', false],
    ['a/b', 'a/b/c', false],
    ['a/*/c/*/e', 'a/x/c/y/z/e', true],
  ]
  for (const [pattern, action, covered] of rows) assert.equal(covers(pattern, action), covered, `${pattern} ${action}`)
})

test('a grant holds at its scope and below, never beside it', () => {
  assert.ok(holdsAt('/subscriptions/s', '/subscriptions/S/resourceGroups/rg'))
  assert.ok(holdsAt('/', '/subscriptions/s'))
  assert.ok(!holdsAt('/subscriptions/s/resourceGroups/rg', '/subscriptions/s/resourceGroups/rg2'))
  assert.ok(!holdsAt('/subscriptions/s/resourceGroups/rg', '/subscriptions/s'))
})

test('built-in roles permit what Azure lets them', () => {
  const may = (role: string, action: string, data = false): boolean =>
    permits(
      builtInRoles.find(({ roleName }) => roleName === role)!,
      { action, data },
    )
  const cluster = 'Microsoft.ContainerService/managedClusters'
  const prefix = 'Azure Kubernetes Service'
  assert.ok(may('Owner', 'Microsoft.Authorization/roleAssignments/write'))
  assert.ok(!may('Contributor', 'Microsoft.Authorization/roleAssignments/write'))
  assert.ok(may('Contributor', `${cluster}/listClusterAdminCredential/action`))
  assert.ok(!may('Reader', `${cluster}/listClusterUserCredential/action`))
  assert.ok(may('User Access Administrator', 'Microsoft.Authorization/roleAssignments/delete'))
  assert.ok(!may('User Access Administrator', `${cluster}/write`))
  assert.ok(may('Network Contributor', 'Microsoft.Network/virtualNetworks/subnets/join/action'))
  assert.ok(!may('Network Contributor', `${cluster}/read`))
  assert.ok(may(`${prefix} Cluster User Role`, `${cluster}/listClusterUserCredential/action`))
  assert.ok(!may(`${prefix} Cluster User Role`, `${cluster}/listClusterAdminCredential/action`))
  assert.ok(may(`${prefix} Cluster Admin Role`, `${cluster}/listClusterAdminCredential/action`))
  assert.ok(may(`${prefix} Contributor Role`, `${cluster}/agentPools/write`))
  assert.ok(!may(`${prefix} Contributor Role`, 'Microsoft.Network/virtualNetworks/write'))
  assert.ok(may(`${prefix} RBAC Reader`, `${cluster}/pods/read`, true))
  assert.ok(!may(`${prefix} RBAC Reader`, `${cluster}/secrets/read`, true))
  assert.ok(!may(`${prefix} RBAC Reader`, `${cluster}/pods/read`), 'a data action is no action')
  assert.ok(may(`${prefix} RBAC Writer`, `${cluster}/secrets/read`, true))
  assert.ok(!may(`${prefix} RBAC Writer`, `${cluster}/rbac.authorization.k8s.io/roles/write`, true))
  assert.ok(may(`${prefix} RBAC Admin`, `${cluster}/rbac.authorization.k8s.io/roles/write`, true))
  assert.ok(!may(`${prefix} RBAC Admin`, `${cluster}/namespaces/write`, true))
  assert.ok(may(`${prefix} RBAC Cluster Admin`, `${cluster}/namespaces/write`, true))
  assert.ok(!may('Owner', `${cluster}/pods/read`, true))
  assert.equal(new Set(builtInRoles.map(({ name }) => name)).size, builtInRoles.length)
})

test('a body names the subnets, networks and identities that it uses, each once, and not its own parts', () => {
  const group = '/subscriptions/s/resourceGroups/rg/providers'
  const subnet = `${group}/Microsoft.Network/virtualNetworks/v/subnets/a`
  const identity = `${group}/Microsoft.ManagedIdentity/userAssignedIdentities/i`
  const cluster = {
    identity: { userAssignedIdentities: { [identity]: {} } },
    properties: { agentPoolProfiles: [{ vnetSubnetID: subnet }, { vnetSubnetID: subnet }] },
  }
  assert.deepEqual(
    linkedScopes(cluster, `${group}/Microsoft.ContainerService/managedClusters/c`).map(({ action }) => action),
    [
      'Microsoft.ManagedIdentity/userAssignedIdentities/assign/action',
      'Microsoft.Network/virtualNetworks/subnets/join/action',
    ],
  )
  const network = { id: `${group}/Microsoft.Network/virtualNetworks/v`, properties: { subnets: [{ id: subnet }] } }
  assert.deepEqual(linkedScopes(network, `${group}/Microsoft.Network/virtualNetworks/v`), [])
})
