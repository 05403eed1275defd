// Who may do what: roles and bindings, impersonation, escalation, and what a node may see.

import assert from 'node:assert/strict'
import { after, before, suite, test } from 'node:test'
import type { PolicyRule } from '@aksel/api/types/rbac-v1'
import type { UserInfo } from '../authentication/user-info.ts'
import { createRequest } from '@aksel/runtime/certificate-requests'
import { startTestServer, type Asked, type TestServer } from '../test-server.ts'
import { showRule, uncovered } from './policy-rule.ts'

const bob: UserInfo = { name: 'bob', groups: ['devs'] }
const rbac = '/apis/rbac.authorization.k8s.io/v1'
const pods = '/api/v1/namespaces/default/pods'

function message({ status, json }: Asked): readonly [number, unknown] {
  return [status, json['message']]
}

function pod(name: string, nodeName: string, volumes: readonly unknown[] = []): unknown {
  return {
    metadata: { name },
    spec: { nodeName, automountServiceAccountToken: false, containers: [{ name: 'c', image: 'i' }], volumes },
  }
}

void suite('roles and bindings', () => {
  let server: TestServer
  before(async () => {
    server = await startTestServer()
    const role = {
      metadata: { name: 'reader' },
      rules: [{ verbs: ['get', 'list'], apiGroups: [''], resources: ['pods', '*/status'] }],
    }
    const named = {
      metadata: { name: 'one' },
      rules: [{ verbs: ['*'], apiGroups: [''], resources: ['secrets'], resourceNames: ['mine'] }],
    }
    for (const body of [role, named]) await server.ask(`${rbac}/namespaces/default/roles`, { body })
    for (const name of ['reader', 'one']) {
      const roleRef = { apiGroup: 'rbac.authorization.k8s.io', kind: 'Role', name }
      const subjects = [{ kind: 'Group', apiGroup: 'rbac.authorization.k8s.io', name: 'devs' }]
      await server.ask(`${rbac}/namespaces/default/rolebindings`, { body: { metadata: { name }, roleRef, subjects } })
    }
  })
  after(() => server[Symbol.asyncDispose]())

  void test('allow what they name, in their namespace', async () => {
    assert.equal((await server.ask(pods, { user: bob })).status, 200)
    assert.deepEqual(message(await server.ask('/api/v1/namespaces/kube-system/pods', { user: bob })), [
      403,
      'pods is forbidden: User "bob" cannot list resource "pods" in API group "" in the namespace "kube-system"',
    ])
    assert.deepEqual(message(await server.ask('/apis/apps/v1/deployments', { user: bob })), [
      403,
      'deployments.apps is forbidden: User "bob" cannot list resource "deployments" in API group "apps" at the cluster scope',
    ])
    assert.deepEqual(message(await server.ask(`${pods}/a/log`, { user: bob })), [
      403,
      'pods "a" is forbidden: User "bob" cannot get resource "pods/log" in API group "" in the namespace "default"',
    ])
  })

  void test('allow a subresource through */status', async () => {
    assert.equal((await server.ask(`${pods}/a/status`, { user: bob })).status, 404)
  })

  void test('allow named objects, and lists and watches that select the name', async () => {
    const secrets = '/api/v1/namespaces/default/secrets'
    assert.equal((await server.ask(`${secrets}/mine`, { user: bob })).status, 404)
    assert.equal((await server.ask(`${secrets}/other`, { user: bob })).status, 403)
    assert.equal((await server.ask(`${secrets}?fieldSelector=metadata.name%3Dmine`, { user: bob })).status, 200)
    assert.equal((await server.ask(secrets, { user: bob })).status, 403)
  })

  void test('are forgotten when a binding goes', async () => {
    const roleRef = { apiGroup: 'rbac.authorization.k8s.io', kind: 'ClusterRole', name: 'view' }
    const subjects = [{ kind: 'User', apiGroup: 'rbac.authorization.k8s.io', name: 'eve' }]
    const eve: UserInfo = { name: 'eve', groups: [] }
    await server.ask(`${rbac}/clusterrolebindings`, { body: { metadata: { name: 'eve' }, roleRef, subjects } })
    assert.equal(
      (await server.ask('/api/v1/configmaps', { user: eve })).status,
      200,
      'view aggregates the right to read config maps',
    )
    assert.equal((await server.ask('/api/v1/secrets', { user: eve })).status, 403, 'view does not show secrets')
    await server.ask(`${rbac}/clusterrolebindings/eve`, { method: 'DELETE' })
    assert.equal((await server.ask('/api/v1/configmaps', { user: eve })).status, 403)
  })

  void test('let a new role into an aggregated one', async () => {
    const labels = { 'rbac.authorization.k8s.io/aggregate-to-view': 'true' }
    const rules = [{ verbs: ['list'], apiGroups: [''], resources: ['nodes'] }]
    await server.ask(`${rbac}/clusterroles`, { body: { metadata: { name: 'more', labels }, rules } })
    const roleRef = { apiGroup: 'rbac.authorization.k8s.io', kind: 'ClusterRole', name: 'view' }
    const subjects = [{ kind: 'User', apiGroup: 'rbac.authorization.k8s.io', name: 'ann' }]
    await server.ask(`${rbac}/clusterrolebindings`, { body: { metadata: { name: 'ann' }, roleRef, subjects } })
    assert.equal((await server.ask('/api/v1/nodes', { user: { name: 'ann', groups: [] } })).status, 200)
  })

  void test('allow everyone the public paths, and no others', async () => {
    const anonymous: UserInfo = { name: 'system:anonymous', groups: ['system:unauthenticated'] }
    for (const path of ['/livez', '/readyz', '/healthz', '/version']) {
      assert.equal((await server.ask(path, { user: anonymous })).status, 200, path)
    }
    assert.deepEqual(message(await server.ask('/', { user: anonymous })), [
      403,
      'forbidden: User "system:anonymous" cannot get path "/"',
    ])
  })

  void test('decide who may act as someone else', async () => {
    const headers = { 'impersonate-user': 'carl', 'impersonate-group': 'devs' }
    assert.equal((await server.ask(pods, { headers })).status, 200)
    assert.deepEqual(message(await server.ask(pods, { user: bob, headers })), [
      403,
      'users "carl" is forbidden: User "bob" cannot impersonate resource "users" in API group "" at the cluster scope',
    ])
  })

  void test('cannot be used to hand out more than one has', async () => {
    const rules = [
      { verbs: ['create', 'update'], apiGroups: ['rbac.authorization.k8s.io'], resources: ['roles', 'rolebindings'] },
    ]
    await server.ask(`${rbac}/namespaces/default/roles`, { body: { metadata: { name: 'grantor' }, rules } })
    const roleRef = { apiGroup: 'rbac.authorization.k8s.io', kind: 'Role', name: 'grantor' }
    const subjects = [{ kind: 'User', apiGroup: 'rbac.authorization.k8s.io', name: 'bob' }]
    await server.ask(`${rbac}/namespaces/default/rolebindings`, {
      body: { metadata: { name: 'grantor' }, roleRef, subjects },
    })
    const secretRules = [{ verbs: ['get'], apiGroups: [''], resources: ['secrets'] }]
    const denied = await server.ask(`${rbac}/namespaces/default/roles`, {
      user: bob,
      body: { metadata: { name: 'more' }, rules: secretRules },
    })
    assert.equal(denied.status, 403)
    assert.match(
      String(denied.json['message']),
      /^roles\.rbac\.authorization\.k8s\.io "more" is forbidden: user "bob" \(groups=\["devs" "system:authenticated"\]\) is attempting to grant RBAC permissions not currently held:\n\{APIGroups:\[""\], Resources:\["secrets"\], Verbs:\["get"\]\}$/,
    )
    const own = [{ verbs: ['get'], apiGroups: [''], resources: ['pods'] }]
    const granted = await server.ask(`${rbac}/namespaces/default/roles`, {
      user: bob,
      body: { metadata: { name: 'own' }, rules: own },
    })
    assert.equal(granted.status, 201)
    const admin = { apiGroup: 'rbac.authorization.k8s.io', kind: 'ClusterRole', name: 'cluster-admin' }
    const bound = await server.ask(`${rbac}/namespaces/default/rolebindings`, {
      user: bob,
      body: { metadata: { name: 'boss' }, roleRef: admin, subjects },
    })
    assert.equal(bound.status, 403)
  })

  void test('are what reviews answer from', async () => {
    const review = (spec: unknown): Promise<Asked> =>
      server.ask('/apis/authorization.k8s.io/v1/selfsubjectaccessreviews', { user: bob, body: { spec } })
    const may = await review({ resourceAttributes: { verb: 'list', resource: 'pods', namespace: 'default' } })
    const { allowed, reason } = may.json['status'] as { readonly allowed: boolean; readonly reason: string }
    assert.deepEqual(
      [may.status, allowed, reason],
      [201, true, 'RBAC: allowed by RoleBinding "reader/default" of Role "reader" to Group "devs"'],
    )
    const mayNot = await review({ resourceAttributes: { verb: 'delete', resource: 'pods', namespace: 'default' } })
    assert.deepEqual(mayNot.json['status'], { allowed: false })
    const rules = await server.ask('/apis/authorization.k8s.io/v1/selfsubjectrulesreviews', {
      user: bob,
      body: { spec: { namespace: 'default' } },
    })
    const { resourceRules } = rules.json['status'] as { readonly resourceRules: readonly PolicyRule[] }
    assert.ok(resourceRules.some((rule) => rule.resources?.includes('pods') && rule.verbs.includes('list')))
  })
})

