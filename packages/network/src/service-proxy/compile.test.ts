// Services become rows: cluster addresses, node ports, public addresses, policies, affinity, and what has no endpoints.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Service } from '@aksel/api/types/core-v1'
import type { EndpointSlice } from '@aksel/api/types/discovery-v1'
import { endpoint, service, slice } from '../testing/objects.ts'
import { compileService, idsOf } from './compile.ts'

const options = { node: { name: 'n1', zone: 'z1' }, nodeAddresses: ['10.224.0.4'], servedHere: ['10.0.0.10'] }
const here = endpoint('10.244.0.5', { nodeName: 'n1' })
const there = endpoint('10.244.1.6', { nodeName: 'n2' })

function rowsOf(object: Service, slices: readonly EndpointSlice[]): readonly string[] {
  return compileService(object, slices, options).rows.map(
    ({ map, key, value }) => `${map}: ${key}${value === '' ? '' : ` -> ${value}`}`,
  )
}

test('a cluster address draws among all ready endpoints, in a steady order', () => {
  const rows = rowsOf(service('web', { clusterIP: '10.0.0.80' }), [slice('web', [there, here])])
  assert.deepEqual(rows, [
    'cluster_ips: 10.0.0.80',
    'frontends: 10.0.0.80 . tcp . 80 -> goto spread-2-0',
    'backends: 10.0.0.80 . tcp . 80 . 0x0 -> 10.244.0.5 . 8080',
    'backends: 10.0.0.80 . tcp . 80 . 0x1 -> 10.244.1.6 . 8080',
    'hairpins: 10.244.0.5 . 10.244.0.5',
  ])
})

test('a service without endpoints is refused, also when its slice is empty or its port has another name', () => {
  const expected = ['cluster_ips: 10.0.0.80', 'blocked: 10.0.0.80 . tcp . 80 -> goto refused']
  assert.deepEqual(rowsOf(service('web', { clusterIP: '10.0.0.80' }), []), expected)
  assert.deepEqual(rowsOf(service('web', { clusterIP: '10.0.0.80' }), [slice('web', [])]), expected)
  assert.deepEqual(
    rowsOf(service('web', { clusterIP: '10.0.0.80' }), [slice('web', [here], [{ name: 'other', port: 1 }])]),
    expected,
  )
})

test('headless, external and node-served services have no rows', () => {
  assert.deepEqual(rowsOf(service('a', { clusterIP: 'None' }), [slice('a', [here])]), [])
  assert.deepEqual(rowsOf(service('a', { type: 'ExternalName', externalName: 'x.org' }), []), [])
  assert.deepEqual(rowsOf(service('kube-dns', { clusterIP: '10.0.0.10' }), []), [])
})

const balanced = (spec: Partial<Service['spec']>): Service =>
  service(
    'web',
    {
      type: 'LoadBalancer',
      clusterIP: '10.0.0.80',
      ports: [{ name: 'http', port: 80, protocol: 'TCP', nodePort: 30080 }],
      ...spec,
    },
    { loadBalancer: { ingress: [{ ip: '100.66.0.1' }] } },
  )

test('node ports and public addresses are masqueraded when any node may answer', () => {
  const rows = rowsOf(balanced({ loadBalancerSourceRanges: ['10.0.0.0/8', '10.1.0.0/16'] }), [slice('web', [there])])
  assert.deepEqual(rows.slice(3), [
    'restricted: 100.66.0.1 . tcp . 80',
    'allowed: 100.66.0.1 . tcp . 80 . 10.0.0.0/8',
    'frontends: 100.66.0.1 . tcp . 80 -> goto spread-1-4000',
    'backends: 100.66.0.1 . tcp . 80 . 0x4000 -> 10.244.1.6 . 8080',
    'frontends: 10.224.0.4 . tcp . 30080 -> goto spread-1-4000',
    'backends: 10.224.0.4 . tcp . 30080 . 0x4000 -> 10.244.1.6 . 8080',
  ])
})

