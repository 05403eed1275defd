// What operators and probes ask of the server: health, check by check, and metrics that Prometheus can read.

import assert from 'node:assert/strict'
import { gunzipSync } from 'node:zlib'
import { after, before, describe, test } from 'node:test'
import { logTo } from '@aksel/base/log'
import { createMemoryStore } from '@aksel/store/memory-store'
import { StoreError, type Store } from '@aksel/store/store'
import { Hooks } from './hooks.ts'
import { admin, startTestServer, testScope, type TestServer } from './test-server.ts'

let server: TestServer
before(async () => {
  server = await startTestServer()
})
after(() => server[Symbol.asyncDispose]())

const ask = async (path: string): Promise<string> => {
  const { status, text } = await server.ask(path)
  return `${status} ${text}`
}

describe('health', () => {
  const live = [
    'ping',
    'log',
    'etcd',
    'poststarthook/start-legacy-token-tracking-controller',
    'poststarthook/rbac/bootstrap-roles',
    'poststarthook/scheduling/bootstrap-system-priority-classes',
    'poststarthook/start-apiextensions-controllers',
    'poststarthook/start-cluster-authentication-info-controller',
    'autoregister-completion',
  ]

  test('has each check by its name, alone and in the whole', async () => {
    for (const root of ['livez', 'readyz', 'healthz']) {
      assert.equal(await ask(`/${root}`), '200 ok')
      for (const name of live) assert.equal(await ask(`/${root}/${name}`), '200 ok', name)
      const whole = await ask(`/${root}?verbose`)
      for (const name of live) assert.ok(whole.includes(`[+]${name} ok\n`), whole)
      assert.ok(whole.endsWith(`${root} check passed\n`))
    }
    for (const name of ['etcd-readiness', 'informer-sync', 'shutdown']) {
      assert.equal(await ask(`/readyz/${name}`), '200 ok')
      assert.equal((await server.ask(`/livez/${name}`)).status, 404)
    }
    assert.equal((await server.ask('/livez/nothing')).status, 404)
  })

  test('leaves out what is excluded, and says what it could not', async () => {
    const text = await ask('/livez?verbose&exclude=etcd&exclude=foo')
    assert.match(text, /\[\+\]etcd excluded: ok\n/)
    assert.match(text, /warn: some health checks cannot be excluded: no matches for "foo"\n/)
  })

  test('fails when the store does not answer, keeping the reason from those who ask for all', async () => {
    await using broken = await startTestServer()
    await broken.store[Symbol.asyncDispose]()
    const { status, text } = await broken.ask('/livez')
    assert.equal(status, 500)
    assert.match(text, /^\[\+\]ping ok\n\[\+\]log ok\n\[-\]etcd failed: reason withheld\n/)
    assert.match(text, /livez check failed\n$/)
    assert.match((await broken.ask('/livez/etcd')).text, /^internal server error: ./)
    assert.equal((await broken.ask('/livez?exclude=etcd')).status, 200)
  })
})

