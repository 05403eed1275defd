// Services: defaults, refusals, what updates keep, and the values they need from the cluster's pools.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { KubernetesObject } from '../resource.ts'
import { rowHarness, setAt, withValues } from './row-harness.ts'

const harness = await rowHarness()
const service = { metadata: { name: 'web' }, spec: { selector: { app: 'web' }, ports: [{ port: 80 }] } }

const label =
  "a DNS-1035 label must consist of lower case alphanumeric characters or '-', start with an alphabetic character, and end with an alphanumeric character (e.g. 'my-name',  or 'abc-123', regex used for validation is '[a-z]([-a-z0-9]*[a-z0-9])?')"

const refused: readonly (readonly [Readonly<Record<string, unknown>>, readonly string[]])[] = [
  [{ 'metadata.name': '1web' }, [`metadata.name: Invalid value: "1web": ${label}`]],
  [{ 'spec.ports': undefined }, ['spec.ports: Required value']],
  [
    { 'spec.ports.0.port': 0 },
    [
      'spec.ports[0].port: Invalid value: 0: must be between 1 and 65535, inclusive',
      'spec.ports[0].targetPort: Invalid value: 0: must be between 1 and 65535, inclusive',
    ],
  ],
  [
    { 'spec.ports.0.protocol': 'HTTP' },
    ['spec.ports[0].protocol: Unsupported value: "HTTP": supported values: "SCTP", "TCP", "UDP"'],
  ],
  [{ 'spec.ports.1': { port: 81 } }, ['spec.ports[0].name: Required value', 'spec.ports[1].name: Required value']],
  [
    {
      'spec.ports': [
        { name: 'a', port: 80 },
        { name: 'a', port: 81 },
      ],
    },
    ['spec.ports[1].name: Duplicate value: "a"'],
  ],
  [
    {
      'spec.ports': [
        { name: 'a', port: 80 },
        { name: 'b', port: 80 },
      ],
    },
    ['spec.ports[1]: Duplicate value: {"port":80,"protocol":"TCP"}'],
  ],
  [
    { 'spec.ports.0.nodePort': 30000 },
    ["spec.ports[0].nodePort: Forbidden: may not be used when `type` is 'ClusterIP'"],
  ],
  [
    { 'spec.type': 'Public' },
    [
      'spec.type: Unsupported value: "Public": supported values: "ClusterIP", "ExternalName", "LoadBalancer", "NodePort"',
    ],
  ],
  [
    { 'spec.type': 'LoadBalancer', 'spec.clusterIP': 'None' },
    ['spec.clusterIPs[0]: Invalid value: "None": may not be set to \'None\' for LoadBalancer services'],
  ],
  [{ 'spec.type': 'ExternalName' }, ['spec.externalName: Required value']],
  [
    { 'spec.sessionAffinity': 'Cookie' },
    ['spec.sessionAffinity: Unsupported value: "Cookie": supported values: "ClientIP", "None"'],
  ],
  [
    { 'spec.externalTrafficPolicy': 'Local' },
    ['spec.externalTrafficPolicy: Invalid value: "Local": may only be set for externally-accessible services'],
  ],
  [
    { 'spec.loadBalancerSourceRanges': ['10.0.0.0/8'] },
    ["spec.LoadBalancerSourceRanges: Forbidden: may only be used when `type` is 'LoadBalancer'"],
  ],
  [
    { 'spec.clusterIP': 'here' },
    ['spec.clusterIPs[0]: Invalid value: "here": must be a valid IP address, (e.g. 10.9.8.7 or 2001:db8::ffff)'],
  ],
  [
    { 'spec.ipFamilyPolicy': 'RequireDualStack' },
    ['spec.ipFamilyPolicy: Invalid value: "RequireDualStack": this cluster is not configured for dual-stack services'],
  ],
  [
    { 'spec.externalIPs': ['127.0.0.1'] },
    ['spec.externalIPs[0]: Invalid value: "127.0.0.1": may not be in the loopback range (127.0.0.0/8, ::1/128)'],
  ],
]

test('what a service may not say is refused', () => {
  assert.deepEqual(harness.create('Service', service).errors, [])
  for (const [values, errors] of refused) {
    assert.deepEqual(harness.create('Service', withValues(service, values)).errors, errors, JSON.stringify(values))
  }
})

test('a service gets upstream’s defaults', () => {
  const spec = (values: Readonly<Record<string, unknown>>): unknown =>
    harness.create('Service', withValues(service, values)).object['spec']
  assert.deepEqual(spec({}), {
    selector: { app: 'web' },
    ports: [{ protocol: 'TCP', port: 80, targetPort: 80 }],
    type: 'ClusterIP',
    sessionAffinity: 'None',
    internalTrafficPolicy: 'Cluster',
    ipFamilyPolicy: 'SingleStack',
    ipFamilies: ['IPv4'],
  })
  const balanced = spec({ 'spec.type': 'LoadBalancer' }) as Record<string, unknown>
  assert.deepEqual([balanced['externalTrafficPolicy'], balanced['allocateLoadBalancerNodePorts']], ['Cluster', true])
  const headless = spec({ 'spec.clusterIP': 'None' }) as Record<string, unknown>
  assert.deepEqual([headless['clusterIPs'], headless['ipFamilyPolicy']], [['None'], 'SingleStack'])
})

