// From create to gone: identity, defaults, finalizers, grace, propagation, scale, binding, eviction, addresses, a restart.

import assert from 'node:assert/strict'
import { after, before, suite, test } from 'node:test'
import { createMemoryStore } from '@aksel/store/memory-store'
import { newFrontProxy } from '../aggregation/front-proxy.ts'
import { startTestServer, testScope, type Asked, type TestServer } from '../test-server.ts'

const pods = '/api/v1/namespaces/default/pods'
const services = '/api/v1/namespaces/default/services'
const merge = { 'content-type': 'application/merge-patch+json' }

type Json = Readonly<Record<string, unknown>>

function podBody(name: string, more: object = {}): unknown {
  return { metadata: { name, labels: { app: 'web' } }, spec: { containers: [{ name: 'c', image: 'i:1' }], ...more } }
}

function service(name: string, spec: object = {}): unknown {
  return { metadata: { name }, spec: { ports: [{ port: 80 }], ...spec } }
}

function ok(answer: Asked, status = 201): Json {
  assert.equal(answer.status, status, answer.text)
  return answer.json as Json
}

void suite('objects', () => {
  let server: TestServer
  before(async () => {
    server = await startTestServer()
    await server.ask('/api/v1/namespaces/default/serviceaccounts', { body: { metadata: { name: 'default' } } })
  })
  after(() => server[Symbol.asyncDispose]())

  void test('get a name from generateName, an identity that no one can set, and a version', async () => {
    const body = { metadata: { generateName: 'job-', uid: 'mine', creationTimestamp: '2001-01-01T00:00:00Z' } }
    const { metadata } = ok(await server.ask('/api/v1/namespaces/default/configmaps', { body })) as { metadata: Json }
    assert.match(String(metadata['name']), /^job-[bcdfghjklmnpqrstvwxz2456789]{5}$/)
    assert.notEqual(metadata['uid'], 'mine')
    assert.notEqual(metadata['creationTimestamp'], '2001-01-01T00:00:00Z')
    assert.match(String(metadata['resourceVersion']), /^\d+$/)
  })

  void test('come back in the order of Go, their version behind the uid', async () => {
    const { text } = await server.ask('/api/v1/namespaces/default')
    assert.match(
      text,
      /^\{"kind":"Namespace","apiVersion":"v1","metadata":\{"name":"default","uid":"[-0-9a-f]{36}","resourceVersion":"\d+",/,
    )
  })

  void test('are not written again by a change that changes nothing', async () => {
    const path = '/api/v1/namespaces/default/configmaps'
    await server.ask(path, { body: { metadata: { name: 'same' }, data: { a: '1' } } })
    const revisionBefore = server.store.revision
    const answer = await server.ask(`${path}/same`, { method: 'PATCH', headers: merge, body: { data: { a: '1' } } })
    assert.equal(answer.status, 200)
    assert.equal(server.store.revision, revisionBefore)
  })

  void test('stay with a deletionTimestamp until their last finalizer is gone', async () => {
    const path = '/api/v1/namespaces/default/configmaps'
    await server.ask(path, { body: { metadata: { name: 'held', finalizers: ['example.com/hold'] } } })
    const marked = ok(await server.ask(`${path}/held`, { method: 'DELETE' }), 200) as { metadata: Json }
    assert.match(String(marked.metadata['deletionTimestamp']), /^\d{4}-/)
    assert.equal((await server.ask(`${path}/held`)).status, 200)
    const last = await server.ask(`${path}/held`, {
      method: 'PATCH',
      headers: merge,
      body: { metadata: { finalizers: null } },
    })
    assert.equal(last.status, 200)
    assert.equal((await server.ask(`${path}/held`)).status, 404)
  })

  void test('get the finalizer of the propagation that is asked for', async () => {
    const path = '/api/v1/namespaces/default/configmaps'
    for (const [policy, finalizer] of [
      ['Orphan', 'orphan'],
      ['Foreground', 'foregroundDeletion'],
    ] as const) {
      await server.ask(path, { body: { metadata: { name: 'owner' } } })
      const marked = ok(
        await server.ask(`${path}/owner`, { method: 'DELETE', body: { propagationPolicy: policy } }),
        200,
      ) as { metadata: Json }
      assert.deepEqual(marked.metadata['finalizers'], [finalizer])
      await server.ask(`${path}/owner`, { method: 'PATCH', headers: merge, body: { metadata: { finalizers: null } } })
    }
  })

  void test('that are pods on a node go in grace, and at once when the node says so', async () => {
    ok(await server.ask(pods, { body: podBody('graceful') }))
    ok(await server.ask(`${pods}/graceful/binding`, { body: { target: { kind: 'Node', name: 'n1' } } }))
    const { spec } = ok(await server.ask(`${pods}/graceful`), 200) as { spec: Json }
    assert.equal(spec['nodeName'], 'n1')
    const again = await server.ask(`${pods}/graceful/binding`, { body: { target: { kind: 'Node', name: 'n2' } } })
    assert.equal(again.status, 409)
    const marked = ok(await server.ask(`${pods}/graceful`, { method: 'DELETE' }), 200) as { metadata: Json }
    assert.equal(marked.metadata['deletionGracePeriodSeconds'], 30)
    assert.equal((await server.ask(`${pods}/graceful`)).status, 200)
    ok(await server.ask(`${pods}/graceful`, { method: 'DELETE', body: { gracePeriodSeconds: 0 } }), 200)
    assert.equal((await server.ask(`${pods}/graceful`)).status, 404)
  })

  void test('that are namespaces become Terminating, refuse newcomers, and go when finalized', async () => {
    ok(await server.ask('/api/v1/namespaces', { body: { metadata: { name: 'going' } } }))
    const marked = ok(await server.ask('/api/v1/namespaces/going', { method: 'DELETE' }), 200) as { status: Json }
    assert.equal(marked.status['phase'], 'Terminating')
    const refused = await server.ask('/api/v1/namespaces/going/configmaps', { body: { metadata: { name: 'a' } } })
    assert.deepEqual(
      [refused.status, refused.json['message']],
      [
        403,
        'configmaps "a" is forbidden: unable to create new content in namespace going because it is being terminated',
      ],
    )
    const finalized = await server.ask('/api/v1/namespaces/going/finalize', {
      method: 'PUT',
      body: { metadata: { name: 'going' }, spec: { finalizers: [] } },
    })
    assert.equal(finalized.status, 200, finalized.text)
    assert.equal((await server.ask('/api/v1/namespaces/going')).status, 404)
  })

  void test('keep their spec when the status is written, and their status when the spec is', async () => {
    ok(await server.ask(pods, { body: podBody('split') }))
    const headers = merge
    await server.ask(`${pods}/split/status`, {
      method: 'PATCH',
      headers,
      body: { spec: { schedulerName: 'x' }, status: { phase: 'Running' } },
    })
    const pod = ok(await server.ask(`${pods}/split`), 200) as { spec: Json; status: Json }
    assert.deepEqual([pod.spec['schedulerName'], pod.status['phase']], ['default-scheduler', 'Running'])
    await server.ask(`${pods}/split`, {
      method: 'PATCH',
      headers,
      body: { metadata: { labels: { a: 'b' } }, status: { phase: 'Failed' } },
    })
    assert.equal((ok(await server.ask(`${pods}/split`), 200) as { status: Json }).status['phase'], 'Running')
  })

  void test('that are pods have a token, tolerations and a priority', async () => {
    const { spec } = ok(
      await server.ask(pods, { body: podBody('defaulted', { priorityClassName: 'system-node-critical' }) }),
    ) as {
      spec: {
        volumes: { projected: unknown }[]
        priority: number
        tolerations: unknown[]
        containers: { volumeMounts: { mountPath: string }[] }[]
      }
    }
    assert.equal(spec.priority, 2_000_001_000)
    assert.equal(spec.tolerations.length, 2)
    assert.equal(spec.containers[0]!.volumeMounts[0]!.mountPath, '/var/run/secrets/kubernetes.io/serviceaccount')
    const refused = await server.ask(pods, { body: podBody('unknown-class', { priorityClassName: 'nope' }) })
    assert.deepEqual(
      [refused.status, refused.json['message']],
      [403, 'pods "unknown-class" is forbidden: no PriorityClass with name nope was found'],
    )
  })

  void test('that scale do so through their subresource', async () => {
    const template = { metadata: { labels: { app: 'web' } }, spec: { containers: [{ name: 'c', image: 'i:1' }] } }
    const body = { metadata: { name: 'web' }, spec: { selector: { matchLabels: { app: 'web' } }, template } }
    const path = '/apis/apps/v1/namespaces/default/deployments'
    ok(await server.ask(path, { body }))
    const scale = ok(await server.ask(`${path}/web/scale`), 200) as { spec: Json; kind: string }
    assert.deepEqual([scale.kind, scale.spec['replicas']], ['Scale', 1])
    ok(await server.ask(`${path}/web/scale`, { method: 'PATCH', headers: merge, body: { spec: { replicas: 3 } } }), 200)
    ok(
      await server.ask(`${path}/web/scale`, {
        method: 'PUT',
        body: { metadata: { name: 'web', namespace: 'default' }, spec: { replicas: 4 } },
      }),
      200,
    )
    const { spec, metadata } = ok(await server.ask(`${path}/web`), 200) as { spec: Json; metadata: Json }
    assert.deepEqual([spec['replicas'], metadata['generation']], [4, 3])
    const few = { method: 'PATCH', headers: merge, body: { spec: { replicas: -1 } } }
    const refused = (await server.ask(`${path}/web/scale`, few)).json as { code: number; message: string }
    assert.equal(
      refused.message,
      'Scale.autoscaling "web" is invalid: spec.replicas: Invalid value: -1: must be greater than or equal to 0',
    )
  })

  void test('that are evicted ask their disruption budget', async () => {
    ok(await server.ask(pods, { body: podBody('evicted') }))
    const status = { phase: 'Running', conditions: [{ type: 'Ready', status: 'True' }] }
    await server.ask(`${pods}/evicted/status`, { method: 'PATCH', headers: merge, body: { status } })
    const budgets = '/apis/policy/v1/namespaces/default/poddisruptionbudgets'
    ok(
      await server.ask(budgets, {
        body: { metadata: { name: 'web' }, spec: { minAvailable: 1, selector: { matchLabels: { app: 'web' } } } },
      }),
    )
    const settle = (disruptionsAllowed: number): Promise<Asked> =>
      server.ask(`${budgets}/web/status`, {
        method: 'PATCH',
        headers: merge,
        body: {
          status: { observedGeneration: 1, disruptionsAllowed, currentHealthy: 1, desiredHealthy: 1, expectedPods: 1 },
        },
      })
    ok(await settle(0), 200)
    const body = { metadata: { name: 'evicted', namespace: 'default' } }
    const refused = await server.ask(`${pods}/evicted/eviction`, { body })
    assert.deepEqual(
      [refused.status, refused.json['reason'], refused.json['message']],
      [429, 'TooManyRequests', "Cannot evict pod as it would violate the pod's disruption budget."],
    )
    ok(await settle(1), 200)
    ok(await server.ask(`${pods}/evicted/eviction`, { body }))
    const { status: spent } = ok(await server.ask(`${budgets}/web`), 200) as { status: Json }
    assert.equal(spent['disruptionsAllowed'], 0)
    assert.equal((await server.ask(`${pods}/evicted`)).status, 404)
  })

  void test('that are not ready are evicted by the policy of their budget', async () => {
    const labels = { app: 'frail' }
    const budgets = '/apis/policy/v1/namespaces/default/poddisruptionbudgets'
    const spec = { minAvailable: 1, selector: { matchLabels: labels } }
    ok(await server.ask(budgets, { body: { metadata: { name: 'frail' }, spec } }))
    const settle = async (observedGeneration: number, currentHealthy: number): Promise<void> => {
      const counts = { disruptionsAllowed: 0, currentHealthy, desiredHealthy: 1, expectedPods: 2 }
      const body = { status: { observedGeneration, ...counts } }
      ok(await server.ask(`${budgets}/frail/status`, { method: 'PATCH', headers: merge, body }), 200)
    }
    /** The code of an eviction of a pod that runs and is not ready, and the disruptions that are left. */
    const evict = async (): Promise<readonly unknown[]> => {
      await server.ask(pods, { body: { ...(podBody('frail') as Json), metadata: { name: 'frail', labels } } })
      const status = { phase: 'Running', conditions: [{ type: 'Ready', status: 'False' }] }
      ok(await server.ask(`${pods}/frail/status`, { method: 'PATCH', headers: merge, body: { status } }), 200)
      const evicted = await server.ask(`${pods}/frail/eviction`, { body: { metadata: { name: 'frail' } } })
      const left = ok(await server.ask(`${budgets}/frail`), 200) as { readonly status: Json }
      return [evicted.status, left.status['disruptionsAllowed'], left.status['disruptedPods']]
    }
    // Without a word it is IfHealthyBudget: while too few are healthy, even one that is not is kept.
    await settle(1, 0)
    assert.deepEqual(await evict(), [429, 0, undefined])
    await settle(1, 1)
    assert.deepEqual(await evict(), [201, 0, undefined])
    const body = { spec: { unhealthyPodEvictionPolicy: 'AlwaysAllow' } }
    ok(await server.ask(`${budgets}/frail`, { method: 'PATCH', headers: merge, body }), 200)
    await settle(2, 0)
    assert.deepEqual(await evict(), [201, 0, undefined])
  })

  void test('that are claims get the default class and their protection', async () => {
    ok(
      await server.ask('/apis/storage.k8s.io/v1/storageclasses', {
        body: {
          metadata: { name: 'fast', annotations: { 'storageclass.kubernetes.io/is-default-class': 'true' } },
          provisioner: 'p',
        },
      }),
    )
    const claim = {
      metadata: { name: 'data' },
      spec: { accessModes: ['ReadWriteOnce'], resources: { requests: { storage: '1Gi' } } },
    }
    const { spec, metadata } = ok(
      await server.ask('/api/v1/namespaces/default/persistentvolumeclaims', { body: claim }),
    ) as { spec: Json; metadata: Json }
    assert.deepEqual([spec['storageClassName'], metadata['finalizers']], ['fast', ['kubernetes.io/pvc-protection']])
  })
})

void suite('services', () => {
  let server: TestServer
  before(async () => {
    server = await startTestServer({ serviceCidr: '10.0.0.0/29', nodePorts: { from: 30_000, to: 30_001 } })
  })
  after(() => server[Symbol.asyncDispose]())

  async function clear(): Promise<void> {
    for (const name of ['a', 'b', 'c', 'd', 'e', 'f', 'g'])
      await server.ask(`${services}/${name}`, { method: 'DELETE' })
  }

  void test('have an address each, until there are no more, and give it back', async () => {
    const seen = new Set<unknown>()
    for (const name of ['a', 'b', 'c', 'd', 'e']) {
      seen.add((ok(await server.ask(services, { body: service(name) })) as { spec: Json }).spec['clusterIP'])
    }
    assert.equal(seen.size, 5)
    const full = await server.ask(services, { body: service('f') })
    assert.equal(full.status, 500)
    await server.ask(`${services}/a`, { method: 'DELETE' })
    ok(await server.ask(services, { body: service('f') }))
    await clear()
  })

  void test('may ask for an address that is free and in the range', async () => {
    ok(await server.ask(services, { body: service('a', { clusterIP: '10.0.0.5' }) }))
    const taken = await server.ask(services, { body: service('b', { clusterIP: '10.0.0.5' }) })
    assert.equal(taken.status, 422)
    assert.match(
      String(taken.json['message']),
      /clusterIPs\[0\]: Invalid value: .*10\.0\.0\.5.*: provided IP is already allocated$/,
    )
    const outside = await server.ask(services, { body: service('b', { clusterIP: '10.9.9.9' }) })
    assert.match(
      String(outside.json['message']),
      /is not in the valid range\. The range of valid IPs is 10\.0\.0\.0\/29$/,
    )
    await clear()
  })

  void test('have node ports that are theirs alone, and free them when they change type', async () => {
    const first = ok(await server.ask(services, { body: service('a', { type: 'NodePort' }) })) as {
      spec: { ports: { nodePort: number }[] }
    }
    const port = first.spec.ports[0]!.nodePort
    const taken = await server.ask(services, {
      body: service('b', { type: 'NodePort', ports: [{ port: 80, nodePort: port }] }),
    })
    assert.deepEqual(
      [taken.status, taken.json['message']],
      [
        422,
        `Service "b" is invalid: spec.ports[0].nodePort: Invalid value: ${port}: provided port is already allocated`,
      ],
    )
    const body = { spec: { type: 'ClusterIP', ports: [{ port: 80, nodePort: null }] } }
    const changed = await server.ask(`${services}/a`, { method: 'PATCH', headers: merge, body })
    assert.equal(changed.status, 200, changed.text)
    ok(await server.ask(services, { body: service('b', { type: 'NodePort', ports: [{ port: 80, nodePort: port }] }) }))
    await clear()
  })

  void test('that are headless have none', async () => {
    const { spec } = ok(await server.ask(services, { body: service('a', { clusterIP: 'None' }) })) as { spec: Json }
    assert.equal(spec['clusterIP'], 'None')
    await clear()
  })
})

void test('a server that starts again on its store finds everything, and writes nothing that is there', async () => {
  const stop = new AbortController()
  const scope = testScope([], stop.signal)
  await using store = createMemoryStore(scope)
  const frontProxy = await newFrontProxy(scope)
  const first = await startTestServer({ scope, store, frontProxy })
  const body = service('kept', { clusterIP: '10.0.0.77' })
  ok(await first.ask(services, { body }))
  const list = await first.ask('/api/v1/services')
  await first[Symbol.asyncDispose]()
  const { revision } = store
  const clientAuthority = first.authority.certificatePem
  await using second = await startTestServer({ scope, store, frontProxy, clientAuthority })
  assert.equal(store.revision, revision)
  assert.equal((await second.ask('/api/v1/services')).text, list.text)
  assert.equal((await second.ask(services, { body: service('thief', { clusterIP: '10.0.0.77' }) })).status, 422)
})