describe('a check', () => {
  test('of the store fails when it takes no more writes, though it still answers reads', async () => {
    const scope = testScope([], new AbortController().signal)
    await using memory = createMemoryStore(scope)
    let isPoisoned = false
    const store = seenAs(memory, {
      transact: async (transaction) => {
        if (isPoisoned) throw new StoreError('Poisoned', 'EIO')
        return memory.transact(transaction)
      },
    })
    await using own = await startTestServer({ store })
    assert.equal((await own.ask('/livez/etcd')).status, 200)
    isPoisoned = true
    assert.equal((await own.ask('/api/v1/namespaces/default')).status, 200)
    assert.equal((await own.ask('/livez/etcd')).status, 500)
    assert.equal((await own.ask('/readyz/etcd-readiness')).status, 500)
  })

  test('of the indexes fails when one no longer hears of changes', async () => {
    const scope = testScope([], new AbortController().signal)
    await using memory = createMemoryStore(scope)
    let end: ((error: StoreError) => void) | undefined
    const watch: Store['watch'] = (options) => {
      if (options.prefix.endsWith('/clusterroles/')) end = options.ended
      memory.watch(options)
    }
    await using own = await startTestServer({ store: seenAs(memory, { watch }) })
    assert.equal((await own.ask('/readyz/informer-sync')).status, 200)
    assert.ok(end !== undefined)
    end(new StoreError('Unavailable', 'etcd went away'))
    const { status, text } = await own.ask('/readyz/informer-sync')
    assert.equal(status, 500)
    assert.match(text, /no longer followed: clusterroles\.rbac\.authorization\.k8s\.io \(.*etcd went away/)
    assert.equal((await own.ask('/readyz')).status, 500)
    assert.equal((await own.ask('/livez')).status, 200)
  })

  test('of the log fails when it takes no lines', async () => {
    let isBroken = false
    const log = logTo(() => {
      if (isBroken) throw new Error('No space left on device')
    })
    await using own = await startTestServer({ scope: { ...testScope([], new AbortController().signal), log } })
    assert.equal((await own.ask('/livez/log')).status, 200)
    isBroken = true
    assert.match((await own.ask('/livez/log')).text, /^internal server error: No space left on device/)
  })

  test('of a hook fails until it has done its work, and when it later fails at it', async () => {
    const hooks = new Hooks(['a', 'b'])
    const told = (): readonly unknown[] => hooks.checks().map((one) => [one.name, one.check()])
    assert.deepEqual(told(), [
      ['poststarthook/a', 'not finished'],
      ['poststarthook/b', 'not finished'],
    ])
    await hooks.run('a', () => Promise.resolve())
    await assert.rejects(hooks.run('b', () => Promise.reject(new Error('forbidden'))))
    assert.deepEqual(told(), [
      ['poststarthook/a', undefined],
      ['poststarthook/b', 'forbidden'],
    ])
    hooks.failed('a', new Error('lost'))
    hooks.succeeded('b')
    assert.deepEqual(told(), [
      ['poststarthook/a', 'lost'],
      ['poststarthook/b', undefined],
    ])
  })

  test('is counted, by name and path', async () => {
    await using own = await startTestServer()
    await own.ask('/livez')
    await own.ask('/readyz?verbose')
    const text = (await own.ask('/metrics')).text
    assert.match(text, /^kubernetes_healthcheck\{name="etcd",type="livez"\} 1$/m)
    assert.match(text, /^kubernetes_healthcheck\{name="informer-sync",type="readyz"\} 1$/m)
    assert.match(text, /^kubernetes_healthchecks_total\{name="etcd",status="success",type="readyz"\} 1$/m)
  })
})

/** The store with some of its methods replaced. */
function seenAs(store: Store, changed: Partial<Store>): Store {
  return {
    get revision() {
      return store.revision
    },
    get compactedRevision() {
      return store.compactedRevision
    },
    get: (...request) => store.get(...request),
    range: (query) => store.range(query),
    count: (prefix) => store.count(prefix),
    transact: (transaction) => store.transact(transaction),
    watch: (options) => store.watch(options),
    compact: (revision) => store.compact(revision),
    [Symbol.asyncDispose]: () => Promise.resolve(),
    ...changed,
  }
}

describe('metrics', () => {
  const read = async (): Promise<string> => (await server.ask('/metrics')).text

  /** Prometheus' text format, line by line: each sample belongs to the family declared before it. */
  function samples(text: string): ReadonlyMap<string, number> {
    const found = new Map<string, number>()
    let family = ''
    let type = ''
    for (const line of text.trimEnd().split('\n')) {
      const declared = /^# TYPE ([a-z_]+) (counter|gauge|histogram)$/.exec(line)
      if (declared !== null) {
        ;[, family, type] = declared as unknown as [string, string, string]
        continue
      }
      if (/^# HELP [a-z_]+ \S/.test(line)) continue
      const sample = /^([a-z_]+)(\{(?:[a-z_]+="(?:[^"\\\n]|\\.)*",?)*\})? (\S+)$/.exec(line)
      assert.ok(sample !== null, line)
      const suffix = sample[1]!.slice(family.length)
      assert.ok(sample[1]!.startsWith(family), line)
      assert.ok(suffix === '' || (type === 'histogram' && ['_bucket', '_sum', '_count'].includes(suffix)), line)
      assert.ok(!Number.isNaN(Number(sample[3])) || sample[3] === '+Inf', line)
      assert.ok(!found.has(`${sample[1]}${sample[2] ?? ''}`), `twice: ${line}`)
      found.set(`${sample[1]}${sample[2] ?? ''}`, Number(sample[3]))
    }
    return found
  }

  test('are text that Prometheus reads, under upstream’s stable names', async () => {
    await server.ask('/api/v1/namespaces/default/configmaps')
    const found = samples(await read())
    const names = new Set([...found.keys()].map((key) => key.replace(/\{.*/, '')))
    for (const name of [
      'apiserver_request_total',
      'apiserver_request_duration_seconds_bucket',
      'apiserver_current_inflight_requests',
      'apiserver_storage_objects',
      'apiserver_response_sizes_sum',
      'apiserver_admission_controller_admission_duration_seconds_bucket',
      'apiserver_admission_step_admission_duration_seconds_bucket',
      'apiserver_request_sli_duration_seconds_bucket',
      'etcd_request_duration_seconds_bucket',
      'etcd_requests_total',
      'rest_client_requests_total',
      'rest_client_request_duration_seconds_bucket',
      'kubernetes_build_info',
      'kubernetes_feature_enabled',
      'process_cpu_seconds_total',
      'process_resident_memory_bytes',
      'process_start_time_seconds',
    ]) {
      assert.ok(names.has(name), name)
    }
    const labels =
      'component="apiserver",dry_run="",group="",resource="configmaps",scope="namespace",subresource="",verb="LIST",version="v1"'
    assert.ok(found.get(`apiserver_request_total{code="200",${labels}}`)! >= 1)
    const count = found.get(`apiserver_request_duration_seconds_count{${labels}}`)
    assert.equal(found.get(`apiserver_request_duration_seconds_bucket{${labels},le="+Inf"}`), count)
    assert.equal(found.get('kubernetes_feature_enabled{name="AnonymousGate",stage=""}'), undefined)
    assert.equal(found.get('kubernetes_feature_enabled{name="HostnameOverride",stage="BETA"}'), 1)
  })

  test('tell dry runs and applies from other writes, and admission by plug-in', async () => {
    const path = '/api/v1/namespaces/default/configmaps'
    await server.ask(`${path}?dryRun=All`, { body: { metadata: { name: 'dry' } } })
    await server.ask(`${path}/applied?fieldManager=me`, {
      method: 'PATCH',
      headers: { 'content-type': 'application/apply-patch+yaml' },
      body: { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: 'applied' } },
    })
    await server.ask('/api/v1/namespaces/nowhere/configmaps', { body: { metadata: { name: 'lost' } } })
    const found = samples(await read())
    const written = (code: number, dryRun: string, scope: string, verb: string): number | undefined =>
      found.get(
        `apiserver_request_total{code="${code}",component="apiserver",dry_run="${dryRun}",group="",resource="configmaps",scope="${scope}",subresource="",verb="${verb}",version="v1"}`,
      )
    assert.equal(written(201, 'All', 'namespace', 'POST'), 1)
    assert.equal(written(201, '', 'resource', 'APPLY'), 1)
    const plugin = 'apiserver_admission_controller_admission_duration_seconds_count'
    assert.ok(found.get(`${plugin}{name="NamespaceLifecycle",operation="CREATE",rejected="true",type="admit"}`)! >= 1)
    const step = 'apiserver_admission_step_admission_duration_seconds_count'
    assert.ok(found.get(`${step}{operation="CREATE",rejected="false",type="validate"}`)! >= 2)
    assert.ok(found.get('etcd_requests_total{group="",operation="create",resource="configmaps"}')! >= 1)
  })

  test('name the deprecated APIs that were asked for, and so do the answer and the audit log', async () => {
    await using own = await startTestServer({
      kubernetesVersion: '1.34.3',
      runtimeConfig: { 'storage.k8s.io/v1beta1': true },
    })
    const before = (await own.ask('/metrics')).text
    assert.ok(!before.includes('apiserver_requested_deprecated_apis{'))
    const answer = await own.ask('/apis/storage.k8s.io/v1beta1/volumeattributesclasses')
    assert.match(
      answer.headers['warning'] ?? '',
      /^299 - "storage\.k8s\.io\/v1beta1 VolumeAttributesClass is deprecated in v1\.34\+/,
    )
    const labels =
      'group="storage.k8s.io",removed_release="1.37",resource="volumeattributesclasses",subresource="",version="v1beta1"'
    assert.equal(samples((await own.ask('/metrics')).text).get(`apiserver_requested_deprecated_apis{${labels}}`), 1)
    const { annotations } = own.audit.find(({ requestURI }) => String(requestURI).includes('v1beta1'))!
    assert.equal((annotations as Record<string, string>)['k8s.io/deprecated'], 'true')
    assert.equal((annotations as Record<string, string>)['k8s.io/removed-release'], '1.37')
  })

  test('count what is stored and which streams are open', async () => {
    const objects = async (): Promise<number> =>
      samples(await read()).get('apiserver_storage_objects{resource="configmaps"}')!
    const before = await objects()
    await server.ask('/api/v1/namespaces/default/configmaps', { body: { metadata: { name: 'one' } } })
    assert.equal(await objects(), before + 1)
    const watches =
      'apiserver_longrunning_requests{component="apiserver",group="",resource="configmaps",scope="namespace",subresource="",verb="WATCH",version="v1"}'
    const response = await server.server
      .transportFor(admin)
      .send({ method: 'GET', path: '/api/v1/namespaces/default/configmaps?watch=1', headers: {} })
    const iterator = response.body[Symbol.asyncIterator]()
    await iterator.next()
    assert.equal(samples(await read()).get(watches), 1)
    const sent = samples(await read())
    const ofEvents = '{group="",resource="configmaps",version="v1"}'
    assert.ok(sent.get(`apiserver_watch_events_total${ofEvents}`)! >= 2, 'every initial event counts')
    assert.equal(
      sent.get(`apiserver_watch_events_sizes_count${ofEvents}`),
      sent.get(`apiserver_watch_events_total${ofEvents}`),
    )
    await iterator.return!()
    assert.equal(samples(await read()).get(watches), 0)
  })
})

test('the server’s own queues say how they fare', async () => {
  await using own = await startTestServer()
  const group = 'apis/apiextensions.k8s.io/v1/customresourcedefinitions'
  const names = { plural: 'pens', singular: 'pen', kind: 'Pen' }
  const schema = { openAPIV3Schema: { type: 'object' } }
  const versions = [{ name: 'v1', served: true, storage: true, schema }]
  const spec = { group: 'desk.example.com', scope: 'Cluster', names, versions }
  const made = await own.ask(`/${group}`, { body: { metadata: { name: 'pens.desk.example.com' }, spec } })
  assert.equal(made.status, 201, made.text)
  // It is established by the queue, which is done when the kind is served.
  for await (const { object } of own.client().watch(
    {
      group: 'apiextensions.k8s.io',
      version: 'v1',
      kind: 'CustomResourceDefinition',
      plural: 'customresourcedefinitions',
      namespaced: false,
    },
    { sendInitialEvents: true, resourceVersionMatch: 'NotOlderThan', signal: AbortSignal.timeout(10_000) },
  )) {
    const { conditions = [] } =
      (object as { status?: { conditions?: { type: string; status: string }[] } }).status ?? {}
    if (conditions.some(({ type, status }) => type === 'Established' && status === 'True')) break
  }
  const text = (await own.ask('/metrics')).text
  const name = '{name="crd_naming_condition_controller"}'
  const value = (family: string): number =>
    Number(new RegExp(`^${family}${name.replaceAll(/[{}]/g, '\\$&')} (.*)$`, 'm').exec(text)?.[1])
  assert.ok(value('workqueue_adds_total') >= 1, text)
  assert.ok(value('workqueue_queue_duration_seconds_count') >= 1)
  assert.ok(value('workqueue_work_duration_seconds_count') >= 1 || value('workqueue_unfinished_work_seconds') >= 0)
  assert.ok(value('workqueue_depth') >= 0)
  assert.match(text, /^workqueue_depth\{name="validatingadmissionpolicy-status"\} 0$/m)
})

test('/metrics/slis tells of the checks alone', async () => {
  await server.ask('/livez')
  const { status, text } = await server.ask('/metrics/slis')
  assert.equal(status, 200)
  assert.match(text, /^kubernetes_healthcheck\{name="etcd",type="livez"\} 1$/m)
  assert.match(text, /^kubernetes_healthchecks_total\{name="etcd",status="success",type="livez"\} \d+$/m)
  assert.ok(!text.includes('apiserver_request_total'))
})

test('people get JSON in lines: curl, browsers, and who asks for it; programs do not', async () => {
  const path = '/api/v1/namespaces/default/configmaps'
  const lines = async (url: string, agent?: string): Promise<number> => {
    const { text, json } = await server.ask(url, { headers: agent === undefined ? {} : { 'user-agent': agent } })
    assert.equal(typeof json['kind'], 'string')
    return text.trimEnd().split('\n').length
  }
  assert.ok((await lines(path, 'curl/8.1')) > 5)
  assert.ok((await lines(`${path}/nobody`, 'Wget/1.21')) > 5, 'also a refusal')
  assert.ok((await lines(`${path}?pretty=true`, 'kubectl/v1.35')) > 5)
  assert.equal(await lines(`${path}?pretty=false`, 'curl/8.1'), 1)
  assert.equal(await lines(path, 'kubectl/v1.35'), 1)
})

describe('a large answer', () => {
  test('is compressed for those who take it, and for nobody else', async () => {
    const path = '/api/v1/namespaces/default/configmaps'
    const data = { x: 'x'.repeat(200_000) }
    assert.equal((await server.ask(path, { body: { metadata: { name: 'big' }, data } })).status, 201)
    const get = async (encoding: string) => {
      const headers = { 'accept-encoding': encoding }
      const response = await server.server.transportFor(admin).send({ method: 'GET', path: `${path}/big`, headers })
      const pieces: Uint8Array[] = []
      for await (const piece of response.body) pieces.push(piece)
      return { encoding: response.headers['content-encoding'], bytes: Buffer.concat(pieces) }
    }
    const packed = await get('deflate, gzip;q=0.5')
    assert.equal(packed.encoding, 'gzip')
    const object = JSON.parse(gunzipSync(packed.bytes).toString()) as { readonly data: unknown }
    assert.deepEqual(object.data, data)
    for (const encoding of ['identity', 'gzip;q=0', 'br']) {
      const plain = await get(encoding)
      assert.equal(plain.encoding, undefined, encoding)
      assert.ok(plain.bytes.length > 200_000)
    }
  })
})
