// Objects in protobuf, byte for byte: built here by hand from field numbers, as Go's generated code would write them.

import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { loadTables } from '@aksel/api/tables'
import { schemasOf } from '@aksel/api/schema'
import { ProtobufDecoder } from './decode.ts'
import { ProtobufEncoder } from './encode.ts'
import { WireError } from './wire.ts'

const tables = await loadTables('1.35')
const encoder = new ProtobufEncoder(tables)
const decoder = new ProtobufDecoder(tables)
const schemas = schemasOf(tables)

type Value = number | string | Buffer

function varint(value: number): Buffer {
  const bytes: number[] = []
  for (let rest = value; ; rest = Math.floor(rest / 0x80)) {
    if (rest < 0x80) return Buffer.from([...bytes, rest])
    bytes.push((rest % 0x80) + 0x80)
  }
}

/** One field: a number, a text, or a message of fields; nothing at all is an empty message. */
function f(number: number, ...values: readonly Value[]): Buffer {
  const [first] = values
  if (typeof first === 'number') return Buffer.concat([varint(number * 8), varint(first)])
  const body = Buffer.concat(values.map((value) => Buffer.from(value as Buffer)))
  return Buffer.concat([varint(number * 8 + 2), varint(body.length), body])
}

function envelope(apiVersion: string, kind: string, fields: readonly Buffer[]): Buffer {
  const type = f(1, f(1, apiVersion), f(2, kind))
  return Buffer.concat([Buffer.from('k8s\0'), type, f(2, ...fields), f(3, ''), f(4, '')])
}

const created = '2026-01-02T03:04:05Z'
const createdSeconds = 1767323045

/** name, generateName, namespace, selfLink, uid, resourceVersion, generation, creationTimestamp: written even when empty. */
function metadata(
  name: string,
  namespace: string,
  uid: string,
  version: string,
  generation: number,
): readonly Buffer[] {
  return [
    ...[name, '', namespace, '', uid, version].map((text, at) => f(at + 1, text)),
    f(7, generation),
    f(8, f(1, createdSeconds), f(2, 0)),
  ]
}

const named = { name: 'web', namespace: 'default', uid: 'u1', resourceVersion: '7', creationTimestamp: created }

/** activeDeadlineSeconds and the like are pointers and not there; what is no pointer is. */
const emptyPodSpecTail = [
  ...[6, 8, 9, 10].map((number) => f(number, '')),
  ...[11, 12, 13].map((number) => f(number, 0)),
  ...[16, 17, 19, 24].map((number) => f(number, '')),
]
const emptyContainerTail = [f(13, ''), f(14, ''), f(16, 0), f(17, 0), f(18, 0), f(20, '')]

interface Example {
  readonly message: string
  readonly object: Readonly<Record<string, unknown>> & { readonly apiVersion: string; readonly kind: string }
  readonly bytes: Buffer
}

const pod: Example = {
  message: 'core/v1.Pod',
  object: {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { ...named, labels: { b: '2', a: '1' } },
    spec: {
      volumes: [{ name: 'v', emptyDir: {} }],
      containers: [
        {
          name: 'c',
          image: 'busybox',
          ports: [{ containerPort: 80, protocol: 'TCP' }],
          resources: { requests: { memory: '64Mi', cpu: '250m' } },
          livenessProbe: { httpGet: { path: '/', port: 'http', scheme: 'HTTP' }, periodSeconds: 10 },
        },
      ],
      restartPolicy: 'Always',
      terminationGracePeriodSeconds: 30,
    },
    status: { phase: 'Pending' },
  },
  bytes: envelope('v1', 'Pod', [
    // Maps are sorted by key.
    f(1, ...metadata('web', 'default', 'u1', '7', 0), f(11, f(1, 'a'), f(2, '1')), f(11, f(1, 'b'), f(2, '2'))),
    f(
      2,
      // A volume's source is embedded in JSON and a message here.
      f(1, f(1, 'v'), f(2, f(2, f(1, '')))),
      f(
        2,
        f(1, 'c'),
        f(2, 'busybox'),
        f(5, ''),
        f(6, f(1, ''), f(2, 0), f(3, 80), f(4, 'TCP'), f(5, '')),
        f(8, f(2, f(1, 'cpu'), f(2, f(1, '250m'))), f(2, f(1, 'memory'), f(2, f(1, '64Mi')))),
        f(
          10,
          f(1, f(2, f(1, '/'), f(2, f(1, 1), f(2, 0), f(3, 'http')), f(3, ''), f(4, 'HTTP'))),
          f(2, 0),
          f(3, 0),
          f(4, 10),
          f(5, 0),
          f(6, 0),
        ),
        ...emptyContainerTail,
      ),
      f(3, 'Always'),
      f(4, 30),
      ...emptyPodSpecTail,
    ),
    f(3, f(1, 'Pending'), ...[3, 4, 5, 6, 9, 11, 14].map((number) => f(number, '')), f(17, 0)),
  ]),
}

