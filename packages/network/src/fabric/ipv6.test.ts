// VNets of both address families: places of machines, ways to pods, security rules, and what is refused.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { SecurityRule, VirtualNetwork } from '@aksel/provider/fabric'
import { ipv6AddressOf, ipv6Bridge, ipv6Machine, ipv6Nowhere, ipv6PodRoutes } from './ipv6.ts'
import { renderSecurity } from './security-table.ts'
import type { MachineState } from './state.ts'
import { judgeChange, judgeNetwork } from './validation.ts'

const subnet = { id: '/v/s', addressPrefix: '10.224.0.0/16', ipv6Prefix: 'fd00:a:e0::/64' }
const network: VirtualNetwork = {
  id: '/v',
  addressPrefix: '10.224.0.0/12',
  subnets: [subnet],
  ipv6: { prefixes: ['fd00:a:e0::/56'], podPrefixes: ['fd12:3456:789a::/64'] },
}
const machine: MachineState = {
  key: '4d5e6f',
  subnetId: '/v/s',
  address: '10.224.1.4',
  ipv6PodCidr: 'fd12:3456:789a:0:2::/80',
}

test('a machine has the same place in both ranges, and its pods are behind it', () => {
  assert.equal(ipv6AddressOf(subnet, '10.224.1.4'), 'fd00:a:e0::104')
  assert.equal(ipv6AddressOf({ addressPrefix: '10.224.0.0/16' }, '10.224.1.4'), undefined)
  assert.deepEqual(ipv6Machine(subnet, machine), [
    'addr replace fd00:a:e0::104/128 dev eth0 nodad',
    'route replace fd00:a:e0::1/128 dev eth0',
    'route replace ::/0 via fd00:a:e0::1 dev eth0',
  ])
  assert.deepEqual(ipv6PodRoutes(subnet, machine, 3), [
    'route replace fd12:3456:789a:0:2::/80 via fd00:a:e0::104 dev br3',
  ])
  assert.deepEqual(ipv6Bridge(3, subnet), ['addr replace fd00:a:e0::1/64 dev br3 nodad'])
  assert.deepEqual(ipv6Nowhere(network), ['route replace unreachable fd00:a:e0::/56 metric 4096'])
})

test('a subnet of IPv4 alone has nothing of it', () => {
  const { ipv6Prefix: _, ...single } = subnet
  const lines = [
    ipv6Machine(single, machine),
    ipv6PodRoutes(single, machine, 3),
    ipv6Bridge(3, single),
    ipv6Nowhere({}),
  ]
  assert.deepEqual(lines.flat(), [])
})

test("ranges of IPv6 are /64 parts of their VNet's, and no two are the same", () => {
  judgeNetwork(network)
  const withSubnets = (...ipv6Prefixes: string[]): VirtualNetwork => ({
    ...network,
    subnets: ipv6Prefixes.map((ipv6Prefix, at) => ({
      id: `/v/${at}`,
      addressPrefix: `10.224.${at}.0/24`,
      ipv6Prefix,
    })),
  })
  for (const [prefixes, words] of [
    [['fd00:a:e0::/56'], /is no \/64 of IPv6/],
    [['10.1.0.0/64'], /is no \/64 of IPv6/],
    [['fd01::/64'], /does not lie in its VNet's range fd00:a:e0::\/56/],
    [['fd00:a:e0::/64', 'fd00:a:e0:0::/64'], /overlaps another one/],
  ] as const)
    assert.throws(() => judgeNetwork(withSubnets(...prefixes)), words)
  const standing = { spec: network, machines: { m: machine } }
  const { ipv6Prefix: _, ...single } = subnet
  assert.throws(() => judgeChange(standing, { ...network, subnets: [single] }), /Cannot remove or move subnet/)
  judgeChange({ ...standing, spec: { ...network, subnets: [single] } }, network)
})

test('security rules of everybody and of tags hold for IPv6; ranges of IPv4 mean nothing to it', () => {
  const rule = (name: string, change: Partial<SecurityRule>): SecurityRule => ({
    name,
    priority: 100,
    direction: 'Inbound',
    access: 'Allow',
    protocol: '*',
    sources: ['*'],
    sourcePorts: ['*'],
    destinations: ['*'],
    destinationPorts: ['*'],
    ...change,
  })
  const securityRules = [
    rule('ping', { protocol: 'Icmp' }),
    rule('office', { sources: ['192.0.2.0/24'] }),
    rule('inside', { sources: ['VirtualNetwork'], destinations: ['VirtualNetwork'] }),
    rule('mixed', { sources: ['AzureLoadBalancer', '10.0.0.0/8'] }),
    rule('all', { sources: ['0.0.0.0/0'], access: 'Deny' }),
    rule('rest', { access: 'Deny' }),
  ]
  const facts = { slots: { '/v/s': 0 }, hostAddresses: ['100.65.0.1'], peerLinks: new Map(), podPlaces: [] }
  const script = renderSecurity({ ...facts, network: { ...network, subnets: [{ ...subnet, securityRules }] } })
  const six = script.slice(script.indexOf('add table ip6 vnet'))
  assert.match(six, /set virtual_network \{\n.*\n {4}elements = \{ fd00:a:e0::\/56, fd12:3456:789a::\/64 \}/)
  assert.match(six, /set load_balancer \{\n.*\n {4}elements = \{ fd00:a:e0::1 \}/)
  const chain = six.split('chain in_0 {\n')[1]!.split('\n  }')[0]!
  assert.deepEqual(
    chain.split('\n').map((line) => line.trim().replace(/ group .*/, '')),
    [
      'meta l4proto icmpv6 return',
      'ct original ip6 saddr @virtual_network ct original ip6 daddr @virtual_network return',
      'ct original ip6 saddr @load_balancer return',
      'log prefix "Inbound rest 0"',
    ],
  )
  assert.doesNotMatch(six, /ct original ip |ipv4/)
  const { ipv6: _, ...single } = network
  assert.doesNotMatch(renderSecurity({ ...facts, network: single }), /ip6/)
})