test('addresses written as 1.35 and older still take them are those that they mean', () => {
  const odd = rowsOf(
    balanced({ clusterIP: '010.0.0.80', externalIPs: ['192.000.002.1'], loadBalancerSourceRanges: ['010.0.0.0/8'] }),
    [slice('web', [endpoint('10.244.001.6', { nodeName: 'n2' })])],
  )
  const plain = rowsOf(balanced({ externalIPs: ['192.0.2.1'], loadBalancerSourceRanges: ['10.0.0.0/8'] }), [
    slice('web', [there]),
  ])
  assert.deepEqual(odd, plain)
})

test('with external policy Local, packets from outside go to endpoints of this node or nowhere', () => {
  const rows = rowsOf(balanced({ externalTrafficPolicy: 'Local' }), [slice('web', [there])])
  assert.ok(rows.includes('outside: 10.224.0.4 . tcp . 30080 -> drop'))
  assert.ok(rows.includes('frontends: 100.66.0.1 . tcp . 80 -> goto spread-1-0'))
  const both = rowsOf(balanced({ externalTrafficPolicy: 'Local' }), [slice('web', [here, there])])
  assert.ok(both.includes('outside: 10.224.0.4 . tcp . 30080 -> goto spread-1-8000'))
  assert.ok(both.includes('backends: 10.224.0.4 . tcp . 30080 . 0x8000 -> 10.244.0.5 . 8080'))
  assert.ok(both.includes('frontends: 10.224.0.4 . tcp . 30080 -> goto spread-2-0'))
})

test('with internal policy Local and nobody here the packet is dropped', () => {
  const rows = rowsOf(service('web', { clusterIP: '10.0.0.80', internalTrafficPolicy: 'Local' }), [
    slice('web', [there]),
  ])
  assert.ok(rows.includes('frontends: 10.0.0.80 . tcp . 80 -> drop'))
})

test('terminating endpoints that still serve are used when there is no ready one', () => {
  const leaving = endpoint('10.244.0.9', { conditions: { ready: false, serving: true, terminating: true } })
  const gone = endpoint('10.244.0.8', { conditions: { ready: false, serving: false, terminating: true } })
  const web = service('web', { clusterIP: '10.0.0.80' })
  assert.deepEqual(rowsOf(web, [slice('web', [leaving, gone])]).slice(1), [
    'frontends: 10.0.0.80 . tcp . 80 -> goto spread-1-0',
    'backends: 10.0.0.80 . tcp . 80 . 0x0 -> 10.244.0.9 . 8080',
  ])
  assert.ok(!rowsOf(web, [slice('web', [leaving, there])]).some((row) => row.includes('10.244.0.9')))
})

test('hints are followed when every endpoint has one and this zone is named', () => {
  const near = endpoint('10.244.0.5', { hints: { forZones: [{ name: 'z1' }] } })
  const far = endpoint('10.244.1.6', { hints: { forZones: [{ name: 'z2' }] } })
  const web = service('web', { clusterIP: '10.0.0.80' })
  assert.ok(rowsOf(web, [slice('web', [near, far])]).includes('frontends: 10.0.0.80 . tcp . 80 -> goto spread-1-0'))
  assert.ok(rowsOf(web, [slice('web', [near, there])]).includes('frontends: 10.0.0.80 . tcp . 80 -> goto spread-2-0'))
  assert.ok(rowsOf(web, [slice('web', [far])]).includes('frontends: 10.0.0.80 . tcp . 80 -> goto spread-1-0'))
})

test('with affinity a draw leads to an id, and the id to a backend that keeps it while others come and go', () => {
  const web = service('web', { clusterIP: '10.0.0.80', sessionAffinity: 'ClientIP' })
  const rows = rowsOf(web, [slice('web', [here, there])])
  assert.ok(rows.includes('frontends: 10.0.0.80 . tcp . 80 -> goto spread-2-0-sticky-10800'))
  const backendOf = (all: readonly string[]): string =>
    all.find((row) => row.startsWith('backends') && row.includes('10.244.1.6'))!
  assert.equal(backendOf(rowsOf(web, [slice('web', [there])])), backendOf(rows))
})

test('ids differ within a service and never are 0', () => {
  const ids = idsOf(Array.from({ length: 3000 }, (_, n) => ({ address: `10.244.${n >> 8}.${n & 255}`, port: 80 })))
  assert.equal(new Set(ids).size, 3000)
  assert.ok(!ids.includes(0))
})
