// What every write owes its caller: dry runs that leave nothing, options that are checked, preconditions, generated names.

import assert from 'node:assert/strict'
import { after, suite, test } from 'node:test'
import { startTestServer, type Asked } from '../test-server.ts'

const maps = '/api/v1/namespaces/default/configmaps'
const deployments = '/apis/apps/v1/namespaces/default/deployments'
const MERGE = { 'content-type': 'application/merge-patch+json' }

interface Answered {
  readonly metadata: Readonly<Record<string, unknown>>
  readonly spec?: Readonly<Record<string, unknown>>
  readonly data?: Readonly<Record<string, string>>
}

function refused(answer: Asked): readonly unknown[] {
  return [answer.status, answer.json['reason'], answer.json['message']]
}

function of(answer: Asked): Answered {
  return answer.json as unknown as Answered
}

void suite('a dry run', async () => {
  const server = await startTestServer()
  after(() => server[Symbol.asyncDispose]())
  await server.ask(maps, { body: { metadata: { name: 'kept' }, data: { a: '1' } } })
  const template = { metadata: { labels: { app: 'x' } }, spec: { containers: [{ name: 'c', image: 'i' }] } }
  const spec = { replicas: 1, selector: { matchLabels: { app: 'x' } }, template }
  const made = await server.ask(deployments, { body: { metadata: { name: 'kept' }, spec } })

  const unchanged = async (path: string, before: Asked): Promise<void> =>
    assert.deepEqual((await server.ask(path)).json, before.json)

  void test('of a create answers 201 with what would be, and makes nothing', async () => {
    const answer = await server.ask(`${maps}?dryRun=All`, { body: { metadata: { name: 'dry' }, data: { a: '1' } } })
    assert.deepEqual(
      [answer.status, of(answer).metadata['resourceVersion'], typeof of(answer).metadata['uid']],
      [201, undefined, 'string'],
    )
    assert.equal((await server.ask(`${maps}/dry`)).status, 404)
  })

  void test('of an update, a patch and an apply leaves the object and its version as they were', async () => {
    const before = await server.ask(`${maps}/kept`)
    const put = await server.ask(`${maps}/kept?dryRun=All`, {
      method: 'PUT',
      body: { metadata: { name: 'kept' }, data: { a: '2' } },
    })
    assert.deepEqual(
      [of(put).data, of(put).metadata['resourceVersion']],
      [{ a: '2' }, of(before).metadata['resourceVersion']],
    )
    const patch = await server.ask(`${maps}/kept?dryRun=All`, {
      method: 'PATCH',
      headers: MERGE,
      body: { data: { b: '1' } },
    })
    assert.deepEqual(of(patch).data, { a: '1', b: '1' })
    const config = { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: 'kept' }, data: { c: '1' } }
    const headers = { 'content-type': 'application/apply-patch+yaml' }
    const applied = await server.ask(`${maps}/kept?dryRun=All&fieldManager=me`, {
      method: 'PATCH',
      headers,
      body: config,
    })
    assert.deepEqual(of(applied).data, { a: '1', c: '1' })
    await unchanged(`${maps}/kept`, before)
    const other = { ...config, metadata: { name: 'applied-dry' } }
    const created = await server.ask(`${maps}/applied-dry?dryRun=All&fieldManager=me`, {
      method: 'PATCH',
      headers,
      body: other,
    })
    assert.equal(created.status, 201)
    assert.equal((await server.ask(`${maps}/applied-dry`)).status, 404)
  })

  void test('of a status and a scale changes neither', async () => {
    const path = `${deployments}/kept`
    const status = await server.ask(`${path}/status?dryRun=All`, {
      method: 'PATCH',
      headers: MERGE,
      body: { status: { replicas: 7 } },
    })
    assert.equal(status.status, 200)
    const scale = await server.ask(`${path}/scale?dryRun=All`, {
      method: 'PATCH',
      headers: MERGE,
      body: { spec: { replicas: 7 } },
    })
    assert.equal(of(scale).spec?.['replicas'], 7)
    await unchanged(path, made)
  })

  void test('of a delete, by query or body, and of a collection deletes nothing', async () => {
    for (const [path, body] of [
      [`${maps}/kept?dryRun=All`, undefined],
      [`${maps}/kept`, { kind: 'DeleteOptions', apiVersion: 'v1', dryRun: ['All'] }],
      [`${maps}?dryRun=All`, undefined],
    ] as const) {
      const answer = await server.ask(path, { method: 'DELETE', ...(body === undefined ? {} : { body }) })
      assert.equal(answer.status, 200, path)
      assert.equal((await server.ask(`${maps}/kept`)).status, 200, path)
    }
  })

  void test('is All or nothing, whatever the verb', async () => {
    const detail = 'dryRun: Unsupported value: ["Some"]: supported values: "All"'
    const asked: readonly (readonly [string, string, string])[] = [
      ['POST', maps, 'CreateOptions'],
      ['PUT', `${maps}/kept`, 'UpdateOptions'],
      ['PATCH', `${maps}/kept`, 'PatchOptions'],
      ['DELETE', `${maps}/kept`, 'DeleteOptions'],
    ]
    for (const [method, path, kind] of asked) {
      const headers = method === 'PATCH' ? MERGE : {}
      const body = method === 'DELETE' ? {} : { body: { metadata: { name: 'kept' } } }
      const answer = await server.ask(`${path}?dryRun=Some`, { method, headers, ...body })
      assert.deepEqual(refused(answer), [422, 'Invalid', `${kind}.meta.k8s.io "" is invalid: ${detail}`])
    }
  })
})

