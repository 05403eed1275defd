// Services of both address families: each family's table holds what is of it, by the same rules. The names of upstream's dual-stack
// end-to-end tests that are about a node stand over what holds here.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Service } from '@aksel/api/types/core-v1'
import type { EndpointSlice } from '@aksel/api/types/discovery-v1'
import type { IpFamily } from '@aksel/base/ip-range'
import { endpoint, service, slice } from '../testing/objects.ts'
import { compileService } from './compile.ts'
import { localHealthOf } from './endpoints.ts'
import { RowTable } from './row-table.ts'
import { chainRules, proxyTable } from './table.ts'

const options = { node: { name: 'n1' }, nodeAddresses: ['10.224.0.4', 'fd00:e0::4'], servedHere: ['10.0.0.10'] }
const four = slice('web', [endpoint('10.244.0.5', { nodeName: 'n1' })])
const six: EndpointSlice = {
  ...slice('web', [endpoint('fd12:0:0:1::5', { nodeName: 'n1' }), endpoint('FD12:0:0:2::6', { nodeName: 'n2' })]),
  addressType: 'IPv6',
}

function rowsOf(object: Service, family: IpFamily, slices = [four, six]): readonly string[] {
  return compileService(object, slices, { ...options, family }).rows.map(
    ({ map, key, value }) => `${map}: ${key}${value === '' ? '' : ` -> ${value}`}`,
  )
}

const both = { clusterIP: '10.0.0.80', clusterIPs: ['10.0.0.80', 'fd10::50'], ipFamilies: ['IPv4', 'IPv6'] as const }

test('should create service with cluster ip from primary and secondary service range: rows of each family are its own', () => {
  assert.deepEqual(rowsOf(service('web', both), 4), [
    'cluster_ips: 10.0.0.80',
    'frontends: 10.0.0.80 . tcp . 80 -> goto spread-1-0',
    'backends: 10.0.0.80 . tcp . 80 . 0x0 -> 10.244.0.5 . 8080',
    'hairpins: 10.244.0.5 . 10.244.0.5',
  ])
  assert.deepEqual(rowsOf(service('web', both), 6), [
    'cluster_ips: fd10::50',
    'frontends: fd10::50 . tcp . 80 -> goto spread-2-0',
    'backends: fd10::50 . tcp . 80 . 0x0 -> fd12:0:0:1::5 . 8080',
    'backends: fd10::50 . tcp . 80 . 0x1 -> fd12:0:0:2::6 . 8080',
    'hairpins: fd12:0:0:1::5 . fd12:0:0:1::5',
  ])
})

test('should create service with ipv6 cluster ip: IPv4 has nothing of it', () => {
  const only = service('web', { clusterIP: 'fd10::50', ipFamilies: ['IPv6'] })
  assert.deepEqual(rowsOf(only, 4), [])
  assert.equal(rowsOf(only, 6, [four])[1], 'blocked: fd10::50 . tcp . 80 -> goto refused')
})

test('should function for node-Service, and by a balancer of IPv6: node ports, ingress and external addresses of the family', () => {
  const balanced = service(
    'web',
    {
      ...both,
      type: 'LoadBalancer',
      externalIPs: ['192.0.2.1', '2001:DB8::1'],
      externalTrafficPolicy: 'Local',
      ports: [{ name: 'http', port: 80, protocol: 'TCP', nodePort: 30080 }],
    },
    { loadBalancer: { ingress: [{ ip: '100.66.0.1' }, { ip: 'fd66::1' }] } },
  )
  const outside = (family: IpFamily): readonly string[] =>
    rowsOf(balanced, family).filter((row) => row.startsWith('outside'))
  assert.deepEqual(outside(4), [
    'outside: 192.0.2.1 . tcp . 80 -> goto spread-1-8000',
    'outside: 100.66.0.1 . tcp . 80 -> goto spread-1-8000',
    'outside: 10.224.0.4 . tcp . 30080 -> goto spread-1-8000',
  ])
  assert.deepEqual(outside(6), [
    'outside: 2001:db8::1 . tcp . 80 -> goto spread-1-8000',
    'outside: fd66::1 . tcp . 80 -> goto spread-1-8000',
    'outside: fd00:e0::4 . tcp . 30080 -> goto spread-1-8000',
  ])
})

test('source ranges of one family restrict both: who names some means nobody else', () => {
  const balanced = service(
    'web',
    { ...both, type: 'LoadBalancer', loadBalancerSourceRanges: ['10.0.0.0/8', 'fd00::/16', 'fd00:1::/32'] },
    { loadBalancer: { ingress: [{ ip: '100.66.0.1' }, { ip: 'fd66::1' }] } },
  )
  const ranges = (object: Service, family: IpFamily): readonly string[] =>
    rowsOf(object, family).filter((row) => /^(?:restricted|allowed)/.test(row))
  assert.deepEqual(ranges(balanced, 6), ['restricted: fd66::1 . tcp . 80', 'allowed: fd66::1 . tcp . 80 . fd00::/16'])
  const { spec } = balanced
  const narrow = { ...balanced, spec: { ...spec, loadBalancerSourceRanges: ['10.0.0.0/8'] } }
  assert.deepEqual(ranges(narrow, 6), ['restricted: fd66::1 . tcp . 80'])
})

test('should function for client IP based session affinity: IPv6 is remembered by a key that nft can take', () => {
  const rules = chainRules({ count: 2, bits: 0, affinitySeconds: 30 }, 6)
  assert.equal(rules[0], 'ct mark set jhash ip6 saddr . ip6 daddr mod 4294967295 seed 0x616b7365')
  for (const rule of rules) assert.doesNotMatch(rule, /@affinity \{ ip6/)
})

test('health checks count an endpoint of both families once', () => {
  const object = service('web', {
    ...both,
    type: 'LoadBalancer',
    externalTrafficPolicy: 'Local',
    healthCheckNodePort: 31000,
  })
  assert.equal(localHealthOf(object, [four, six], 'n1')?.localEndpoints, 1)
})

test("changes and whole loads name the family's own table, and no word of the other one", () => {
  const table = new RowTable(6)
  const compiled = compileService(service('web', both), [four, six], { ...options, family: 6 })
  const { lines } = table.replace(new Map([['default/web', compiled]]))
  assert.ok(lines.length > 0 && lines.every((line) => line.includes(' ip6 aksel-proxy ')), lines.join('\n'))
  const { name, body } = proxyTable({ podCidr: 'fd12:0:0:1::/80', nonMasqueradeCidrs: ['fd12::/64'] }, 6)
  assert.equal(name, 'ip6 aksel-proxy')
  assert.doesNotMatch(body, /ipv4|\bip\b|\bicmp\b/)
})
