// The LocalDNS profile of a pool: what Azure refuses at once, what it fills in, and what nodes are told.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { nextPool, readPool } from './pool-properties.ts'
import { localDnsOf, shownLocalDns } from './local-dns.ts'
import type { Json, PoolProperties } from '../../records.ts'

const context = { clusterVersion: '1.35.7', maxPodsDefault: 250, location: 'eastus' }

function pool(localDNSProfile: unknown, more: Json = {}, existing?: PoolProperties): PoolProperties {
  const given = readPool({ vmSize: 'Standard_D4s_v5', localDNSProfile, ...more }, 'AgentPool.properties')
  return nextPool(given, existing, context)
}

const refusals: readonly (readonly [unknown, RegExp])[] = [
  [{ mode: 'Always' }, /'Always' is not one of the allowed values: Preferred, Required, Disabled/],
  [{ mode: 'Preferred', zones: {} }, /'zones' is not a field of the LocalDNS profile/],
  [
    { vnetDNSOverrides: { '.': { forwardDestination: 'ClusterCoreDNS' } } },
    /the root zone in vnetDNSOverrides cannot be forwarded to ClusterCoreDNS/,
  ],
  [
    { vnetDNSOverrides: { 'corp.example': { forwardDestination: 'ClusterCoreDNS' } } },
    /the external zone 'corp\.example' in vnetDNSOverrides cannot/,
  ],
  [
    { kubeDNSOverrides: { 'cluster.local': { forwardDestination: 'VnetDNS' } } },
    /zone 'cluster\.local' cannot be forwarded to VnetDNS/,
  ],
  [
    { vnetDNSOverrides: { 'cluster.local': { forwardDestination: 'VnetDNS' } } },
    /zone 'cluster\.local' cannot be forwarded to VnetDNS/,
  ],
  [
    { kubeDNSOverrides: { '.': { protocol: 'ForceTCP', serveStale: 'Verify' } } },
    /serveStale Verify cannot be used with protocol ForceTCP/,
  ],
  [
    { kubeDNSOverrides: { 'cluster.local': { serveStale: 'Verify' } } },
    /serveStale Verify cannot be used with protocol ForceTCP/,
  ],
  [
    { kubeDNSOverrides: { '.': { serveStale: 'Disabled' } } },
    /'Disabled' is not one of the allowed values: Verify, Immediate, Disable/,
  ],
  [{ kubeDNSOverrides: { '.': { maxConcurrent: -1 } } }, /-1 is out of range/],
  [{ kubeDNSOverrides: { '.': { ttl: 5 } } }, /'ttl' is not a field of a LocalDNS override/],
  [{ kubeDNSOverrides: { 'not a zone': {} } }, /'not a zone' is not a valid DNS zone name/],
]

for (const [profile, expected] of refusals) {
  test(`${JSON.stringify(profile)} is refused as InvalidParameter`, () =>
    assert.throws(
      () => pool(profile),
      (error: Error & { code?: string }) => error.code === 'InvalidParameter' && expected.test(error.message),
    ))
}

test('Required needs a size and a version that can carry it, Preferred is checked and changes nothing on nodes', () => {
  assert.throws(
    () => pool({ mode: 'Required' }, { vmSize: 'Standard_D2s_v5' }),
    /at least 4 vCPUs, 'Standard_D2s_v5' has 2/,
  )
  assert.throws(
    () => pool({ mode: 'Required' }, { osSKU: 'CBLMariner' }),
    /needs Ubuntu 22\.04 or later, or Azure Linux/,
  )
  const preferred = pool({ vnetDNSOverrides: { '.': { queryLogging: 'Log' } } }, { vmSize: 'Standard_D2s_v5' })
  assert.equal(localDnsOf(preferred), undefined)
  assert.deepEqual(shownLocalDns(preferred), {
    localDNSProfile: { vnetDNSOverrides: { '.': { queryLogging: 'Log' } }, mode: 'Preferred', state: 'Disabled' },
  })
  assert.deepEqual(shownLocalDns(pool({ mode: 'Required' })), {
    localDNSProfile: { mode: 'Required', state: 'Enabled' },
  })
})

test('nodes get both zones of both listeners, with what AKS fills in', () => {
  const { vnetDns, kubeDns } = localDnsOf(
    pool({
      mode: 'Required',
      kubeDNSOverrides: { 'corp.example': { forwardDestination: 'VnetDNS', forwardPolicy: 'Random' } },
    }),
  )!
  const brief = ({ zone, protocol, forwardDestination, forwardPolicy }: (typeof vnetDns)[number]): string =>
    [zone, protocol, forwardDestination, forwardPolicy].join(' ')
  assert.deepEqual(vnetDns.map(brief), [
    '. PreferUDP VnetDNS Sequential',
    'cluster.local ForceTCP ClusterCoreDNS Sequential',
  ])
  assert.deepEqual(kubeDns.map(brief), [
    '. PreferUDP ClusterCoreDNS Sequential',
    'cluster.local ForceTCP ClusterCoreDNS Sequential',
    'corp.example PreferUDP VnetDNS Random',
  ])
  assert.deepEqual(vnetDns[0], {
    zone: '.',
    queryLogging: 'Error',
    protocol: 'PreferUDP',
    forwardDestination: 'VnetDNS',
    forwardPolicy: 'Sequential',
    maxConcurrent: 1000,
    cacheDurationInSeconds: 3600,
    serveStaleDurationInSeconds: 3600,
    serveStale: 'Immediate',
  })
})
