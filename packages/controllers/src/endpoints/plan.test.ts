// Pods of a service as subsets of addresses by the ports that they share.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { EndpointSubset, Pod, Service } from '@aksel/api/types/core-v1'
import { planSubsets } from './plan.ts'

const service = (spec: Partial<Service['spec']> = {}): Service => ({
  metadata: { name: 'web', namespace: 'shop' },
  spec: {
    ipFamilies: ['IPv4'],
    clusterIP: '10.0.0.1',
    ports: [{ name: 'http', port: 80, targetPort: 'http' }],
    ...spec,
  },
})

interface PodFacts {
  readonly ip?: string
  readonly ready?: boolean
  readonly port?: number
  readonly leaving?: boolean
  readonly spec?: Partial<Pod['spec']>
}

function podOf(
  name: string,
  { ip = `10.244.0.${name.length}`, ready = true, port = 8080, leaving = false, spec }: PodFacts = {},
): Pod {
  return {
    metadata: { name, namespace: 'shop', uid: name, ...(leaving ? { deletionTimestamp: '2026-01-01T00:00:00Z' } : {}) },
    spec: { nodeName: 'n', containers: [{ name: 'c', ports: [{ name: 'http', containerPort: port }] }], ...spec },
    status: {
      phase: 'Running',
      ...(ip === '' ? {} : { podIP: ip, podIPs: [{ ip }] }),
      conditions: [{ type: 'Ready', status: ready ? 'True' : 'False' }],
    },
  }
}

const shown = (subsets: readonly EndpointSubset[]): readonly string[] =>
  subsets.map(({ addresses = [], notReadyAddresses = [], ports = [] }) => {
    const ips = (list: typeof addresses): string => list.map(({ ip }) => ip).join(' ')
    return `${ips(addresses)} | ${ips(notReadyAddresses)} | ${ports.map(({ name, port }) => `${name ?? ''}:${port}`).join(' ')}`
  })

const rows: readonly {
  why: string
  pods: readonly Pod[]
  spec?: Partial<Service['spec']>
  subsets: readonly string[]
}[] = [
  { why: 'no pods', pods: [], subsets: [] },
  {
    why: 'ready ones and those that are not, sorted',
    pods: [
      podOf('b', { ip: '10.244.0.9' }),
      podOf('a', { ip: '10.244.0.2' }),
      podOf('c', { ip: '10.244.0.3', ready: false }),
    ],
    subsets: ['10.244.0.2 10.244.0.9 | 10.244.0.3 | http:8080'],
  },
  {
    why: 'a named port that differs from pod to pod',
    pods: [podOf('a', { ip: '10.244.0.2' }), podOf('b', { ip: '10.244.0.3', port: 9090 })],
    subsets: ['10.244.0.2 |  | http:8080', '10.244.0.3 |  | http:9090'],
  },
  { why: 'one without an address', pods: [podOf('a', { ip: '' })], subsets: [] },
  { why: 'one that leaves', pods: [podOf('a', { leaving: true })], subsets: [] },
  {
    why: 'all where all are to be published',
    pods: [podOf('a', { ip: '10.244.0.2', ready: false }), podOf('b', { ip: '10.244.0.3', leaving: true })],
    spec: { publishNotReadyAddresses: true },
    subsets: ['10.244.0.2 10.244.0.3 |  | http:8080'],
  },
  {
    why: 'a port by number and without a name',
    pods: [podOf('a', { ip: '10.244.0.2' })],
    spec: { ports: [{ port: 80, targetPort: 7070 }] },
    subsets: ['10.244.0.2 |  | :7070'],
  },
  {
    why: 'a headless one without ports',
    pods: [podOf('a', { ip: '10.244.0.2' })],
    spec: { clusterIP: 'None', ports: [] },
    subsets: ['10.244.0.2 |  | '],
  },
]
for (const { why, pods, spec, subsets } of rows)
  test(`endpoints of a service: ${why}`, () => assert.deepEqual(shown(planSubsets(service(spec), pods)), subsets))

test('no more than a thousand addresses stand in one object, and a pod of the service’s subdomain has its name', () => {
  const many = Array.from({ length: 1001 }, (_, index) =>
    podOf(`p-${index}`, { ip: `10.1.${index >> 8}.${index & 255}` }),
  )
  assert.equal(planSubsets(service(), many)[0]!.addresses!.length, 1000)
  const named = podOf('a', { spec: { hostname: 'db-0', subdomain: 'web' } })
  const elsewhere = podOf('b', { spec: { hostname: 'db-0', subdomain: 'other' } })
  const names = [named, elsewhere].map((pod) => planSubsets(service(), [pod])[0]!.addresses![0]!.hostname)
  assert.deepEqual(names, ['db-0', undefined])
})
