// Decoding against what Go's decoder and encoder do with the same input.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { decodeError, schemasOf } from './schema.ts'
import { DecodeFailure } from './schema-state.ts'
import { fieldsOf, loadTables } from './tables.ts'

const tables = await loadTables('1.35')
const schemas = schemasOf(tables)
const pod = schemas.get('core/v1.Pod')

test('fields come out in struct order, apiVersion and kind first, and unset structs are written empty', () => {
  const { value } = pod.decode({
    spec: { containers: [{ image: 'i', name: 'c' }] },
    metadata: { labels: { b: '2', a: '1' }, name: 'p' },
    apiVersion: 'v1',
    kind: 'Pod',
  })
  assert.equal(
    JSON.stringify(value),
    '{"kind":"Pod","apiVersion":"v1","metadata":{"name":"p","labels":{"a":"1","b":"2"}},' +
      '"spec":{"containers":[{"name":"c","image":"i","resources":{}}]},"status":{}}',
  )
})

test('embedded structs stand where Go embeds them', () => {
  const names = (reference: string): readonly string[] => fieldsOf(tables, reference).map(([name]) => name)
  assert.deepEqual(names('core/v1.Volume').slice(0, 3), ['name', 'hostPath', 'emptyDir'])
  assert.equal(names('core/v1.EphemeralContainer').at(-1), 'targetContainerName')
  assert.deepEqual(names('core/v1.ConfigMapKeySelector'), ['name', 'key', 'optional'])
})

test('unknown fields are dropped and named', () => {
  const { value, unknownFields } = pod.decode({
    foo: 1,
    metadata: { name: 'p', bar: {} },
    spec: { containers: [{ name: 'a' }, { name: 'b', env: [{ name: 'X', valu: 'y' }] }] },
  })
  assert.deepEqual(unknownFields, ['metadata.bar', 'spec.containers[1].env[0].valu', 'foo'])
  assert.equal('foo' in value, false)
})

test('unknown fields with very long paths are dropped all the same, and named until that is enough', () => {
  const long = (at: number): readonly [string, number] => [`${at}${'x'.repeat(200_000)}`, at]
  const { value, unknownFields } = pod.decode({ ...Object.fromEntries([1, 2, 3, 4].map(long)), spec: { z: 1 } })
  assert.deepEqual(
    unknownFields.map((path) => path.slice(0, 6)),
    ['spec.z', '1xxxxx', '2xxxxx'],
  )
  assert.deepEqual(Object.keys(value), ['metadata', 'spec', 'status'])
})

test('bytes are base64 of a whole number of groups, and stay as they are', () => {
  const secret = schemas.get('core/v1.Secret')
  for (const good of ['', 'QQ==', 'QUI=', 'QUJD', 'QUJDQQ=='])
    assert.deepEqual(secret.decode({ data: { a: good } }).value['data'], { a: good })
  for (const bad of ['Q', 'QQ', 'QQ=', 'Q===', '====', 'QQ==QQ==', 'QU-D'])
    assert.throws(() => secret.decode({ data: { a: bad } }), /illegal base64 data at input byte/, bad)
})

test('null counts as absent, and Go’s empty values are left out where they may be', () => {
  const { value, unknownFields } = pod.decode({
    metadata: { name: 'p', labels: null, annotations: {}, finalizers: [] },
    spec: { containers: [], hostname: '', hostNetwork: false, priority: 0, nodeSelector: null },
  })
  assert.deepEqual(unknownFields, [])
  assert.deepEqual(value['metadata'], { name: 'p' })
  assert.deepEqual(value['spec'], { containers: [], priority: 0 })
})

