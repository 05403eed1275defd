// Names as the Kubernetes DNS specification has them, row by row.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Question } from 'dns-packet'
import { endpointSlices, services } from '@aksel/api/resources'
import { MemoryCaches } from '../testing/memory-caches.ts'
import { endpoint, service, slice } from '../testing/objects.ts'
import { viewOfCaches } from './cache-view.ts'
import { answerFromZone } from './zone.ts'

function ask(type: Question['type'], name: string): unknown {
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
  const options = { clusterDomain: 'cluster.local', address: '10.0.0.10', ttlSeconds: 30 }
  const found = answerFromZone(view, { type, name }, options)
  if (found.kind === 'alias') return `alias ${found.target}`
  if (found.kind !== 'found') return found.kind
  return found.answers.map((answer) => ('data' in answer ? answer.data : undefined))
}

const rows: readonly (readonly [Question['type'], string, unknown])[] = [
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
  ['A', 'db-0.web.default.svc.cluster.local', 'absent'],
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
      { priority: 0, weight: 50, port: 8080, target: 'db-0.db.default.svc.cluster.local' },
      { priority: 0, weight: 50, port: 8080, target: '10-244-1-6.db.default.svc.cluster.local' },
    ],
  ],
]

for (const [type, name, expected] of rows) {
  test(`${type} ${name} is ${JSON.stringify(expected)}`, () => assert.deepEqual(ask(type, name), expected))
}