const deployment: Example = {
  message: 'apps/v1.Deployment',
  object: {
    apiVersion: 'apps/v1',
    kind: 'Deployment',
    metadata: { ...named, generation: 1 },
    spec: {
      replicas: 2,
      selector: { matchLabels: { app: 'web' } },
      template: { metadata: { labels: { app: 'web' } }, spec: { containers: [{ name: 'c', image: 'i' }] } },
      strategy: { type: 'RollingUpdate', rollingUpdate: { maxUnavailable: '25%', maxSurge: 1 } },
      progressDeadlineSeconds: 600,
    },
    status: {},
  },
  bytes: envelope('apps/v1', 'Deployment', [
    f(1, ...metadata('web', 'default', 'u1', '7', 1)),
    f(
      2,
      f(1, 2),
      f(2, f(1, f(1, 'app'), f(2, 'web'))),
      f(
        3,
        // A time that was never set is an empty message.
        f(
          1,
          ...['', '', '', '', '', ''].map((text, at) => f(at + 1, text)),
          f(7, 0),
          f(8),
          f(11, f(1, 'app'), f(2, 'web')),
        ),
        f(2, f(2, f(1, 'c'), f(2, 'i'), f(5, ''), f(8), ...emptyContainerTail), f(3, ''), ...emptyPodSpecTail),
      ),
      // A number that may be a name: which it is, the number, the name.
      f(4, f(1, 'RollingUpdate'), f(2, f(1, f(1, 1), f(2, 0), f(3, '25%')), f(2, f(1, 0), f(2, 1), f(3, '')))),
      f(5, 0),
      f(7, 0),
      f(9, 600),
    ),
    f(3, ...[1, 2, 3, 4, 5, 7].map((number) => f(number, 0))),
  ]),
}

const service: Example = {
  message: 'core/v1.Service',
  object: {
    apiVersion: 'v1',
    kind: 'Service',
    metadata: named,
    spec: {
      ports: [{ name: 'http', protocol: 'TCP', port: 80, targetPort: 'http', nodePort: 30080 }],
      selector: { app: 'web' },
      clusterIP: '10.0.0.9',
      clusterIPs: ['10.0.0.9'],
      type: 'NodePort',
      sessionAffinity: 'None',
      internalTrafficPolicy: 'Cluster',
    },
    status: { loadBalancer: {} },
  },
  bytes: envelope('v1', 'Service', [
    f(1, ...metadata('web', 'default', 'u1', '7', 0)),
    f(
      2,
      f(1, f(1, 'http'), f(2, 'TCP'), f(3, 80), f(4, f(1, 1), f(2, 0), f(3, 'http')), f(5, 30080)),
      f(2, f(1, 'app'), f(2, 'web')),
      f(3, '10.0.0.9'),
      f(4, 'NodePort'),
      f(7, 'None'),
      f(8, ''),
      f(10, ''),
      f(11, ''),
      f(12, 0),
      f(13, 0),
      f(18, '10.0.0.9'),
      f(22, 'Cluster'),
    ),
    f(3, f(1)),
  ]),
}

const node: Example = {
  message: 'core/v1.Node',
  object: {
    apiVersion: 'v1',
    kind: 'Node',
    metadata: { name: 'n1', uid: 'u2', resourceVersion: '8', creationTimestamp: created },
    spec: { podCIDR: '10.1.0.0/24', podCIDRs: ['10.1.0.0/24'], taints: [{ key: 'k', effect: 'NoSchedule' }] },
    status: {
      capacity: { memory: '4Gi', cpu: '2' },
      conditions: [{ type: 'Ready', status: 'True', lastHeartbeatTime: created }],
      addresses: [{ type: 'InternalIP', address: '10.0.0.4' }],
      daemonEndpoints: { kubeletEndpoint: { Port: 10250 } },
      nodeInfo: { machineID: 'm', kubeletVersion: 'v1.35.7' },
    },
  },
  bytes: envelope('v1', 'Node', [
    f(1, ...metadata('n1', '', 'u2', '8', 0)),
    f(
      2,
      f(1, '10.1.0.0/24'),
      f(2, ''),
      f(3, ''),
      f(4, 0),
      f(5, f(1, 'k'), f(2, ''), f(3, 'NoSchedule')),
      f(7, '10.1.0.0/24'),
    ),
    f(
      3,
      f(1, f(1, 'cpu'), f(2, f(1, '2'))),
      f(1, f(1, 'memory'), f(2, f(1, '4Gi'))),
      f(3, ''),
      f(4, f(1, 'Ready'), f(2, 'True'), f(3, f(1, createdSeconds), f(2, 0)), f(4), f(5, ''), f(6, '')),
      f(5, f(1, 'InternalIP'), f(2, '10.0.0.4')),
      f(6, f(1, f(1, 10250))),
      f(
        7,
        f(1, 'm'),
        ...[2, 3, 4, 5, 6].map((number) => f(number, '')),
        f(7, 'v1.35.7'),
        f(8, ''),
        f(9, ''),
        f(10, ''),
      ),
    ),
  ]),
}

