// Policies of both address families: a range means its own family, everything else holds for both, and each has its table.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { networkPolicies, nodes, pods } from '@aksel/api/resources'
import type { NetworkPolicySpec } from '@aksel/api/types/networking-v1'
import type { IpFamily } from '@aksel/base/ip-range'
import { MemoryCaches } from '../testing/memory-caches.ts'
import { testScope } from '../testing/host-bench.ts'
import { compilePolicy } from './compile.ts'
import { NetworkPolicies } from './network-policies.ts'
import { policyTable } from './table.ts'

const policy = (spec: NetworkPolicySpec) => ({ metadata: { namespace: 'shop', name: 'p' }, spec })

test("a range means addresses of its family; selectors, ports and names mean both families'", () => {
  const spec: NetworkPolicySpec = {
    podSelector: {},
    policyTypes: ['Ingress', 'Egress'],
    ingress: [
      {
        from: [
          { ipBlock: { cidr: '10.0.0.0/30' } },
          { ipBlock: { cidr: 'FD00::/126', except: ['fd00::2/128', '10.0.0.0/8'] } },
          { podSelector: {} },
        ],
        ports: [{ port: 80 }],
      },
    ],
    egress: [{ to: [{ podSelector: {} }], ports: [{ port: 'http' }] }],
  }
  const compiled = (family: IpFamily) => compilePolicy(policy(spec), 'azure', family)
  const [any, named] = compiled(6).groups
  assert.deepEqual(compiled(6).ingress, [
    'ip6 saddr { fd00::-fd00::1, fd00::3 } tcp dport { 80 } accept',
    `ip6 saddr @${any!.name} tcp dport { 80 } accept`,
  ])
  assert.deepEqual(compiled(6).egress, [`ip6 daddr . tcp dport @${compiled(6).groups.at(-1)!.name} accept`])
  assert.ok(named)
  assert.deepEqual(compiled(4).ingress, [
    'ip saddr { 10.0.0.0-10.0.0.3 } tcp dport { 80 } accept',
    `ip saddr @${any!.name} tcp dport { 80 } accept`,
  ])
})

test('a policy that allows ranges of IPv4 alone shuts IPv6 off', () => {
  const spec: NetworkPolicySpec = { podSelector: {}, ingress: [{ from: [{ ipBlock: { cidr: '0.0.0.0/0' } }] }] }
  assert.deepEqual(compilePolicy(policy(spec), 'azure', 6).ingress, [])
})

test("with cilium a range of IPv6 means no pods and no nodes of IPv6's table", () => {
  const spec: NetworkPolicySpec = { podSelector: {}, ingress: [{ from: [{ ipBlock: { cidr: '::/0' } }] }] }
  const [rule] = compilePolicy(policy(spec), 'cilium', 6).ingress!
  assert.match(rule!, /^ip6 saddr != @pods-\w+ ip6 saddr != @nodes ip6 saddr \{ ::-ffff:.*:ffff \} accept$/)
})

test("IPv6's table has no word of the other family", () => {
  const { name, body } = policyTable({ clusterDns: '10.0.0.10' }, 6)
  assert.equal(name, 'ip6 aksel-policy')
  assert.doesNotMatch(body, /ipv4|\bip\b|10\.0\.0\.10/)
})

test('a pod of both families is shut off in both tables before its first container, in one transaction', async () => {
  const caches = new MemoryCaches()
  const addresses = ['10.224.0.4', 'fd00:e0::4'].map((address) => ({ type: 'InternalIP', address }))
  caches.of(nodes).put({ metadata: { name: 'n1' }, spec: {}, status: { addresses } } as never)
  caches.of(networkPolicies).put(policy({ podSelector: {}, policyTypes: ['Ingress'] }) as never)
  const scripts: string[] = []
  const nft = { apply: async (_: unknown, lines: readonly string[]) => void scripts.push(lines.join('\n')) }
  const synced = Promise.withResolvers<void>()
  const stop = new AbortController()
  const options = { caches, engine: 'azure', nodeName: 'n1', ipv6: true, clusterDns: '10.0.0.10', nft } as const
  const policies = new NetworkPolicies({ ...options, loader: nft, onSynced: synced.resolve })
  const ended = policies.run(testScope(stop.signal))
  await synced.promise
  assert.match(scripts[0]!, /table ip aksel-policy \{[^]*table ip6 aksel-policy \{/)
  assert.match(scripts[0]!, /add element ip6 aksel-policy nodes \{ fd00:e0::4 \}/)
  const pod = {
    metadata: { namespace: 'shop', name: 'web', uid: 'u' },
    spec: { nodeName: 'n1', containers: [{ name: 'c', image: 'i' }] },
  }
  caches.of(pods).put(pod as never)
  await policies.guard(pod as never, ['10.244.0.5', 'fd12:0:0:1::5'], stop.signal)
  const told = scripts.slice(1).find((script) => script.includes('10.244.0.5'))!
  assert.match(told, /add element ip aksel-policy ingress \{ 10\.244\.0\.5 : goto any-ingress-\w+ \}/)
  assert.match(told, /add element ip6 aksel-policy ingress \{ fd12:0:0:1::5 : goto any-ingress-\w+ \}/)
  policies.release('u')
  await policies.settled(stop.signal)
  assert.match(scripts.at(-1)!, /delete element ip6 aksel-policy ingress \{ fd12:0:0:1::5 \}/)
  stop.abort()
  await ended
})