void suite('a write', async () => {
  const server = await startTestServer()
  after(() => server[Symbol.asyncDispose]())

  void test('makes a name that nobody has, and says so where it finds none', async () => {
    const made = await server.ask(maps, { body: { metadata: { generateName: 'gen-' } } })
    assert.match(String(of(made).metadata['name']), /^gen-[a-z0-9]{5}$/)
    const name = String(of(made).metadata['name'])
    const again = await server.ask(maps, { body: { metadata: { name, generateName: 'gen-' } } })
    assert.deepEqual(refused(again), [
      409,
      'AlreadyExists',
      `configmaps "${name}" already exists, the server was not able to generate a unique name for the object`,
    ])
    assert.equal(again.headers['retry-after'], '1')
  })

  void test('tells that an object of the name is on its way out', async () => {
    await server.ask(maps, { body: { metadata: { name: 'leaving', finalizers: ['example.com/hold'] } } })
    await server.ask(`${maps}/leaving`, { method: 'DELETE' })
    const again = await server.ask(maps, { body: { metadata: { name: 'leaving' } } })
    assert.deepEqual(refused(again), [
      409,
      'AlreadyExists',
      'object is being deleted: configmaps "leaving" already exists',
    ])
    const gone = await server.ask(`${maps}/leaving`, {
      method: 'PATCH',
      headers: MERGE,
      body: { metadata: { finalizers: null } },
    })
    assert.equal(gone.status, 200)
    assert.equal((await server.ask(`${maps}/leaving`)).status, 404)
  })

  void test('keeps an owner that stands twice once, and warns', async () => {
    const owner = { apiVersion: 'v1', kind: 'ConfigMap', name: 'owner', uid: 'u-1' }
    const answer = await server.ask(maps, { body: { metadata: { name: 'owned', ownerReferences: [owner, owner] } } })
    assert.deepEqual(of(answer).metadata['ownerReferences'], [owner])
    assert.match(
      answer.headers['warning'] ?? '',
      /ownerReferences contains duplicate entries; .*duplicate UID\(s\) observed: \[u-1\]/,
    )
  })

  void test('of a PUT names its object', async () => {
    await server.ask(maps, { body: { metadata: { name: 'named' } } })
    const cases = [
      [{}, 'the name of the object (named based on URL) was undeterminable: name must be provided'],
      [{ name: 'other' }, 'the name of the object (other) does not match the name on the URL (named)'],
      [
        { name: 'named', namespace: 'other' },
        'the namespace of the provided object does not match the namespace sent on the request',
      ],
    ] as const
    for (const [metadata, message] of cases) {
      const answer = await server.ask(`${maps}/named`, { method: 'PUT', body: { metadata } })
      assert.deepEqual(refused(answer), [400, 'BadRequest', message])
    }
  })
})

