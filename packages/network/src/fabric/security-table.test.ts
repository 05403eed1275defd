// Rules and routes as text: tags, ports, and the turn that tables take. The host test shows what the kernel makes of it.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { SecurityRule, VirtualNetwork } from '@aksel/provider/fabric'
import { renderSecurity } from './security-table.ts'
import { nextSlots } from './slots.ts'
import { routeChange, standingRules, subnetTables } from './subnet-routes.ts'

const any = { sources: ['*'], sourcePorts: ['*'], destinations: ['*'], destinationPorts: ['*'] }
const network: VirtualNetwork = {
  id: '/v',
  addressPrefix: '10.1.0.0/16',
  podPrefixes: ['10.244.0.0/16'],
  peerings: [{ virtualNetworkId: '/w', addressPrefixes: ['10.2.0.0/16'], allowsAccess: false, allowsForwarded: false }],
  subnets: [{ id: '/v/a', addressPrefix: '10.1.0.0/24' }],
}

function inbound(change: Partial<SecurityRule>): readonly string[] {
  const rule: SecurityRule = {
    name: 'r',
    priority: 100,
    direction: 'Inbound',
    access: 'Allow',
    protocol: '*',
    ...any,
    ...change,
  }
  const subnets = [{ ...network.subnets[0]!, securityRules: [rule] }]
  const facts = { network: { ...network, subnets }, slots: { '/v/a': 0 }, hostAddresses: [], peerLinks: new Map() }
  const [, chain] = renderSecurity(facts).split('chain in_0 {\n')
  return chain!
    .split('\n  }')[0]!
    .split('\n')
    .map((line) => line.trim())
}

test('tags, ranges and single addresses of a rule become matches of their own; ports that overlap are joined', () => {
  assert.deepEqual(inbound({ sources: ['VirtualNetwork', '10.9.0.0/16', '10.9.9.9', '8.8.8.8'] }), [
    'ct original ip saddr @virtual_network return',
    'ct original ip saddr { 10.9.0.0/16, 8.8.8.8/32 } return',
  ])
  assert.deepEqual(
    inbound({ sources: ['Internet'], protocol: 'Tcp', destinationPorts: ['80', '8000-8080', '8040-8090'] }),
    [
      'ct original ip saddr != @virtual_network ct original ip saddr != @load_balancer meta l4proto tcp ct original proto-dst { 80, 8000-8090 } return',
    ],
  )
  assert.deepEqual(inbound({ sourcePorts: ['53'] }), [
    'meta l4proto { tcp, udp, sctp } ct original proto-src { 53 } return',
  ])
})

test('the tag VirtualNetwork has the ranges of the network, of its pods, and of peers that are let in', () => {
  const facts = { slots: { '/v/a': 0 }, hostAddresses: [], peerLinks: new Map() }
  assert.match(renderSecurity({ ...facts, network }), /elements = \{ 10\.1\.0\.0\/16, 10\.244\.0\.0\/16 \}/)
  const peerings = [{ ...network.peerings![0]!, allowsAccess: true }]
  assert.match(
    renderSecurity({ ...facts, network: { ...network, peerings } }),
    /elements = \{ 10\.1\.0\.0\/16, 10\.244\.0\.0\/16, 10\.2\.0\.0\/16 \}/,
  )
})

test("a subnet's table is whole before packets meet it, and the one before it goes afterwards", () => {
  const routes = [{ name: 'out', addressPrefix: '0.0.0.0/0', nextHop: 'None' as const }]
  const subnets = [{ ...network.subnets[0]!, routes }]
  const facts = { network: { ...network, subnets }, slots: { '/v/a': 3 }, hostAddresses: ['100.65.0.1'], uplink: 'U' }
  const tables = subnetTables(facts)
  assert.deepEqual(tables, [
    {
      slot: 3,
      routes: [
        'throw 10.1.0.0/16',
        'throw 10.244.0.0/16',
        'throw 10.2.0.0/16',
        'throw 100.65.0.1/32',
        '0.0.0.0/0 dev nowhere',
      ],
    },
  ])
  const shown = '[{"priority":0,"table":"local"},{"priority":1006,"iif":"br3","table":"1006"}]'
  const change = routeChange(tables, standingRules(shown))
  assert.equal(change.prepare[0], 'route replace throw 10.1.0.0/16 table 1007')
  assert.deepEqual(change.lead, ['rule add pref 1007 iif br3 lookup 1007'])
  assert.deepEqual(change.forget, ['rule del pref 1006', 'route flush table 1006'])
  assert.deepEqual(routeChange([], standingRules(shown)).forget, change.forget)
})

test('a subnet keeps its bridge while others come and go', () => {
  const subnet = (id: string) => ({ id, addressPrefix: '10.1.0.0/24' })
  const two = nextSlots({ a: 0, b: 1, c: 2 }, { ...network, subnets: [subnet('c'), subnet('d')] })
  assert.deepEqual(two, { c: 2, d: 3 })
  assert.deepEqual(nextSlots(two, { ...network, subnets: [subnet('e'), subnet('c'), subnet('d')] }), {
    c: 2,
    d: 3,
    e: 0,
  })
})
