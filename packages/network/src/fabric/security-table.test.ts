// Rules and routes as text: tags, ports, and the turn that tables take. The host test shows what the kernel makes of it.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { SecurityRule, Subnet, VirtualNetwork } from '@aksel/provider/fabric'
import { podPlacesOf } from './pod-places.ts'
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
  const facts = {
    network: { ...network, subnets },
    slots: { '/v/a': 0 },
    hostAddresses: [],
    peerLinks: new Map(),
    podPlaces: [],
  }
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
  const facts = { slots: { '/v/a': 0 }, hostAddresses: [], peerLinks: new Map(), podPlaces: [] }
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
  const change = routeChange({ tables, places: [] }, standingRules(shown))
  assert.equal(change.prepare[0], 'route replace throw 10.1.0.0/16 table 1007')
  assert.deepEqual(change.lead, ['rule add pref 1007 iif br3 lookup 1007'])
  assert.deepEqual(change.forget, ['rule del pref 1006', 'route flush table 1006'])
  assert.deepEqual(routeChange({ tables: [], places: [] }, standingRules(shown)).forget, change.forget)
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

const podPlaces = [{ bridge: 0, slot: 1, prefix: '10.1.4.0/24' }]

test('packets are led to the rules of their subnet by one map, and those of pods of another subnet by a map before it', () => {
  const silent: SecurityRule = { name: 'r', priority: 100, direction: 'Inbound', access: 'Deny', protocol: '*', ...any }
  const outbound: SecurityRule = { ...silent, direction: 'Outbound' }
  const render = (nodes: Partial<Subnet>, pods: Partial<Subnet>, places = podPlaces): readonly string[] => {
    const subnets = [
      { id: '/v/a', addressPrefix: '10.1.0.0/24', ...nodes },
      { id: '/v/p', addressPrefix: '10.1.4.0/24', ...pods },
    ]
    const facts = { slots: { '/v/a': 0, '/v/p': 1 }, hostAddresses: [], peerLinks: new Map(), podPlaces: places }
    const text = renderSecurity({ ...facts, network: { ...network, peerings: [], subnets } })
    return text
      .split('\n')
      .filter((line) => /vmap|map |jump|snat/.test(line))
      .map((line) => line.trim())
  }
  const rows: readonly (readonly [string, Partial<Subnet>, Partial<Subnet>, readonly string[]])[] = [
    ['neither has anything', {}, {}, []],
    [
      "rules of the nodes' subnet pass its pods by",
      { securityRules: [silent] },
      {},
      [
        'map receivers_by_bridge { type ifname : verdict; elements = { "br0" : goto in_0 } }',
        'map receivers_of_pods { type ifname . ipv4_addr : verdict; flags interval; elements = { "br0" . 10.1.4.0/24 : return } }',
        'oifname . ip daddr vmap @receivers_of_pods',
        'oifname vmap @receivers_by_bridge',
        'jump receivers',
        'meta l4proto { tcp, udp } ct state new jump receivers',
      ],
    ],
    [
      "rules of the pods' subnet hold behind the nodes' bridge, and behind its own",
      {},
      { securityRules: [outbound] },
      [
        'map senders_by_bridge { type ifname : verdict; elements = { "br1" : goto out_1 } }',
        'map senders_of_pods { type ifname . ipv4_addr : verdict; flags interval; elements = { "br0" . 10.1.4.0/24 : goto out_1 } }',
        'iifname . ip saddr vmap @senders_of_pods',
        'iifname vmap @senders_by_bridge',
        'jump senders',
      ],
    ],
    [
      'ways out',
      { egress: { kind: 'addresses', addresses: ['100.66.0.1'] } },
      { egress: { kind: 'addresses', addresses: ['100.66.0.2'] } },
      [
        'snat ip to 100.66.0.1',
        'snat ip to 100.66.0.2',
        'map translated_by_bridge { type ifname : verdict; elements = { "br0" : goto egress_0, "br1" : goto egress_1 } }',
        'map translated_of_pods { type ifname . ipv4_addr : verdict; flags interval; elements = { "br0" . 10.1.4.0/24 : goto egress_1 } }',
        'iifname . ip saddr vmap @translated_of_pods',
        'iifname vmap @translated_by_bridge',
        'oifname "host" jump translated',
      ],
    ],
  ]
  for (const [name, nodes, pods, lines] of rows) assert.deepEqual(render(nodes, pods), lines, name)
  assert.doesNotMatch(render({ securityRules: [silent] }, {}, []).join(), /_of_pods/, 'no pods, no map of theirs')
})

test('pods of another subnet are led to its table, and from there to the main one past that of their nodes', () => {
  const route = { name: 'out', addressPrefix: '0.0.0.0/0', nextHop: 'None' as const }
  const lines = (slot: number) => ({ slot, routes: [`0.0.0.0/0 dev ${route.nextHop}`] })
  const shown = (...rules: readonly (readonly [number, string])[]): string =>
    JSON.stringify(rules.map(([priority, table]) => ({ priority, src: '10.1.4.0', srclen: 24, iif: 'br0', table })))
  const from = 'from 10.1.4.0/24 iif br0 lookup'
  const change = (slots: readonly number[], places: typeof podPlaces, standing: string) => {
    const { lead, forget } = routeChange({ tables: slots.map(lines), places }, standingRules(standing))
    return [...lead, ...forget].filter((line) => line.includes('10.1.4.0'))
  }
  const main = `pref 951 ${from} main`
  assert.deepEqual(change([], podPlaces, '[]'), [], 'nobody has a table')
  assert.deepEqual(change([0], podPlaces, '[]'), [`rule add ${main}`])
  assert.deepEqual(change([1], podPlaces, '[]'), [`rule add ${main}`, `rule add pref 950 ${from} 1002`])
  const both = shown([950, '1002'], [951, 'main'])
  assert.deepEqual(change([0], podPlaces, both), [`rule del pref 950 ${from} 1002`], 'what stands is not added again')
  assert.deepEqual(change([0], [], both), [`rule del pref 950 ${from} 1002`, `rule del ${main}`])
})

test('a place of pods is a pair of subnets, however many machines and addresses have it', () => {
  const subnets = [...network.subnets, { id: '/v/p', addressPrefix: '10.1.4.0/24' }]
  const machine = (subnetId: string, pods: string | undefined) => ({
    key: 'k',
    address: '10.1.0.4',
    subnetId,
    ...(pods === undefined ? {} : { pods: { subnetId: pods, addresses: [] } }),
  })
  const machines = {
    a: machine('/v/a', '/v/p'),
    b: machine('/v/a', '/v/p'),
    c: machine('/v/a', '/v/a'),
    d: machine('/v/p', undefined),
  }
  const slots = { '/v/a': 0, '/v/p': 1 }
  assert.deepEqual(podPlacesOf({ spec: { ...network, subnets }, slots, machines }), podPlaces)
})
