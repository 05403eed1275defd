// What a cluster has before anybody writes to it, beyond its roles.

import assert from 'node:assert/strict'
import { suite, test } from 'node:test'
import { anySignal } from '@aksel/base/any-signal'
import type { KubernetesObject } from '@aksel/api/resource'
import { priorityLevelConfigurations, flowSchemas } from '@aksel/api/resources'
import { startTestServer } from '../test-server.ts'

const group = '/apis/flowcontrol.apiserver.k8s.io/v1'

void suite('a new cluster', () => {
  void test('has upstream’s priority levels and flow schemas', async () => {
    await using server = await startTestServer()
    const rows = async (path: string): Promise<readonly unknown[]> => {
      const table = await server.ask(path, { headers: { accept: 'application/json;as=Table;g=meta.k8s.io;v=v1' } })
      const { rows: found } = table.json as { rows: readonly { readonly cells: readonly unknown[] }[] }
      return found.map(({ cells }) =>
        cells.filter((_cell, index) => index !== 4 || path.includes('priority')).slice(0, 4),
      )
    }
    assert.deepEqual(await rows(`${group}/flowschemas`), [
      ['catch-all', 'catch-all', 10000, 'ByUser'],
      ['exempt', 'exempt', 1, '<none>'],
      ['global-default', 'global-default', 9900, 'ByUser'],
      ['kube-controller-manager', 'workload-high', 800, 'ByNamespace'],
      ['kube-scheduler', 'workload-high', 800, 'ByNamespace'],
      ['kube-system-service-accounts', 'workload-high', 900, 'ByNamespace'],
      ['probes', 'exempt', 2, '<none>'],
      ['service-accounts', 'workload-low', 9000, 'ByUser'],
      ['system-leader-election', 'leader-election', 100, 'ByUser'],
      ['system-node-high', 'node-high', 400, 'ByUser'],
      ['system-nodes', 'system', 500, 'ByUser'],
    ])
    assert.deepEqual(await rows(`${group}/prioritylevelconfigurations`), [
      ['catch-all', 'Limited', 5, '<none>'],
      ['exempt', 'Exempt', '<none>', '<none>'],
      ['global-default', 'Limited', 20, 128],
      ['leader-election', 'Limited', 10, 16],
      ['node-high', 'Limited', 40, 64],
      ['system', 'Limited', 30, 64],
      ['workload-high', 'Limited', 40, 128],
      ['workload-low', 'Limited', 100, 128],
    ])
  })

  void test('makes its mandatory flow schema again when it is deleted', async () => {
    await using server = await startTestServer()
    const client = server.client()
    const stop = new AbortController()
    const first = await client.get(flowSchemas, { name: 'catch-all' })
    const watch = client.watch(flowSchemas, {
      signal: anySignal([stop.signal, AbortSignal.timeout(10_000)]),
      resourceVersion: first.metadata.resourceVersion!,
    })
    await server.ask(`${group}/flowschemas/catch-all`, { method: 'DELETE' })
    let again: KubernetesObject | undefined
    for await (const event of watch) {
      if (event.type !== 'ADDED' || event.object.metadata.name !== 'catch-all') continue
      again = event.object
      break
    }
    stop.abort()
    assert.ok(again)
    assert.notEqual(again.metadata.uid, first.metadata.uid)
    const level = await client.get(priorityLevelConfigurations, { name: 'catch-all' })
    assert.equal(level.spec.limited?.nominalConcurrencyShares, 5)
  })

  void test('has its service range, ready, and its own health to tell', async () => {
    await using server = await startTestServer()
    const range = await server.ask('/apis/networking.k8s.io/v1/servicecidrs/kubernetes')
    const { spec, status } = range.json as { spec: unknown; status: { conditions: readonly Record<string, string>[] } }
    assert.deepEqual(spec, { cidrs: ['10.0.0.0/16'] })
    assert.deepEqual(
      status.conditions.map(({ type, status: value, message }) => [type, value, message]),
      [['Ready', 'True', 'Kubernetes Service CIDR is ready']],
    )
    const health = await server.ask('/api/v1/componentstatuses')
    assert.match(health.headers['warning'] ?? '', /v1 ComponentStatus is deprecated in v1.19\+/)
    const { items } = health.json as { items: readonly KubernetesObject[] }
    assert.deepEqual(
      items.map(({ metadata }) => metadata.name),
      ['etcd-0'],
    )
    assert.equal((await server.ask('/api/v1/componentstatuses/nobody')).status, 404)
    assert.equal((await server.ask('/api/v1/componentstatuses', { body: {} })).status, 405)
  })

  void test('binds a pod through the collection of bindings', async () => {
    await using server = await startTestServer()
    const account = await server.ask('/api/v1/namespaces/default/serviceaccounts', {
      body: { metadata: { name: 'default' } },
    })
    assert.equal(account.status, 201)
    const pod = { metadata: { name: 'p' }, spec: { containers: [{ name: 'c', image: 'i:1' }] } }
    await server.ask('/api/v1/namespaces/default/pods', { body: pod })
    const binding = { metadata: { name: 'p' }, target: { kind: 'Node', name: 'n1' } }
    const bound = await server.ask('/api/v1/namespaces/default/bindings', { body: binding })
    assert.equal(bound.status, 201, bound.text)
    const { spec } = (await server.ask('/api/v1/namespaces/default/pods/p')).json as { spec: { nodeName: string } }
    assert.equal(spec.nodeName, 'n1')
    assert.equal((await server.ask('/api/v1/namespaces/default/bindings', { body: binding })).status, 409)
    const missing = await server.ask('/api/v1/namespaces/default/bindings', {
      body: { ...binding, metadata: { name: 'q' } },
    })
    assert.equal(missing.status, 404)
  })
})

