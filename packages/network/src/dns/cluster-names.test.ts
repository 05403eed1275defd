// Search paths gone through for the client, and who is not served so.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { services } from '@aksel/api/resources'
import { queryFrom, read } from '../testing/dns-queries.ts'
import { testScope } from '../testing/host-bench.ts'
import { MemoryCaches } from '../testing/memory-caches.ts'
import { service } from '../testing/objects.ts'
import { viewOfCaches } from './cache-view.ts'
import { clusterNames } from './cluster-names.ts'
import { reply } from './query.ts'

function bench() {
  const caches = new MemoryCaches()
  caches.of(services).put({ ...service('db', { clusterIP: '10.0.0.9' }), metadata: { name: 'db', namespace: 'data' } })
  const asked: string[] = []
  const names = clusterNames({
    view: viewOfCaches(caches),
    clusterDomain: 'cluster.local',
    address: '10.0.0.10',
    ttlSeconds: 30,
    namespaceOf: (address) => (address === '10.244.0.5' ? 'default' : undefined),
    nodeSearches: ['corp.example'],
    elsewhere(_scope, query) {
      const { name } = query.question
      asked.push(name)
      if (name === 'broken.example') throw new Error('no server answers')
      const known = ['www.example.org', 'intra.corp.example'].includes(name)
      return reply(
        query,
        known ? { rcode: 0, answers: [{ type: 'A', name, ttl: 9, data: '192.0.2.7' }] } : { rcode: 3 },
      )
    },
  })
  const ask = async (address: string, name: string, type?: string) =>
    read(await names.answer(testScope(), queryFrom(address, name, type)))
  return { asked, ask, names }
}

test('a pod’s first question brings the answer that its search path would have come to', async () => {
  const { ask, asked } = bench()
  const first = (name: string): string => `${name}.default.svc.cluster.local`
  assert.deepEqual(await ask('10.244.0.5', first('db.data')), {
    rcode: 0,
    answers: [`${first('db.data')} db.data.svc.cluster.local`, 'db.data.svc.cluster.local 10.0.0.9'],
  })
  assert.deepEqual(asked, [])
  assert.deepEqual((await ask('10.244.0.5', first('www.example.org'))).answers, [
    `${first('www.example.org')} www.example.org`,
    'www.example.org 192.0.2.7',
  ])
  assert.deepEqual((await ask('10.244.0.5', first('intra'))).answers.at(-1), 'intra.corp.example 192.0.2.7')
})

test('a name that nobody knows, a failing server, and another client get the plain answer', async () => {
  const { ask, asked } = bench()
  const name = 'www.example.org.default.svc.cluster.local'
  assert.equal((await ask('10.244.9.9', name)).rcode, 3)
  assert.equal((await ask('10.244.0.5', name, 'SRV')).rcode, 3)
  assert.equal((await ask('10.244.0.5', 'www.example.org.other.svc.cluster.local')).rcode, 3)
  assert.deepEqual(asked, [])
  assert.equal((await ask('10.244.0.5', 'nothing.default.svc.cluster.local')).rcode, 3)
  assert.deepEqual(asked, ['nothing.corp.example'], 'a single word is not asked of the world')
  assert.equal((await ask('10.244.0.5', 'broken.example.default.svc.cluster.local')).rcode, 3)
})