test('quantities and times become canonical', () => {
  const { value } = schemas.get('core/v1.PersistentVolumeClaim').decode({
    metadata: { creationTimestamp: '2026-01-02T03:04:05.678+01:00' },
    spec: { resources: { requests: { storage: '1024Mi' } } },
  })
  assert.deepEqual(value['metadata'], { creationTimestamp: '2026-01-02T02:04:05Z' })
  assert.deepEqual((value['spec'] as { resources: unknown }).resources, { requests: { storage: '1Gi' } })
  const lease = schemas.get('coordination/v1.Lease').decode({ spec: { renewTime: '2026-01-02T03:04:05Z' } })
  assert.deepEqual(lease.value['spec'], { renewTime: '2026-01-02T03:04:05.000000Z' })
})

test('a map may hold the key __proto__ and pollutes nothing', () => {
  const { value } = pod.decode({ metadata: { labels: JSON.parse('{"a":"1","__proto__":"x"}') as unknown } })
  const labels = (value['metadata'] as { labels: object }).labels
  assert.deepEqual(Object.keys(labels), ['__proto__', 'a'])
})

const misfits: readonly (readonly [unknown, string])[] = [
  [{ spec: 'x' }, 'json: cannot unmarshal string into Go struct field Pod.spec of type v1.PodSpec'],
  [
    { spec: { containers: 'x' } },
    'json: cannot unmarshal string into Go struct field PodSpec.spec.containers of type []v1.Container',
  ],
  [
    { spec: { containers: [{ name: 3 }] } },
    'json: cannot unmarshal number into Go struct field Container.spec.containers.name of type string',
  ],
  [
    { spec: { containers: [{ ports: [{ containerPort: '80' }] }] } },
    'json: cannot unmarshal string into Go struct field ContainerPort.spec.containers.ports.containerPort of type int32',
  ],
  [
    { spec: { terminationGracePeriodSeconds: 1.5 } },
    'json: cannot unmarshal number 1.5 into Go struct field PodSpec.spec.terminationGracePeriodSeconds of type int64',
  ],
  [
    { spec: { priority: 4294967296 } },
    'json: cannot unmarshal number 4294967296 into Go struct field PodSpec.spec.priority of type int32',
  ],
  [
    { metadata: { labels: { a: true } } },
    'json: cannot unmarshal bool into Go struct field ObjectMeta.metadata.labels of type string',
  ],
  [
    { spec: { hostNetwork: 'yes' } },
    'json: cannot unmarshal string into Go struct field PodSpec.spec.hostNetwork of type bool',
  ],
  [
    { spec: { containers: [{ resources: { limits: { cpu: 'lots' } } }] } },
    "quantities must match the regular expression '^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$'",
  ],
]

test('a value that does not fit is refused as Go words it', () => {
  for (const [input, message] of misfits) {
    assert.throws(
      () => pod.decode(input),
      (error) => error instanceof DecodeFailure && error.message === message,
      message,
    )
  }
  assert.throws(() => schemas.get('core/v1.Secret').decode({ data: { a: '!' } }), /illegal base64 data at input byte 0/)
  const error = decodeError(new DecodeFailure('json: x'), 'Deployment', 'apps/v1')
  assert.equal(error.message, 'Deployment in version "v1" cannot be handled as a Deployment: json: x')
  assert.equal(error.code, 400)
})

test('an integer beyond 2^53 passes where int64 is meant', () => {
  const { value } = schemas.get('apps/v1.ControllerRevision').decode({ revision: 9007199254740993n })
  assert.equal(value['revision'], 9007199254740993n)
})

test('decoding is a fixed point', () => {
  const input = {
    metadata: { name: 'p' },
    spec: { containers: [{ name: 'c', livenessProbe: { httpGet: { port: 'web' } } }] },
  }
  const once = pod.decode(input).value
  assert.equal(JSON.stringify(pod.decode(once).value), JSON.stringify(once))
})

test('every message of every minor compiles', async () => {
  for (const minor of ['1.34', '1.35', '1.36'] as const) {
    const all = await loadTables(minor)
    const compiled = schemasOf(all)
    let count = 0
    for (const { msg } of all.kinds) {
      compiled.get(msg).decode({})
      count += 1
    }
    assert.ok(count > 100, `${minor}: ${count}`)
  }
})
