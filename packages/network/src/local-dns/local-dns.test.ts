// LocalDNS on loopback sockets: where each zone is asked for and over what, and what it says when nobody answers any more.

import assert from 'node:assert/strict'
import { createSocket } from 'node:dgram'
import { once } from 'node:events'
import { decode, type Answer } from 'dns-packet'
import { test } from 'node:test'
import type { LocalDnsZone } from '@aksel/provider/local-dns'
import { dataOf, query, rcodeOf } from '../testing/dns-queries.ts'
import { testScope } from '../testing/host-bench.ts'
import { plainServer } from '../dns/answering-server.ts'
import { listen } from '../dns/listen.ts'
import { reply } from '../dns/query.ts'
import { runLocalDns } from './local-dns.ts'

const rules = (zone: string, more: Partial<LocalDnsZone> = {}): LocalDnsZone => ({
  zone,
  queryLogging: 'Error',
  protocol: 'PreferUDP',
  forwardDestination: 'ClusterCoreDNS',
  forwardPolicy: 'Sequential',
  maxConcurrent: 1000,
  cacheDurationInSeconds: 3600,
  serveStaleDurationInSeconds: 3600,
  serveStale: 'Immediate',
  ...more,
})

async function withLocalDns(
  work: (bench: {
    readonly ask: (listener: 'vnetDns' | 'kubeDns', name: string) => Promise<string>
    readonly asked: string[]
    readonly metrics: () => Promise<string>
    readonly endCluster: () => void
  }) => Promise<void>,
): Promise<void> {
  const stop = new AbortController()
  const stopCluster = new AbortController()
  const asked: string[] = []
  const server = (who: string, data: string) =>
    plainServer((_scope, { question, transport, ...rest }) => {
      asked.push(`${who} ${transport} ${question.name}`)
      const answers: Answer[] = [{ type: 'A', name: question.name, ttl: 1, data }]
      return reply({ question, transport, ...rest }, { rcode: 0, answers })
    })
  const here = { address: '127.0.0.1', port: 0 }
  const clusterDns = await listen(testScope(stopCluster.signal), server('cluster', '10.0.0.80'), here)
  await using vnetDns = await listen(testScope(stop.signal), server('vnet', '192.0.2.1'), here)
  const ready = Promise.withResolvers<{
    readonly vnetDns: number
    readonly kubeDns: number
    readonly metrics: number
  }>()
  const ended = runLocalDns(testScope(stop.signal), {
    config: {
      vnetDns: [rules('.', { forwardDestination: 'VnetDNS' }), rules('cluster.local', { protocol: 'ForceTCP' })],
      kubeDns: [
        rules('.'),
        rules('cluster.local', { protocol: 'ForceTCP' }),
        rules('corp.example', { forwardDestination: 'VnetDNS' }),
      ],
    },
    clusterDns: { ...here, port: clusterDns.port },
    vnetDns: [{ ...here, port: vnetDns.port }],
    nodeAddress: '127.0.0.1',
    places: { vnetDns: here, kubeDns: here, metricsPort: 0 },
    onReady: ready.resolve,
  })
  try {
    const ports = await Promise.race([ready.promise, ended.then(() => Promise.reject(new Error('ended')))])
    await work({
      asked,
      async ask(listener, name) {
        const socket = createSocket('udp4')
        socket.send(query(name), ports[listener], '127.0.0.1')
        const [answer] = (await once(socket, 'message')) as [Buffer]
        socket.close()
        const packet = decode(answer)
        return rcodeOf(packet) === 0 ? dataOf(packet).join() : `code ${rcodeOf(packet)}`
      },
      metrics: async () => (await fetch(`http://127.0.0.1:${ports.metrics}/metrics`)).text(),
      endCluster: () => stopCluster.abort(),
    })
  } finally {
    stop.abort()
    stopCluster.abort()
    await ended
  }
}

test('each listener asks where its rules for the zone say, by the protocol they say, and remembers', () =>
  withLocalDns(async ({ ask, asked, metrics }) => {
    assert.equal(await ask('kubeDns', 'web.default.svc.cluster.local'), '10.0.0.80')
    assert.equal(await ask('kubeDns', 'www.example.org'), '10.0.0.80')
    assert.equal(await ask('kubeDns', 'db.corp.example'), '192.0.2.1')
    assert.equal(await ask('vnetDns', 'www.example.org'), '192.0.2.1')
    assert.equal(await ask('vnetDns', 'web.default.svc.cluster.local'), '10.0.0.80')
    assert.equal(await ask('kubeDns', 'www.example.org'), '10.0.0.80')
    assert.deepEqual(asked, [
      'cluster tcp web.default.svc.cluster.local',
      'cluster udp www.example.org',
      'vnet udp db.corp.example',
      'vnet udp www.example.org',
      'cluster tcp web.default.svc.cluster.local',
    ])
    const text = await metrics()
    assert.match(
      text,
      /^coredns_dns_requests_total\{server="dns:\/\/127\.0\.0\.1:0",zone="corp\.example\.",family="1",proto="udp",type="A"\} 1$/m,
    )
    assert.match(text, /^coredns_dns_responses_total\{.*zone="\.",rcode="NOERROR"\} 2$/m)
    assert.match(text, /^coredns_cache_hits_total\{.*zones="\."\} 1$/m)
  }))

test('what it knew goes on being answered when the cluster’s DNS is gone, and what it did not fails', () =>
  withLocalDns(async ({ ask, endCluster }) => {
    assert.equal(await ask('kubeDns', 'web.default.svc.cluster.local'), '10.0.0.80')
    endCluster()
    assert.equal(await ask('kubeDns', 'web.default.svc.cluster.local'), '10.0.0.80')
    assert.equal(await ask('kubeDns', 'other.default.svc.cluster.local'), 'code 2')
  }))