const lease: Example = {
  message: 'coordination/v1.Lease',
  object: {
    apiVersion: 'coordination.k8s.io/v1',
    kind: 'Lease',
    metadata: {
      ...named,
      managedFields: [
        {
          manager: 'kubelet',
          operation: 'Update',
          apiVersion: 'coordination.k8s.io/v1',
          time: created,
          fieldsType: 'FieldsV1',
          fieldsV1: { 'f:spec': {} },
        },
      ],
    },
    spec: { holderIdentity: 'n1', leaseDurationSeconds: 40, renewTime: '2026-01-02T03:04:05.000006Z' },
  },
  bytes: envelope('coordination.k8s.io/v1', 'Lease', [
    f(
      1,
      ...metadata('web', 'default', 'u1', '7', 0),
      f(
        17,
        f(1, 'kubelet'),
        f(2, 'Update'),
        f(3, 'coordination.k8s.io/v1'),
        f(4, f(1, createdSeconds), f(2, 0)),
        f(6, 'FieldsV1'),
        f(7, f(1, '{"f:spec":{}}')),
        f(8, ''),
      ),
    ),
    f(2, f(1, 'n1'), f(2, 40), f(4, f(1, createdSeconds), f(2, 6000))),
  ]),
}

const examples = { pod, deployment, service, node, lease }

describe('protobuf', () => {
  for (const [name, { message, object, bytes }] of Object.entries(examples)) {
    test(`writes a ${name} byte for byte as Go does, and reads it back`, () => {
      assert.equal(encoder.encode(message, object, object).toString('hex'), bytes.toString('hex'))
      const canonical = schemas.get(message).decode(object).value
      assert.deepEqual(schemas.get(message).decode(decoder.decode(bytes, message)).value, canonical)
    })
  }

  test('of an object that went both ways has the same bytes', () => {
    for (const { message, object, bytes } of Object.values(examples)) {
      const back = decoder.decode(bytes, message)
      assert.deepEqual(encoder.encode(message, object, back), bytes)
    }
  })

  test('keeps what a double cannot: int64, negative numbers, microseconds, bytes and keys in byte order', () => {
    const event = {
      apiVersion: 'v1',
      kind: 'Event',
      metadata: { name: 'e', generation: 9007199254740993n },
      involvedObject: {},
      eventTime: '1969-12-31T23:59:59.999999Z',
      count: -1,
    }
    const back = decoder.decode(encoder.encode('core/v1.Event', event, event), 'core/v1.Event') as typeof event
    assert.equal(back.metadata.generation, 9007199254740993n)
    assert.equal(back.eventTime, '1969-12-31T23:59:59.999999Z')
    assert.equal(back.count, -1)
    const secret = { apiVersion: 'v1', kind: 'Secret', data: { '\u{1F600}': 'AA==', '\uFFFD': '/w==', a: '' } }
    const bytes = encoder.encode('core/v1.Secret', secret, secret)
    const places = ['a', '\uFFFD', '\u{1F600}'].map((key) => bytes.indexOf(Buffer.from(key), 30))
    assert.deepEqual(
      places,
      places.toSorted((a, b) => a - b),
    )
    assert.deepEqual((decoder.decode(bytes, 'core/v1.Secret') as typeof secret).data, secret.data)
  })

  test('frames an event of a watch with its length before it', () => {
    const object = encoder.encode(pod.message, pod.object, pod.object)
    const payload = Buffer.concat([f(1, 'ADDED'), f(2, f(1, object))])
    const frame = encoder.frame('ADDED', object)
    assert.equal(frame.readUInt32BE(), payload.length)
    assert.deepEqual(frame.subarray(4), payload)
  })

  test('refuses bodies without the magic, cut short, or nested without end', () => {
    assert.throws(() => decoder.decode(Buffer.from('{}'), 'core/v1.Pod'), /expected prefix \[107 56 115 0\]/)
    assert.throws(() => decoder.decode(pod.bytes.subarray(0, 60), 'core/v1.Pod'), WireError)
    // JSONSchemaProps.not
    const NOT = 28
    let not: Buffer = Buffer.alloc(0)
    for (let depth = 0; depth < 2000; depth += 1) not = f(NOT, not)
    assert.throws(
      () => decoder.decode(envelope('v1', 'JSONSchemaProps', [not]), 'apiextensions/v1.JSONSchemaProps'),
      /exceeded max recursion depth/,
    )
  })
})
