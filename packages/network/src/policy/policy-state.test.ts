// What a change of one pod, namespace or policy sends to the kernel: no more than it touches.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { NetworkPolicySpec } from '@aksel/api/types/networking-v1'
import { parseRange } from '@aksel/base/ip-range'
import { intervalsWithout } from '../nft/ranges.ts'
import { compilePolicy } from './compile.ts'
import type { PolicyPod } from './groups.ts'
import { PolicyState } from './policy-state.ts'

const policy = (spec: NetworkPolicySpec) => ({ metadata: { namespace: 'shop', name: 'p' }, spec })
const pod = (ip: string, more: Partial<PolicyPod> = {}): PolicyPod => ({
  namespace: 'shop',
  labels: { app: 'web' },
  ip,
  namedPorts: [],
  isLocal: false,
  ...more,
})

test('rules name ports by protocol, join what overlaps, and leave out what nothing can match', () => {
  const { ingress, egress, groups } = compilePolicy(
    policy({
      podSelector: {},
      ingress: [
        {
          ports: [
            { port: 80 },
            { port: 8000, endPort: 8080 },
            { port: 8081 },
            { protocol: 'UDP' },
            { protocol: 'UDP', port: 1 },
          ],
          from: [
            // As 1.35 and older still take it.
            { ipBlock: { cidr: '010.0.0.0/30', except: ['10.0.0.2/032'] } },
            { ipBlock: { cidr: '10.0.0.0/24', except: ['10.0.0.0/24'] } },
            { ipBlock: { cidr: 'fd00::/8' } },
          ],
        },
      ],
    }),
    'azure',
  )
  const from = 'ip saddr { 10.0.0.0-10.0.0.1, 10.0.0.3 }'
  assert.deepEqual(ingress, [`${from} tcp dport { 80, 8000-8081 } accept`, `${from} meta l4proto udp accept`])
  assert.equal(egress, undefined, 'no egress section, no restriction of what goes out')
  assert.deepEqual(groups, [])
})

test('an egress section restricts both directions where no types are given', () => {
  const compiled = compilePolicy(policy({ podSelector: {}, egress: [{}] }), 'azure')
  assert.deepEqual([compiled.ingress, compiled.egress], [[], ['accept']])
})

test('a change of a pod costs the sets it is in, and of a pod that nobody names nothing', () => {
  const state = new PolicyState('calico')
  state.setNamespace('shop', {})
  state.setPolicy(
    'shop/p',
    policy({ podSelector: {}, ingress: [{ from: [{ podSelector: { matchLabels: { app: 'web' } } }] }] }),
  )
  state.setPod('a', pod('10.244.0.2', { isLocal: true }))
  const all = state.takeAll()
  const [[set]] = [...all.sets!] as [[string, string]]
  assert.deepEqual([...all.elements.get(set)!.keys()], ['10.244.0.2'])
  assert.deepEqual([...all.elements.get('ingress')!.keys()], ['10.244.0.2'])
  assert.deepEqual(state.takeChange(), [])

  state.setPod('b', pod('10.244.1.2'))
  assert.deepEqual(state.takeChange(), [`add element ip aksel-policy ${set} { 10.244.1.2 }`])
  state.setPod('c', pod('10.244.1.3', { labels: { app: 'db' } }))
  assert.deepEqual(state.takeChange(), [])
  state.setPod('b', undefined)
  assert.deepEqual(state.takeChange(), [`delete element ip aksel-policy ${set} { 10.244.1.2 }`])

  state.setPolicy('shop/p', undefined)
  const lines = state.takeChange()
  assert.equal(lines.filter((line) => line.startsWith('delete chain')).length, 2)
  assert.equal(lines.at(-1), `delete set ip aksel-policy ${set}`)
  assert.ok(
    lines.findLastIndex((line) => line.startsWith('flush')) <
      lines.findIndex((line) => line.startsWith('delete chain')),
  )
})

test('a namespace that changes its labels takes its pods along', () => {
  const state = new PolicyState('calico')
  state.setNamespace('other', { team: 'a' })
  state.setPod('x', pod('10.244.1.9', { namespace: 'other' }))
  const from = [{ namespaceSelector: { matchLabels: { team: 'b' } } }]
  state.setPolicy('shop/p', policy({ podSelector: {}, ingress: [{ from }] }))
  const [set] = [...state.takeAll().sets!.keys()]
  state.setNamespace('other', { team: 'b' })
  assert.deepEqual(state.takeChange(), [`add element ip aksel-policy ${set} { 10.244.1.9 }`])
  state.setNamespace('other', undefined)
  assert.deepEqual(state.takeChange(), [`delete element ip aksel-policy ${set} { 10.244.1.9 }`])
})

