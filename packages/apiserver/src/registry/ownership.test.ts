// Who owns what after each verb and through each subresource, and how entries are kept, reset, capped and converted.

import assert from 'node:assert/strict'
import { after, suite, test } from 'node:test'
import { startTestServer, type Asked, type TestServer } from '../test-server.ts'

interface Entry {
  readonly manager: string
  readonly operation: string
  readonly apiVersion: string
  readonly time?: string
  readonly fieldsV1: Readonly<Record<string, unknown>>
  readonly subresource?: string
}

type Answered = Readonly<Record<string, unknown>> & {
  readonly metadata: { readonly managedFields?: readonly Entry[]; readonly resourceVersion: string }
  readonly spec: Readonly<Record<string, unknown>>
}

const APPLY = { 'content-type': 'application/apply-patch+yaml' }
const MERGE = { 'content-type': 'application/merge-patch+json' }

function apply(server: TestServer, path: string, query: string, body: unknown): Promise<Asked> {
  return server.ask(`${path}?${query}`, { method: 'PATCH', headers: APPLY, body })
}

function entries(answer: Asked): readonly Entry[] {
  return (answer.json as Answered).metadata.managedFields ?? []
}

function shown(answer: Asked): readonly string[] {
  return entries(answer).map(({ manager, operation, apiVersion, subresource = '-', fieldsV1 }) =>
    [manager, operation, apiVersion, subresource, JSON.stringify(fieldsV1)].join(' '),
  )
}

function refused(answer: Asked): readonly unknown[] {
  return [answer.status, answer.json['reason'], answer.json['message']]
}

