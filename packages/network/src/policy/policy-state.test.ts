// What a change of one pod, namespace or policy sends to the kernel: no more than it touches.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { NetworkPolicySpec } from '@aksel/api/types/networking-v1'
import { intervalsWithout, parseRange } from '@aksel/base/ipv4'
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

test('what exceptions leave of a range', () => {
  const without = (cidr: string, ...excepts: string[]) => intervalsWithout(parseRange(cidr), excepts.map(parseRange))
  assert.deepEqual(without('10.0.0.0/24'), ['10.0.0.0-10.0.0.255'])
  assert.deepEqual(without('10.0.0.0/24', '10.0.0.128/25', '10.0.0.0/31'), ['10.0.0.2-10.0.0.127'])
  assert.deepEqual(without('0.0.0.0/0', '255.255.255.255/32'), ['0.0.0.0-255.255.255.254'])
  assert.deepEqual(without('10.0.0.0/24', '10.0.0.0/16'), [])
})