void suite('a node', () => {
  const node: UserInfo = { name: 'system:node:n1', groups: ['system:nodes'] }
  const other: UserInfo = { name: 'system:node:n2', groups: ['system:nodes'] }
  let server: TestServer
  before(async () => {
    server = await startTestServer()
    await server.ask('/api/v1/namespaces/default/serviceaccounts', { body: { metadata: { name: 'default' } } })
    for (const name of ['used', 'unused']) {
      await server.ask('/api/v1/namespaces/default/secrets', { body: { metadata: { name } } })
      await server.ask('/api/v1/namespaces/default/configmaps', { body: { metadata: { name } } })
    }
    const volumes = [
      { name: 's', secret: { secretName: 'used' } },
      { name: 'c', configMap: { name: 'used' } },
    ]
    const created = await server.ask(pods, { body: pod('mine', 'n1', volumes) })
    assert.equal(created.status, 201, created.text)
  })
  after(() => server[Symbol.asyncDispose]())

  void test('reads the secrets and config maps of its own pods, and no others', async () => {
    for (const plural of ['secrets', 'configmaps']) {
      const path = `/api/v1/namespaces/default/${plural}`
      assert.equal((await server.ask(`${path}/used`, { user: node })).status, 200)
      assert.equal((await server.ask(`${path}?fieldSelector=metadata.name%3Dused`, { user: node })).status, 200)
      assert.equal((await server.ask(`${path}/unused`, { user: node })).status, 403)
      assert.equal((await server.ask(`${path}/used`, { user: other })).status, 403)
      assert.equal((await server.ask(path, { user: node })).status, 403)
    }
    const refused = await server.ask('/api/v1/namespaces/default/secrets/unused', { user: node })
    assert.match(String(refused.json['message']), /: no relationship found between node 'n1' and this object$/)
  })

  void test('reads the claims for devices of its own pods, and takes away no slices but its own', async () => {
    const group = '/apis/resource.k8s.io/v1'
    const claims = `${group}/namespaces/default/resourceclaims`
    const spec = { devices: { requests: [{ name: 'one', exactly: { deviceClassName: 'lamps' } }] } }
    for (const name of ['lamp', 'lantern']) await server.ask(claims, { body: { metadata: { name }, spec } })
    const made = pod('lit', 'n1', []) as { readonly spec: object }
    const resourceClaims = [{ name: 'light', resourceClaimName: 'lamp' }]
    const created = await server.ask(pods, { body: { ...made, spec: { ...made.spec, resourceClaims } } })
    assert.equal(created.status, 201, created.text)
    assert.equal((await server.ask(`${claims}/lamp`, { user: node })).status, 200)
    assert.equal((await server.ask(`${claims}/lantern`, { user: node })).status, 403)
    assert.equal((await server.ask(`${claims}/lamp`, { user: other })).status, 403)
    const remove = (selector: string): Promise<{ readonly status: number }> =>
      server.ask(`${group}/resourceslices${selector}`, { method: 'DELETE', user: node })
    assert.equal((await remove('?fieldSelector=spec.nodeName%3Dn1')).status, 200)
    assert.equal((await remove('?fieldSelector=spec.nodeName%3Dn2')).status, 403)
    assert.equal((await remove('')).status, 403)
  })

  void test('loses sight of them when the pod goes', async () => {
    const volumes = [{ name: 's', secret: { secretName: 'unused' } }]
    await server.ask(pods, { body: pod('short', 'n1', volumes) })
    assert.equal((await server.ask('/api/v1/namespaces/default/secrets/unused', { user: node })).status, 200)
    const gone = await server.ask(`${pods}/short?gracePeriodSeconds=0`, { method: 'DELETE' })
    assert.equal(gone.status, 200)
    assert.equal((await server.ask('/api/v1/namespaces/default/secrets/unused', { user: node })).status, 403)
  })

  void test('lists its own pods only', async () => {
    assert.equal((await server.ask('/api/v1/pods?fieldSelector=spec.nodeName%3Dn1', { user: node })).status, 200)
    assert.equal((await server.ask('/api/v1/pods', { user: node })).status, 403)
    assert.equal((await server.ask('/api/v1/pods?fieldSelector=spec.nodeName%3Dn2', { user: node })).status, 403)
  })

  void test('writes the status of its own pods only', async () => {
    const body = { status: { phase: 'Running' } }
    const headers = { 'content-type': 'application/merge-patch+json' }
    assert.equal((await server.ask(`${pods}/mine/status`, { method: 'PATCH', user: node, body, headers })).status, 200)
    const refused = await server.ask(`${pods}/mine/status`, { method: 'PATCH', user: other, body, headers })
    assert.deepEqual(message(refused), [
      403,
      'pods "mine" is forbidden: node "n2" can only update pod status for pods with spec.nodeName set to itself',
    ])
  })

  void test('registers itself, not another, and gives itself no labels that attract pods', async () => {
    assert.equal((await server.ask('/api/v1/nodes', { user: node, body: { metadata: { name: 'n1' } } })).status, 201)
    assert.deepEqual(message(await server.ask('/api/v1/nodes', { user: node, body: { metadata: { name: 'n2' } } })), [
      403,
      'nodes "n2" is forbidden: node "n1" is not allowed to modify node "n2"',
    ])
    const body = { metadata: { labels: { 'node-role.kubernetes.io/control-plane': '' } } }
    const headers = { 'content-type': 'application/merge-patch+json' }
    const refused = await server.ask('/api/v1/nodes/n1', { method: 'PATCH', user: node, body, headers })
    assert.deepEqual(message(refused), [
      403,
      'nodes "n1" is forbidden: node "n1" is not allowed to modify labels: node-role.kubernetes.io/control-plane',
    ])
  })

  void test('is tainted until it is ready', async () => {
    const { json } = await server.ask('/api/v1/nodes/n1')
    const { taints } = json['spec'] as { readonly taints: readonly unknown[] }
    assert.deepEqual(taints, [{ key: 'node.kubernetes.io/not-ready', effect: 'NoSchedule' }])
  })

  void test('gets tokens for the accounts of its pods, bound to them', async () => {
    const uid = ((await server.ask(`${pods}/mine`)).json['metadata'] as { readonly uid: string }).uid
    const path = '/api/v1/namespaces/default/serviceaccounts/default/token'
    const boundObjectRef = { apiVersion: 'v1', kind: 'Pod', name: 'mine', uid }
    assert.equal(
      (await server.ask(path, { user: node, body: { spec: { audiences: [], boundObjectRef } } })).status,
      201,
    )
    assert.equal((await server.ask(path, { user: node, body: { spec: { audiences: [] } } })).status, 403)
    assert.equal(
      (await server.ask(path, { user: other, body: { spec: { audiences: [], boundObjectRef } } })).status,
      403,
    )
  })

  void test('publishes, reads and takes away slices of its own devices', async () => {
    const slices = '/apis/resource.k8s.io/v1/resourceslices'
    const body = (name: string, where: object): object => ({
      metadata: { name },
      spec: { driver: 'd.example', pool: { name, generation: 1, resourceSliceCount: 1 }, ...where },
    })
    assert.equal((await server.ask(slices, { user: node, body: body('own', { nodeName: 'n1' }) })).status, 201)
    for (const where of [{ nodeName: 'n2' }, { allNodes: true }])
      assert.deepEqual(message(await server.ask(slices, { user: node, body: body('theirs', where) })), [
        403,
        'resourceslices.resource.k8s.io "theirs" is forbidden: node "n1" can only create ResourceSlice with the same NodeName as the requesting node',
      ])
    assert.equal((await server.ask(`${slices}/own`, { user: node })).status, 200)
    assert.equal((await server.ask(`${slices}/own`, { user: other })).status, 403)
    assert.equal((await server.ask(`${slices}?fieldSelector=spec.nodeName%3Dn1`, { user: node })).status, 200)
    assert.equal((await server.ask(`${slices}/own`, { method: 'DELETE', user: other })).status, 403)
    assert.equal((await server.ask(`${slices}/own`, { method: 'DELETE', user: node })).status, 200)
  })

  void test('says how large a claim of its pods has become, and nothing else of it', async () => {
    const claims = '/api/v1/namespaces/default/persistentvolumeclaims'
    const spec = { accessModes: ['ReadWriteOnce'], resources: { requests: { storage: '1Gi' } }, storageClassName: '' }
    assert.equal((await server.ask(claims, { body: { metadata: { name: 'disk' }, spec } })).status, 201)
    const volumes = [{ name: 'd', persistentVolumeClaim: { claimName: 'disk' } }]
    assert.equal((await server.ask(pods, { body: pod('writer', 'n1', volumes) })).status, 201)
    const patch = (user: UserInfo, body: object): Promise<Asked> =>
      server.ask(`${claims}/disk/status`, {
        method: 'PATCH',
        user,
        body,
        headers: { 'content-type': 'application/merge-patch+json' },
      })
    assert.equal((await patch(node, { status: { capacity: { storage: '2Gi' } } })).status, 200)
    assert.equal((await patch(other, { status: { capacity: { storage: '3Gi' } } })).status, 403)
    assert.deepEqual(message(await patch(node, { status: { phase: 'Bound' } })), [
      403,
      'persistentvolumeclaims "disk" is forbidden: node "n1" is not allowed to update fields other than status.capacity and status.conditions',
    ])
  })

  void test('asks for certificates in its own name alone', async () => {
    const requests = '/apis/certificates.k8s.io/v1/certificatesigningrequests'
    const ask = async (commonName: string): Promise<Asked> => {
      const { requestPem } = await createRequest({ commonName, organizations: ['system:nodes'] })
      const request = Buffer.from(requestPem).toString('base64')
      const signerName = 'kubernetes.io/kubelet-serving'
      const spec = { request, signerName, usages: ['digital signature', 'server auth'] }
      return server.ask(requests, { user: node, body: { metadata: { generateName: 'csr-' }, spec } })
    }
    assert.equal((await ask('system:node:n1')).status, 201)
    for (const name of ['system:node:n2', 'system:node:n1x', `system:node:${'n'.repeat(52)}`]) {
      const { status, json } = await ask(name)
      assert.equal(status, 403)
      assert.match(String(json['message']), /node "n1" can only create a node CSR with CN=system:node:n1$/)
    }
  })

  void test('keeps its own lease', async () => {
    const path = '/apis/coordination.k8s.io/v1/namespaces/kube-node-lease/leases'
    assert.equal(
      (await server.ask(path, { user: node, body: { metadata: { name: 'n1' }, spec: { holderIdentity: 'n1' } } }))
        .status,
      201,
    )
    assert.equal((await server.ask(path, { user: node, body: { metadata: { name: 'n2' }, spec: {} } })).status, 403)
    assert.equal((await server.ask(`${path}/n1`, { user: other })).status, 403)
  })
})