void suite('with ClusterTrustBundles switched on', () => {
  const path = '/apis/certificates.k8s.io/v1beta1/clustertrustbundles'
  const node = { name: 'system:node:n1', groups: ['system:nodes'] }

  void test('nodes read them, for the pods that project them, and write none', async () => {
    const runtimeConfig = { 'certificates.k8s.io/v1beta1': true }
    await using server = await startTestServer({ featureGates: { ClusterTrustBundle: true }, runtimeConfig })
    assert.equal((await server.ask(path, { user: node })).status, 200)
    const body = { metadata: { name: 'anchors' }, spec: { trustBundle: '' } }
    assert.equal((await server.ask(path, { user: node, method: 'POST', body })).status, 403)
    const role = await server.ask('/apis/rbac.authorization.k8s.io/v1/clusterroles/system:node')
    assert.match(JSON.stringify(role.json), /clustertrustbundles/)
  })

  void test('without, no rule speaks of them', async () => {
    await using server = await startTestServer()
    assert.equal((await server.ask(path, { user: node })).status, 403)
    const role = await server.ask('/apis/rbac.authorization.k8s.io/v1/clusterroles/system:node')
    assert.doesNotMatch(JSON.stringify(role.json), /clustertrustbundles/)
  })
})

void suite('with PodCertificateRequests switched on', () => {
  const group = '/apis/certificates.k8s.io/v1beta1'
  const path = `${group}/namespaces/default/podcertificaterequests`
  const node = { name: 'system:node:n1', groups: ['system:nodes'] }
  const runtimeConfig = { 'certificates.k8s.io/v1beta1': true }

  void test('a node asks for its own pods with the uids that they have, and reads its own requests', async () => {
    await using server = await startTestServer({ featureGates: { PodCertificateRequest: true }, runtimeConfig })
    const made = async (where: string, body: object): Promise<string> => {
      const { json } = await server.ask(where, { method: 'POST', body })
      return (json as unknown as { readonly metadata: { readonly uid: string } }).metadata.uid
    }
    const core = '/api/v1/namespaces/default'
    const serviceAccountUID = await made(`${core}/serviceaccounts`, { metadata: { name: 'web' } })
    const nodeUID = await made('/api/v1/nodes', { metadata: { name: 'n1' } })
    const podOn = (name: string, nodeName: string): Promise<string> =>
      made(`${core}/pods`, {
        metadata: { name },
        spec: { nodeName, serviceAccountName: 'web', containers: [{ name: 'c', image: 'i' }] },
      })
    const podUID = await podOn('web', 'n1')
    const elsewhere = await podOn('other', 'n2')
    const spec = {
      signerName: 'example.com/mesh',
      podName: 'web',
      podUID,
      serviceAccountName: 'web',
      serviceAccountUID,
      nodeName: 'n1',
      nodeUID,
      pkixPublicKey: 'AA==',
      proofOfPossession: 'AA==',
    }
    const ask = async (changed: object): Promise<string> => {
      const body = { metadata: { generateName: 'req-' }, spec: { ...spec, ...changed } }
      const { status, json } = await server.ask(path, { user: node, method: 'POST', body })
      return `${status} ${(json as { readonly message?: string }).message ?? ''}`
    }
    assert.equal(await ask({}), '201 ')
    assert.match(await ask({ nodeName: 'n2' }), /^403 .*Spec\.NodeName="n2", which is not the requesting node "n1"/)
    assert.match(await ask({ nodeUID: 'x' }), /^409 .*inconsistent with the running node/)
    assert.match(await ask({ podName: 'other', podUID: elsewhere }), /^403 .*is not running on node "n1"/)
    assert.match(await ask({ podUID: 'x' }), /^409 .*which differs from the running pod/)
    assert.match(await ask({ serviceAccountName: 'default' }), /^403 .*differs from running pod \("web"\)/)
    assert.match(await ask({ serviceAccountUID: 'x' }), /^409 .*names service account UID "x"/)
    assert.match(await ask({ signerName: 'mesh' }), /^422 .*fully qualified domain/)
    assert.match(await ask({ maxExpirationSeconds: 60 }), /^422 .*maxExpirationSeconds/)

    const all = `${group}/podcertificaterequests`
    const own = await server.ask(`${all}?fieldSelector=spec.nodeName%3Dn1`, { user: node })
    const [request] = (
      own.json as unknown as { readonly items: readonly { readonly metadata: { readonly name: string } }[] }
    ).items
    assert.equal((await server.ask(all, { user: node })).status, 403)
    assert.equal((await server.ask(`${all}?fieldSelector=spec.nodeName%3Dn2`, { user: node })).status, 403)

    const one = `${path}/${request!.metadata.name}`
    const patch = (where: string, body: object, user?: typeof node) =>
      server.ask(where, {
        method: 'PATCH',
        headers: { 'content-type': 'application/merge-patch+json' },
        body,
        ...(user && { user }),
      })
    const condition = {
      type: 'Denied',
      status: 'True',
      reason: 'No',
      message: '',
      lastTransitionTime: '2026-01-01T00:00:00Z',
    }
    assert.equal((await patch(`${one}/status`, { status: { conditions: [condition] } }, node)).status, 403)
    assert.equal((await patch(one, { spec: { podName: 'x' } })).status, 422)
    const both = [condition, { ...condition, type: 'Failed' }]
    assert.equal((await patch(`${one}/status`, { status: { conditions: both } })).status, 422)
    assert.equal((await patch(`${one}/status`, { status: { conditions: [condition] } })).status, 200)
    assert.equal((await patch(`${one}/status`, { status: { conditions: [] } })).status, 422)
  })

  void test('without, there is no such kind and no rule speaks of it', async () => {
    await using server = await startTestServer()
    assert.equal((await server.ask(path)).status, 404)
    const role = await server.ask('/apis/rbac.authorization.k8s.io/v1/clusterroles/system:node')
    assert.doesNotMatch(JSON.stringify(role.json), /podcertificaterequests/)
  })
})