void suite('server-side apply of subresources', async () => {
  const server = await startTestServer()
  after(() => server[Symbol.asyncDispose]())
  const pods = '/api/v1/namespaces/default/pods'
  await server.ask('/api/v1/namespaces/default/serviceaccounts', { body: { metadata: { name: 'default' } } })
  const container = { name: 'c', image: 'nginx', resources: { requests: { cpu: '100m' } } }
  await server.ask(`${pods}?fieldManager=first`, {
    body: { metadata: { name: 'p' }, spec: { containers: [container] } },
  })
  const pod = { apiVersion: 'v1', kind: 'Pod', metadata: { name: 'p' } }

  void test('adds an ephemeral container', async () => {
    const spec = { ephemeralContainers: [{ name: 'debug', image: 'busybox' }] }
    const answer = await apply(server, `${pods}/p/ephemeralcontainers`, 'fieldManager=debugger', { ...pod, spec })
    assert.equal(answer.status, 200, answer.text)
    assert.equal(
      shown(answer)[0],
      'debugger Apply v1 ephemeralcontainers {"f:spec":{"f:ephemeralContainers":{"k:{\\"name\\":\\"debug\\"}":{".":{},"f:image":{},"f:name":{}}}}}',
    )
  })

  void test('resizes, and meets who set the size', async () => {
    const spec = { containers: [{ name: 'c', resources: { requests: { cpu: '200m' } } }] }
    const conflict = await apply(server, `${pods}/p/resize`, 'fieldManager=sizer', { ...pod, spec })
    assert.equal(
      conflict.json['message'],
      'Apply failed with 1 conflict: conflict with "first" using v1: .spec.containers[name="c"].resources.requests.cpu',
    )
    const forced = await apply(server, `${pods}/p/resize`, 'fieldManager=sizer&force=true', { ...pod, spec })
    assert.equal(forced.status, 200, forced.text)
    assert.match(shown(forced).join('\n'), /^sizer Apply v1 resize /m)
  })

  void test('leaves to nobody what a subresource does not change, whatever else the configuration names', async () => {
    const more = { name: 'c', image: 'other', resources: { requests: { cpu: '200m' } } }
    const spec = {
      containers: [more],
      priorityClassName: 'x',
      ephemeralContainers: [{ name: 'debug', image: 'busybox' }],
    }
    const resized = await apply(server, `${pods}/p/resize`, 'fieldManager=wide&force=true', { ...pod, spec })
    assert.equal(resized.status, 200, resized.text)
    assert.ok(
      shown(resized).includes(
        'wide Apply v1 resize {"f:spec":{"f:containers":{"k:{\\"name\\":\\"c\\"}":{".":{},"f:resources":{"f:requests":{"f:cpu":{}}}}}}}',
      ),
      shown(resized).join('\n'),
    )
    const visited = await apply(server, `${pods}/p/ephemeralcontainers`, 'fieldManager=guest', { ...pod, spec })
    assert.equal(visited.status, 200, visited.text)
    assert.ok(
      shown(visited).includes(
        'guest Apply v1 ephemeralcontainers {"f:spec":{"f:ephemeralContainers":{"k:{\\"name\\":\\"debug\\"}":{".":{},"f:image":{},"f:name":{}}}}}',
      ),
      shown(visited).join('\n'),
    )
  })

  void test('approves a certificate request', async () => {
    const path = '/apis/certificates.k8s.io/v1/certificatesigningrequests'
    const request = btoa('-----BEGIN CERTIFICATE REQUEST-----\nx\n-----END CERTIFICATE REQUEST-----\n')
    const spec = { request, signerName: 'example.com/signer', usages: ['client auth'] }
    const made = await server.ask(path, { body: { metadata: { name: 'csr' }, spec } })
    assert.equal(made.status, 201, made.text)
    const status = { conditions: [{ type: 'Approved', status: 'True', reason: 'Test' }] }
    const config = {
      apiVersion: 'certificates.k8s.io/v1',
      kind: 'CertificateSigningRequest',
      metadata: { name: 'csr' },
      status,
    }
    const answer = await apply(server, `${path}/csr/approval`, 'fieldManager=approver', config)
    assert.match(
      shown(answer).join('\n'),
      /^approver Apply certificates\.k8s\.io\/v1 approval .*"k:\{\\"type\\":\\"Approved\\"\}"/m,
    )
  })

  void test('makes no object, and keeps to the version that it names', async () => {
    const missing = await apply(server, `${pods}/none/status`, 'fieldManager=me', {
      ...pod,
      metadata: { name: 'none' },
    })
    assert.deepEqual(refused(missing), [404, 'NotFound', 'pods "none" not found'])
    const stale = { ...pod, metadata: { name: 'p', resourceVersion: '1', labels: { a: 'b' } } }
    const conflict = await apply(server, `${pods}/p`, 'fieldManager=me', stale)
    assert.deepEqual([conflict.status, conflict.json['reason']], [409, 'Conflict'])
    const unknown = { ...pod, metadata: { name: 'new', uid: 'u-1' }, spec: { containers: [container] } }
    const made = await apply(server, `${pods}/new`, 'fieldManager=me', unknown)
    assert.deepEqual(refused(made), [
      409,
      'Conflict',
      'Operation cannot be fulfilled on pods "new": uid mismatch: the provided object specified uid u-1, and no existing object was found',
    ])
  })

  void test('needs the right to create what is not there', async () => {
    const roles = '/apis/rbac.authorization.k8s.io/v1/namespaces/default'
    const rules = [{ apiGroups: [''], resources: ['configmaps'], verbs: ['patch'] }]
    await server.ask(`${roles}/roles`, { body: { metadata: { name: 'patcher' }, rules } })
    const roleRef = { apiGroup: 'rbac.authorization.k8s.io', kind: 'Role', name: 'patcher' }
    const subjects = [{ kind: 'User', name: 'bob', apiGroup: 'rbac.authorization.k8s.io' }]
    await server.ask(`${roles}/rolebindings`, { body: { metadata: { name: 'bob' }, roleRef, subjects } })
    const config = { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: 'bobs' }, data: { a: '1' } }
    const path = '/api/v1/namespaces/default/configmaps/bobs?fieldManager=me'
    const user = { name: 'bob', groups: ['system:authenticated'] }
    const answer = await server.ask(path, { method: 'PATCH', headers: APPLY, body: config, user })
    assert.deepEqual(refused(answer), [
      403,
      'Forbidden',
      'configmaps "bobs" is forbidden: User "bob" cannot create resource "configmaps" in API group "" in the namespace "default"',
    ])
  })
})

