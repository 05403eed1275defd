// SCTP in policies and services, as rules and rows: what the kernel makes of them needs sockets of SCTP, which few kernels have.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { NetworkPolicySpec } from '@aksel/api/types/networking-v1'
import { compileService } from '../service-proxy/compile.ts'
import { endpoint, service, slice } from '../testing/objects.ts'
import { compilePolicy } from './compile.ts'

const signalling = { protocol: 'SCTP', port: 38_412 } as const

test('a policy lets SCTP through by port, by range and whole, and never by a rule for TCP', () => {
  const ingressOf = (ports: NonNullable<NetworkPolicySpec['ingress']>[number]['ports']): unknown =>
    compilePolicy(
      { metadata: { namespace: 'core', name: 'p' }, spec: { podSelector: {}, ingress: [{ ports: ports! }] } },
      'calico',
    ).ingress
  assert.deepEqual(ingressOf([signalling]), ['sctp dport { 38412 } accept'])
  assert.deepEqual(ingressOf([{ ...signalling, endPort: 38_419 }, { port: 38_412 }]), [
    'sctp dport { 38412-38419 } accept',
    'tcp dport { 38412 } accept',
  ])
  assert.deepEqual(ingressOf([{ protocol: 'SCTP' }]), ['meta l4proto sctp accept'])
})

test('a service has rows of its own for SCTP beside TCP at the same port', () => {
  const ports = (['SCTP', 'TCP'] as const).map((protocol) => ({ name: protocol.toLowerCase(), port: 38_412, protocol }))
  const { rows } = compileService(
    service('amf', { clusterIP: '10.0.0.90', ports }),
    [slice('amf', [endpoint('10.244.0.5')], ports)],
    { node: { name: 'n1' }, nodeAddresses: ['10.224.0.4'], servedHere: [] },
  )
  const backends = rows.filter(({ map }) => map === 'backends').map(({ key, value }) => `${key} -> ${value}`)
  assert.deepEqual(backends, [
    '10.0.0.90 . sctp . 38412 . 0x0 -> 10.244.0.5 . 38412',
    '10.0.0.90 . tcp . 38412 . 0x0 -> 10.244.0.5 . 38412',
  ])
})