void test('uncovered() finds exactly the rules that an owner lacks', () => {
  const owned: PolicyRule[] = [
    { verbs: ['get', 'list'], apiGroups: ['*'], resources: ['pods', '*/scale'] },
    { verbs: ['*'], apiGroups: [''], resources: ['secrets'], resourceNames: ['a'] },
    { verbs: ['get'], nonResourceURLs: ['/healthz/*'] },
  ]
  const asked: PolicyRule[] = [
    { verbs: ['get', 'watch'], apiGroups: ['', 'x'], resources: ['pods'] },
    { verbs: ['get'], apiGroups: ['apps'], resources: ['deployments/scale'] },
    { verbs: ['delete'], apiGroups: [''], resources: ['secrets'], resourceNames: ['a', 'b'] },
    { verbs: ['get'], nonResourceURLs: ['/healthz/etcd', '/metrics'] },
  ]
  assert.deepEqual(uncovered(owned, asked).map(showRule), [
    '{APIGroups:[""], Resources:["pods"], Verbs:["watch"]}',
    '{APIGroups:["x"], Resources:["pods"], Verbs:["watch"]}',
    '{APIGroups:[""], Resources:["secrets"], ResourceNames:["b"], Verbs:["delete"]}',
    '{NonResourceURLs:["/metrics"], Verbs:["get"]}',
  ])
})
