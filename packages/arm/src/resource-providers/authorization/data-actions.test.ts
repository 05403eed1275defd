// Data actions by what is asked of the API server, and what the four built-in roles make of them.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { KubernetesRequest } from '@aksel/provider/entra'
import { builtInRoles } from './built-in-roles.ts'
import { dataActionOf, dataScopeOf } from './data-actions.ts'
import { permits } from './role-definition.ts'

/** `verb group/resource/subresource`, `verb resource` of the core group, or `verb /path`. */
function asked(text: string, namespace = ''): KubernetesRequest {
  const [verb, what] = text.split(' ') as [string, string]
  const none = { group: '', resource: '', subresource: '' }
  if (what.startsWith('/')) return { ...none, verb, isResource: false, namespace: '', path: what }
  const [resource, subresource = ''] = what.split('/') as [string, string?]
  const [name, ...group] = resource.split('.') as [string, ...string[]]
  return { verb, isResource: true, group: group.join('.'), resource: name, subresource, namespace, path: '' }
}

const clusters = 'Microsoft.ContainerService/managedClusters/'

const names: readonly (readonly [asked: string, action: string])[] = [
  ['get pods', 'pods/read'],
  ['list pods', 'pods/read'],
  ['watch deployments.apps', 'apps/deployments/read'],
  ['create deployments.apps', 'apps/deployments/write'],
  ['patch deployments.apps/scale', 'apps/deployments/write'],
  ['update nodes/status', 'nodes/write'],
  ['delete secrets', 'secrets/delete'],
  ['deletecollection secrets', 'secrets/delete'],
  ['get pods/log', 'pods/read'],
  ['create pods/exec', 'pods/exec/action'],
  ['get pods/exec', 'pods/exec/action'],
  ['impersonate users', 'users/impersonate/action'],
  ['bind clusterroles.rbac.authorization.k8s.io', 'rbac.authorization.k8s.io/clusterroles/bind/action'],
  ['escalate roles.rbac.authorization.k8s.io', 'rbac.authorization.k8s.io/roles/escalate/action'],
  ['list widgets.example.com', 'customresources/read'],
  ['create widgets.example.com', 'customresources/write'],
  ['get /healthz', 'healthz/read'],
  ['get /openapi/v3', 'openapi/v3/read'],
  ['post /', 'post/action'],
]

for (const [text, action] of names)
  test(`the data action of ${text} is ${action}`, () => assert.equal(dataActionOf(asked(text)), `${clusters}${action}`))

test('what is in a namespace is asked for at the namespace, all else at the cluster', () => {
  assert.equal(dataScopeOf('/c', asked('get pods', 'web')), '/c/namespaces/web')
  assert.equal(dataScopeOf('/c', asked('list pods')), '/c')
  assert.equal(dataScopeOf('/c', { ...asked('get /healthz'), namespace: 'web' }), '/c')
})

const mays: readonly (readonly [asked: string, ...roles: ('Reader' | 'Writer' | 'Admin' | 'Cluster Admin')[]])[] = [
  ['list pods', 'Reader', 'Writer', 'Admin', 'Cluster Admin'],
  ['list events', 'Reader', 'Writer', 'Admin', 'Cluster Admin'],
  ['watch endpointslices.discovery.k8s.io', 'Reader', 'Writer', 'Admin', 'Cluster Admin'],
  ['get pods/log', 'Reader', 'Writer', 'Admin', 'Cluster Admin'],
  ['create deployments.apps', 'Writer', 'Admin', 'Cluster Admin'],
  ['delete pods', 'Writer', 'Admin', 'Cluster Admin'],
  ['get secrets', 'Writer', 'Admin', 'Cluster Admin'],
  ['create pods/exec', 'Writer', 'Admin', 'Cluster Admin'],
  ['list roles.rbac.authorization.k8s.io', 'Admin', 'Cluster Admin'],
  ['create rolebindings.rbac.authorization.k8s.io', 'Admin', 'Cluster Admin'],
  ['list nodes', 'Admin', 'Cluster Admin'],
  ['list widgets.example.com', 'Admin', 'Cluster Admin'],
  ['create namespaces', 'Cluster Admin'],
  ['delete resourcequotas', 'Cluster Admin'],
  ['impersonate users', 'Cluster Admin'],
]

for (const [text, ...able] of mays)
  test(`${text} is for RBAC ${able.join(', ')} alone`, () => {
    const found = builtInRoles
      .filter(({ roleName }) => roleName.startsWith('Azure Kubernetes Service RBAC '))
      .filter((role) => permits(role, { action: dataActionOf(asked(text)), data: true }))
      .map(({ roleName }) => roleName.replace('Azure Kubernetes Service RBAC ', ''))
    assert.deepEqual(found.toSorted(), [...able].toSorted())
  })

test('who owns the cluster in Azure was granted nothing inside it', () => {
  const owner = builtInRoles.find(({ roleName }) => roleName === 'Owner')!
  assert.equal(permits(owner, { action: dataActionOf(asked('list pods')), data: true }), false)
})