void suite('managedFields', async () => {
  const server = await startTestServer()
  after(() => server[Symbol.asyncDispose]())
  const maps = '/api/v1/namespaces/default/configmaps'
  const agent = { 'user-agent': 'my-tool/v1 (linux)' }

  void test('name the manager that is given, or the first part of the user agent', async () => {
    const made = await server.ask(maps, { headers: agent, body: { metadata: { name: 'agent' }, data: { a: '1' } } })
    assert.deepEqual(shown(made), ['my-tool Update v1 - {"f:data":{".":{},"f:a":{}}}'])
    const patch = { data: { b: '2' } }
    const patched = await server.ask(`${maps}/agent?fieldManager=other`, {
      method: 'PATCH',
      headers: { ...MERGE, ...agent },
      body: patch,
    })
    assert.deepEqual(shown(patched), [
      'my-tool Update v1 - {"f:data":{".":{},"f:a":{}}}',
      'other Update v1 - {"f:data":{"f:b":{}}}',
    ])
    const long = await server.ask(`${maps}?fieldManager=${'x'.repeat(129)}`, { body: { metadata: { name: 'long' } } })
    assert.deepEqual(refused(long), [
      422,
      'Invalid',
      'CreateOptions.meta.k8s.io "" is invalid: fieldManager: Too long: may not be more than 128 bytes',
    ])
  })

  void test('are kept from clients that do not send them, reset by an empty list, and kept where they are malformed', async () => {
    const object = { metadata: { name: 'sent' }, data: { a: '1' } }
    await server.ask(`${maps}?fieldManager=first`, { body: object })
    const put = await server.ask(`${maps}/sent?fieldManager=second`, {
      method: 'PUT',
      body: { ...object, data: { a: '2' } },
    })
    assert.deepEqual(shown(put), ['first Update v1 - {"f:data":{}}', 'second Update v1 - {"f:data":{"f:a":{}}}'])
    const bad = {
      ...object,
      data: { a: '2' },
      metadata: { name: 'sent', managedFields: [{ manager: 'x', operation: 'Nothing' }] },
    }
    const kept = await server.ask(`${maps}/sent`, { method: 'PUT', body: bad })
    assert.deepEqual(shown(kept), shown(put))
    const empty = { ...object, data: { a: '2' }, metadata: { name: 'sent', managedFields: [] } }
    assert.deepEqual(entries(await server.ask(`${maps}/sent`, { method: 'PUT', body: empty })), [])
    const untracked = await server.ask(`${maps}/sent?fieldManager=third`, { method: 'PUT', body: object })
    assert.deepEqual(entries(untracked), [])
  })

  void test('hold ten updaters of a version, older ones become ancient-changes', async () => {
    await server.ask(`${maps}?fieldManager=m00`, { body: { metadata: { name: 'many' }, data: { k00: '' } } })
    let last: Asked | undefined
    for (let index = 1; index <= 11; index += 1) {
      const name = `m${String(index).padStart(2, '0')}`
      const body = { data: { [`k${name}`]: '' } }
      last = await server.ask(`${maps}/many?fieldManager=${name}`, { method: 'PATCH', headers: MERGE, body })
    }
    const names = entries(last!).map(({ manager }) => manager)
    assert.deepEqual([names.length, names.includes('ancient-changes'), names.includes('m11')], [10, true, true])
  })

  void test('do not change, nor does anything else, where an update changes nothing', async () => {
    const object = { metadata: { name: 'same' }, data: { a: '1' } }
    const made = await server.ask(`${maps}?fieldManager=first`, { body: object })
    const put = await server.ask(`${maps}/same?fieldManager=second`, { method: 'PUT', body: object })
    assert.deepEqual(put.json, made.json)
  })

  void test('of another version of the kind follow the object through it', async () => {
    const path = '/namespaces/default/horizontalpodautoscalers'
    const scaleTargetRef = { apiVersion: 'apps/v1', kind: 'Deployment', name: 'x' }
    const spec = { scaleTargetRef, maxReplicas: 3, targetCPUUtilizationPercentage: 50 }
    await server.ask(`/apis/autoscaling/v1${path}?fieldManager=old`, { body: { metadata: { name: 'h' }, spec } })
    const config = {
      apiVersion: 'autoscaling/v2',
      kind: 'HorizontalPodAutoscaler',
      metadata: { name: 'h' },
      spec: { maxReplicas: 4 },
    }
    const conflict = await apply(server, `/apis/autoscaling/v2${path}/h`, 'fieldManager=new', config)
    assert.equal(
      conflict.json['message'],
      'Apply failed with 1 conflict: conflict with "old" using autoscaling/v1: .spec.maxReplicas',
    )
    const forced = await apply(server, `/apis/autoscaling/v2${path}/h`, 'fieldManager=new&force=true', config)
    assert.deepEqual(
      entries(forced).map(({ manager, apiVersion }) => `${manager} ${apiVersion}`),
      ['new autoscaling/v2', 'old autoscaling/v1'],
    )
  })

  void test('of an event are known in both of its groups', async () => {
    const event = {
      metadata: { name: 'e' },
      involvedObject: { namespace: 'default' },
      reason: 'Old',
      message: 'm',
      type: 'Normal',
    }
    const made = await server.ask('/api/v1/namespaces/default/events?fieldManager=old', { body: event })
    assert.equal(made.status, 201, made.text)
    const path = '/apis/events.k8s.io/v1/namespaces/default/events/e'
    const config = { apiVersion: 'events.k8s.io/v1', kind: 'Event', metadata: { name: 'e' }, note: 'n' }
    const conflict = await apply(server, path, 'fieldManager=new', config)
    assert.equal(conflict.json['message'], 'Apply failed with 1 conflict: conflict with "old" using v1: .message')
  })
})
