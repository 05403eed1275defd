// Names as the Kubernetes DNS specification has them, row by row.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { endpointSlices, services } from '@aksel/api/resources'
import type { EndpointSlice } from '@aksel/api/types/discovery-v1'
import { MemoryCaches } from '../testing/memory-caches.ts'
import { endpoint, service, slice } from '../testing/objects.ts'
import { viewOfCaches } from './cache-view.ts'
import { answerFromZone } from './zone.ts'

function ask(type: string, name: string): unknown {
  const caches = new MemoryCaches()
  const view = viewOfCaches(caches)
  caches.of(services).put(service('web', { clusterIP: '10.0.0.80' }))
  caches.of(services).put(service('db', { clusterIP: 'None' }))
  caches.of(services).put(service('out', { type: 'ExternalName', externalName: 'example.org.' }))
  caches.of(services).put(service('idle', { clusterIP: 'None' }))
  caches
    .of(endpointSlices)
    .put(
      slice('db', [
        endpoint('10.244.0.5', { hostname: 'db-0' }),
        endpoint('10.244.1.6'),
        endpoint('10.244.1.7', { hostname: 'db-2', conditions: { ready: false } }),
      ]),
    )
  caches.of(services).put(service('dual', { clusterIP: '10.0.0.90', clusterIPs: ['10.0.0.90', 'fd00::90'] }))
  caches.of(endpointSlices).put(slice('web', [endpoint('10.244.0.9', { hostname: 'web-0' })]))
  caches.of(endpointSlices).put(ipv6Slice('db', 'fd00:0:0:1::5'))
  const options = { clusterDomain: 'cluster.local', address: '10.0.0.10', ttlSeconds: 30 }
  const found = answerFromZone(view, { type, name }, options)
  if (found.kind === 'alias') return `alias ${found.target}`
  if (found.kind !== 'found') return found.kind
  return found.answers.map((answer) => ('data' in answer ? answer.data : undefined))
}

function ipv6Slice(name: string, address: string): EndpointSlice {
  const made = slice(name, [endpoint(address)])
  return { ...made, metadata: { ...made.metadata, name: `${name}-v6` }, addressType: 'IPv6' }
}

const rows: readonly (readonly [string, string, unknown])[] = [
  ['A', 'web.default.svc.cluster.local', ['10.0.0.80']],
  ['A', 'WEB.Default.svc.cluster.LOCAL', ['10.0.0.80']],
  ['AAAA', 'web.default.svc.cluster.local', []],
  ['A', 'nothing.default.svc.cluster.local', 'absent'],
  ['A', 'web.other.svc.cluster.local', 'absent'],
  ['A', 'default.svc.cluster.local', []],
  ['A', 'other.svc.cluster.local', 'absent'],
  ['A', 'svc.cluster.local', []],
  ['A', 'db.default.svc.cluster.local', ['10.244.0.5', '10.244.1.6']],
  ['A', 'db-0.db.default.svc.cluster.local', ['10.244.0.5']],
  ['A', '10-244-1-6.db.default.svc.cluster.local', ['10.244.1.6']],
  ['A', 'db-2.db.default.svc.cluster.local', 'absent'],
  ['A', 'web-0.web.default.svc.cluster.local', ['10.244.0.9']],
  ['A', 'db-0.web.default.svc.cluster.local', 'absent'],
  ['A', 'dual.default.svc.cluster.local', ['10.0.0.90']],
  ['AAAA', 'dual.default.svc.cluster.local', ['fd00::90']],
  ['PTR', `${'0.9.0.0.'}${'0.'.repeat(24)}0.0.d.f.ip6.arpa`, ['dual.default.svc.cluster.local']],
  ['AAAA', 'db.default.svc.cluster.local', ['fd00:0:0:1::5']],
  ['AAAA', 'fd00-0-0-1--5.db.default.svc.cluster.local', ['fd00:0:0:1::5']],
  ['AAAA', 'db-0.db.default.svc.cluster.local', []],
  ['AAAA', 'fd00--7.default.pod.cluster.local', ['fd00::7']],
  ['MX', 'web.default.svc.cluster.local', []],
  ['A', 'idle.default.svc.cluster.local', 'absent'],
  ['A', 'out.default.svc.cluster.local', 'alias example.org'],
  ['A', '10-244-1-7.default.pod.cluster.local', ['10.244.1.7']],
  ['A', 'nonsense.default.pod.cluster.local', 'absent'],
  ['TXT', 'dns-version.cluster.local', ['1.1.0']],
  ['A', 'ns.dns.cluster.local', ['10.0.0.10']],
  ['NS', 'cluster.local', ['ns.dns.cluster.local']],
  ['PTR', '80.0.0.10.in-addr.arpa', ['web.default.svc.cluster.local']],
  ['PTR', '5.0.244.10.in-addr.arpa', ['db-0.db.default.svc.cluster.local']],
  ['PTR', '1.2.3.4.in-addr.arpa', 'elsewhere'],
  ['A', 'example.org', 'elsewhere'],
  ['A', 'web.default.svc.cluster.local.example.org', 'elsewhere'],
  [
    'SRV',
    '_http._tcp.web.default.svc.cluster.local',
    [{ priority: 0, weight: 100, port: 80, target: 'web.default.svc.cluster.local' }],
  ],
  ['SRV', '_http._udp.web.default.svc.cluster.local', 'absent'],
  ['A', '_http._tcp.web.default.svc.cluster.local', []],
  [
    'SRV',
    '_http._tcp.db.default.svc.cluster.local',
    [
      { priority: 0, weight: 33, port: 8080, target: 'db-0.db.default.svc.cluster.local' },
      { priority: 0, weight: 33, port: 8080, target: '10-244-1-6.db.default.svc.cluster.local' },
      { priority: 0, weight: 33, port: 8080, target: 'fd00-0-0-1--5.db.default.svc.cluster.local' },
    ],
  ],
]

for (const [type, name, expected] of rows) {
  test(`${type} ${name} is ${JSON.stringify(expected)}`, () => assert.deepEqual(ask(type, name), expected))
}