void suite('a delete', async () => {
  const server = await startTestServer()
  after(() => server[Symbol.asyncDispose]())
  const made = await server.ask(maps, { body: { metadata: { name: 'kept' } } })
  const remove = (body: unknown, query = ''): Promise<Asked> =>
    server.ask(`${maps}/kept${query}`, { method: 'DELETE', body })

  void test('keeps to its preconditions', async () => {
    const lead = 'Operation cannot be fulfilled on configmaps "kept": Precondition failed:'
    const { uid, resourceVersion } = of(made).metadata
    assert.deepEqual(refused(await remove({ preconditions: { uid: 'no' } })), [
      409,
      'Conflict',
      `${lead} UID in precondition: no, UID in object meta: ${String(uid)}`,
    ])
    assert.deepEqual(refused(await remove({ preconditions: { resourceVersion: '1' } })), [
      409,
      'Conflict',
      `${lead} ResourceVersion in precondition: 1, ResourceVersion in object meta: ${String(resourceVersion)}`,
    ])
  })

  void test('answers with the object for some kinds, and with a Status for the others', async () => {
    const quotas = '/api/v1/namespaces/default/resourcequotas'
    const made = of(await server.ask(quotas, { body: { metadata: { name: 'told' }, spec: { hard: { pods: '1' } } } }))
    const dry = await server.ask(`${quotas}/told?dryRun=All`, { method: 'DELETE' })
    assert.deepEqual([dry.status, of(dry).metadata['uid']], [200, made.metadata['uid']])
    const gone = await server.ask(`${quotas}/told`, { method: 'DELETE' })
    assert.deepEqual([gone.status, gone.json['kind'], of(gone).spec], [200, 'ResourceQuota', { hard: { pods: '1' } }])
    // Of the deletion, so that a watch can go on from it.
    assert.ok(Number(of(gone).metadata['resourceVersion']) > Number(made.metadata['resourceVersion']))
    assert.equal((await server.ask(`${quotas}/told`)).status, 404)
    await server.ask(maps, { body: { metadata: { name: 'told' } } })
    const other = await server.ask(`${maps}/told`, { method: 'DELETE' })
    assert.deepEqual([other.status, other.json['kind'], other.json['status']], [200, 'Status', 'Success'])
  })

  void test('is refused with options that there are not', async () => {
    const lead = 'DeleteOptions.meta.k8s.io "" is invalid: propagationPolicy:'
    const cases: readonly (readonly [unknown, readonly unknown[]])[] = [
      [
        { propagationPolicy: 'Never' },
        [
          422,
          'Invalid',
          `${lead} Unsupported value: "Never": supported values: "Foreground", "Background", "Orphan", "nil"`,
        ],
      ],
      [
        { propagationPolicy: 'Orphan', orphanDependents: true },
        [
          422,
          'Invalid',
          `${lead} Invalid value: "Orphan": orphanDependents and deletionPropagation cannot be both set`,
        ],
      ],
      [
        { gracePeriodSeconds: 'soon' },
        [
          400,
          'BadRequest',
          'json: cannot unmarshal string into Go struct field DeleteOptions.gracePeriodSeconds of type int64',
        ],
      ],
      [
        { kind: 'ConfigMap', apiVersion: 'v1' },
        [400, 'BadRequest', 'decoded object cannot be converted to DeleteOptions'],
      ],
    ]
    for (const [body, answer] of cases) assert.deepEqual(refused(await remove(body)), answer)
    const query = await server.ask(`${maps}/kept?gracePeriodSeconds=soon`, { method: 'DELETE' })
    assert.deepEqual(refused(query), [400, 'BadRequest', 'strconv.ParseInt: parsing "soon": invalid syntax'])
  })

  void test('reads its options from YAML as well', async () => {
    const answer = await server.ask(`${maps}/kept`, {
      method: 'DELETE',
      headers: { 'content-type': 'application/yaml' },
      body: 'kind: DeleteOptions\napiVersion: v1\npropagationPolicy: Foreground\n',
    })
    assert.deepEqual(of(answer).metadata['finalizers'], ['foregroundDeletion'])
  })

  void test('of a collection takes what its selector names, and no more', async () => {
    for (const [name, tier] of [
      ['a', 'front'],
      ['b', 'front'],
      ['c', 'back'],
    ] as const)
      await server.ask(maps, { body: { metadata: { name, labels: { tier } } } })
    const answer = await server.ask(`${maps}?labelSelector=tier%3Dfront`, {
      method: 'DELETE',
      body: { propagationPolicy: 'Background' },
    })
    assert.equal(answer.json['kind'], 'ConfigMapList')
    const rest = await server.ask(`${maps}?labelSelector=tier`)
    const { items } = rest.json as { items: readonly Answered[] }
    assert.deepEqual(
      items.map(({ metadata }) => metadata['name']),
      ['c'],
    )
  })
})