test('the policies that let a conversation pass are named: by peer, port, range and engine, for pods of this node', () => {
  const web = { podSelector: { matchLabels: { app: 'web' } } }
  const rules: Readonly<Record<string, NetworkPolicySpec>> = {
    peers: { podSelector: {}, policyTypes: ['Ingress'], ingress: [{ from: [web], ports: [{ port: 'http' }] }] },
    spaces: {
      podSelector: {},
      policyTypes: ['Ingress'],
      ingress: [{ from: [{ namespaceSelector: { matchLabels: { team: 'b' } } }] }],
    },
    ranges: {
      podSelector: {},
      policyTypes: ['Ingress'],
      ingress: [
        { from: [{ ipBlock: { cidr: '10.0.0.0/8', except: ['10.9.0.0/16'] } }], ports: [{ port: 80, endPort: 90 }] },
      ],
    },
    others: { podSelector: { matchLabels: { app: 'db' } }, policyTypes: ['Ingress'], ingress: [{}] },
    out: { podSelector: {}, policyTypes: ['Egress'], egress: [{ to: [web], ports: [{ protocol: 'UDP', port: 53 }] }] },
  }
  const stateOf = (engine: 'calico' | 'cilium'): PolicyState => {
    const state = new PolicyState(engine)
    state.setNamespace('shop', {})
    state.setNamespace('other', { team: 'b' })
    state.setNode('n', '10.224.0.4')
    const namedPorts = [{ name: 'http', protocol: 'tcp', port: 8080 }] as const
    state.setPod('own', pod('10.244.0.2', { isLocal: true, labels: { app: 'api' }, namedPorts }))
    state.setPod('web', pod('10.244.1.2'))
    state.setPod('other', pod('10.244.1.3', { namespace: 'other' }))
    for (const [name, spec] of Object.entries(rules)) state.setPolicy(`shop/${name}`, policy(spec))
    return state
  }
  const into = (source: string, port: number, engine: 'calico' | 'cilium' = 'calico'): readonly string[] =>
    stateOf(engine).allowedBy('ingress', { source, destination: '10.244.0.2', to: { protocol: 'tcp', port } })
  assert.deepEqual(into('10.244.1.2', 8080), ['shop/peers'])
  assert.deepEqual(into('10.244.1.2', 85), ['shop/ranges'])
  assert.deepEqual(into('10.244.1.2', 85, 'cilium'), [], 'ranges mean no pods')
  assert.deepEqual(into('10.224.0.4', 85, 'cilium'), [], 'and no nodes')
  assert.deepEqual(into('10.1.1.1', 85, 'cilium'), ['shop/ranges'])
  assert.deepEqual(into('10.9.1.1', 85), [])
  assert.deepEqual(into('10.244.1.3', 80), ['shop/spaces', 'shop/ranges'])
  const out = { source: '10.244.0.2', destination: '10.244.1.2' }
  assert.deepEqual(stateOf('calico').allowedBy('egress', { ...out, to: { protocol: 'udp', port: 53 } }), ['shop/out'])
  assert.deepEqual(stateOf('calico').allowedBy('egress', { ...out, to: { protocol: 'tcp', port: 53 } }), [])
  assert.deepEqual(stateOf('calico').allowedBy('ingress', out), [], 'that pod is on another node')
})

test('what exceptions leave of a range', () => {
  const without = (cidr: string, ...excepts: string[]) =>
    intervalsWithout(
      parseRange(cidr)!,
      excepts.map((text) => parseRange(text)!),
    )
  assert.deepEqual(without('10.0.0.0/24'), ['10.0.0.0-10.0.0.255'])
  assert.deepEqual(without('10.0.0.0/24', '10.0.0.128/25', '10.0.0.0/31'), ['10.0.0.2-10.0.0.127'])
  assert.deepEqual(without('0.0.0.0/0', '255.255.255.255/32'), ['0.0.0.0-255.255.255.254'])
  assert.deepEqual(without('10.0.0.0/24', '10.0.0.0/16'), [])
})