test('the address stays, and an update that leaves given values out keeps them', () => {
  const given = withValues(service, {
    'spec.type': 'NodePort',
    'spec.clusterIP': '10.0.0.9',
    'spec.ports.0.nodePort': 30080,
  })
  const cleared = harness.update('Service', given, {
    change(object) {
      setAt(object, 'spec.clusterIP', undefined)
      setAt(object, 'spec.clusterIPs', undefined)
      setAt(object, 'spec.ports.0.nodePort', undefined)
    },
  })
  assert.deepEqual(cleared.errors, [])
  assert.equal(cleared.object['spec']!['clusterIP'], '10.0.0.9')
  assert.equal(cleared.object['spec']!['ports']![0]!['nodePort'], 30080)
  const moved = harness.update('Service', given, { change: (object) => setAt(object, 'spec.clusterIP', '10.0.0.10') })
  assert.deepEqual(moved.errors, ['spec.clusterIPs[0]: Invalid value: ["10.0.0.10"]: may not change once set'])
  const inner = harness.update('Service', given, { change: (object) => setAt(object, 'spec.type', 'ClusterIP') })
  assert.deepEqual(inner.errors, [])
  assert.equal('nodePort' in inner.object['spec']!['ports']![0]!, false)
})

test('a service needs an address, node ports, and a health port where its type has them', () => {
  const rules = harness.row('Service').allocations!
  const needs = (values: Readonly<Record<string, unknown>>) =>
    rules.needs(harness.create('Service', withValues(service, values)).object as unknown as KubernetesObject, undefined)
  assert.deepEqual(needs({}), [{ pool: 'clusterIP', field: 'spec.clusterIPs[0]' }])
  assert.deepEqual(needs({ 'spec.clusterIP': 'None' }), [])
  assert.deepEqual(needs({ 'spec.type': 'ExternalName', 'spec.externalName': 'a.b' }), [])
  const both = {
    'spec.type': 'LoadBalancer',
    'spec.externalTrafficPolicy': 'Local',
    'spec.ports': [
      { name: 't', port: 53 },
      { name: 'u', port: 53, protocol: 'UDP' },
    ],
  }
  const wished = needs(both)
  assert.deepEqual(
    wished.map(({ pool, shareKey }) => [pool, shareKey]),
    [
      ['clusterIP', undefined],
      ['nodePort', 'port 53'],
      ['nodePort', 'port 53'],
      ['nodePort', undefined],
    ],
  )
  const { object } = harness.create('Service', withValues(service, both))
  rules.assign(object as never, wished, ['10.0.0.7', '30001', '30001', '30002'])
  assert.deepEqual(object['spec']!['clusterIPs'], ['10.0.0.7'])
  assert.equal(object['spec']!['ports']![1]!['nodePort'], 30001)
  assert.equal(object['spec']!['healthCheckNodePort'], 30002)
  assert.deepEqual(
    rules.holds(object as unknown as KubernetesObject).map(({ value }) => value),
    ['10.0.0.7', '30001', '30001', '30002'],
  )
})

test('the status of a service is that of a load balancer', () => {
  const change = (object: object): void => setAt(object, 'status.loadBalancer.ingress', [{ ip: '20.0.0.1' }])
  assert.deepEqual(harness.update('Service', service, { subresource: 'status', change }).errors, [
    'status.loadBalancer.ingress: Forbidden: may only be used when `spec.type` is "LoadBalancer"',
  ])
  const balanced = withValues(service, { 'spec.type': 'LoadBalancer' })
  assert.deepEqual(harness.update('Service', balanced, { subresource: 'status', change }).errors, [])
})

test('a service shows its addresses and ports', () => {
  const aged = { 'metadata.creationTimestamp': '2026-01-02T03:03:05Z', 'spec.clusterIPs': ['10.0.0.9'] }
  assert.deepEqual(
    harness.cells(
      'Service',
      withValues(service, { ...aged, 'spec.type': 'LoadBalancer', 'spec.ports.0.nodePort': 30080 }),
    ),
    ['web', 'LoadBalancer', '10.0.0.9', '<pending>', '80:30080/TCP', '60s', 'app=web'],
  )
  assert.deepEqual(harness.cells('Service', withValues(service, aged)).slice(1, 5), [
    'ClusterIP',
    '10.0.0.9',
    '<none>',
    '80/TCP',
  ])
})
