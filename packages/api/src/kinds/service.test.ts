// Services: defaults, refusals, what updates keep, and the values they need from the cluster's pools.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { KubernetesObject } from '../resource.ts'
import { rowHarness, setAt, withValues } from './row-harness.ts'

const harness = await rowHarness()
const service = { metadata: { name: 'web' }, spec: { selector: { app: 'web' }, ports: [{ port: 80 }] } }

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
  assert.deepEqual(needs({}), [{ pool: 'clusterIP', field: 'spec.clusterIPs[0]', family: 'IPv4' }])
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
  const change = (object: object): void =>
    setAt(object, 'status.loadBalancer.ingress', [{ ip: '20.0.0.1', ipMode: 'VIP' }])
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
