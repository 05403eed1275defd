// Which serving certificates nodes get without a person: their own names and addresses, and nobody else's.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { CertificateSigningRequest } from '@aksel/api/types/certificates-v1'
import type { Node } from '@aksel/api/types/core-v1'
import type { RequestedIdentity } from '@aksel/runtime/certificate-requests'
import { judgeServing } from './serving.ts'

const identity: RequestedIdentity = {
  commonName: 'system:node:a',
  organizations: ['system:nodes'],
  dnsNames: ['a'],
  ipAddresses: ['10.0.0.1'],
  emailAddresses: [],
  uris: [],
}
const request: CertificateSigningRequest = {
  metadata: { name: 'csr-1' },
  spec: {
    request: '',
    signerName: 'kubernetes.io/kubelet-serving',
    username: 'system:node:a',
    groups: ['system:nodes', 'system:authenticated'],
    usages: ['digital signature', 'server auth'],
  },
}
const node: Node = {
  metadata: { name: 'a' },
  spec: {},
  status: {
    addresses: [
      { type: 'InternalIP', address: '10.0.0.1' },
      { type: 'Hostname', address: 'a' },
    ],
  },
}

const cases: readonly (readonly [why: string, kind: string, parts: Partial<RequestedIdentity>, spec?: object])[] = [
  ['its own name and address', 'approve', {}],
  ['its address alone', 'approve', { dnsNames: [] }],
  ['an address that it has not', 'leave', { ipAddresses: ['10.0.0.1', '10.0.0.2'] }],
  ['a name of somebody else', 'leave', { dnsNames: ['kubernetes.default'] }],
  ['an address as a name', 'leave', { dnsNames: ['10.0.0.1'] }],
  ['another node asks', 'leave', {}, { username: 'system:node:b' }],
  ['no node asks', 'leave', {}, { groups: ['system:authenticated'] }],
  ['for a client', 'leave', {}, { usages: ['digital signature', 'client auth'] }],
  ['of no node', 'leave', { commonName: 'a' }, { username: 'a' }],
]

for (const [why, kind, parts, spec] of cases) {
  test(`serving certificates: ${why}`, () => {
    const asked = { ...request, spec: { ...request.spec, ...spec } }
    assert.equal(judgeServing(asked, { ...identity, ...parts }, node).kind, kind)
  })
}

test('serving certificates: a node that has not said what it is waits', () => {
  assert.equal(judgeServing(request, identity, undefined).kind, 'wait')
  assert.equal(judgeServing(request, identity, { metadata: { name: 'a' }, spec: {} }).kind, 'wait')
})
