// What the built-in signers accept, row by row.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { RequestedIdentity } from '@aksel/runtime/certificate-requests'
import {
  clientSigner,
  durationMs,
  goneAtMs,
  kubeletClientSigner,
  kubeletServingSigner,
  legacySigner,
  recognitions,
  refusal,
} from './rules.ts'

const none = { organizations: [], dnsNames: [], ipAddresses: [], emailAddresses: [], uris: [] }
const node: RequestedIdentity = { ...none, commonName: 'system:node:n1', organizations: ['system:nodes'] }
const served: RequestedIdentity = { ...node, dnsNames: ['n1'] }
const person: RequestedIdentity = { ...none, commonName: 'jane', organizations: ['dev'] }
const client = ['digital signature', 'key encipherment', 'client auth']
const server = ['digital signature', 'key encipherment', 'server auth']

const rows: readonly (readonly [
  why: string,
  signer: string,
  RequestedIdentity,
  usages: readonly string[],
  refused: string | undefined,
])[] = [
  ['a person', clientSigner, person, client, undefined],
  ['the purpose alone', clientSigner, person, ['client auth'], undefined],
  [
    'no purpose',
    clientSigner,
    person,
    ['digital signature'],
    'invalid usages for client certificate: [digital signature]',
  ],
  ['a server', clientSigner, person, server, `invalid usages for client certificate: [${server.join(' ')}]`],
  ['a node', kubeletClientSigner, node, client, undefined],
  ['a node without an RSA key', kubeletClientSigner, node, ['digital signature', 'client auth'], undefined],
  ['another group', kubeletClientSigner, person, client, 'subject organization is not system:nodes'],
  [
    'one group more',
    kubeletClientSigner,
    { ...node, organizations: ['system:nodes', 'system:masters'] },
    client,
    'subject organization is not system:nodes',
  ],
  ['DNS names', kubeletClientSigner, served, client, 'DNS subjectAltNames are not allowed'],
  ['mail', kubeletClientSigner, { ...node, emailAddresses: ['a@b'] }, client, 'Email subjectAltNames are not allowed'],
  [
    'addresses',
    kubeletClientSigner,
    { ...node, ipAddresses: ['10.0.0.1'] },
    client,
    'IP subjectAltNames are not allowed',
  ],
  ['URIs', kubeletClientSigner, { ...node, uris: ['spiffe://x'] }, client, 'URI subjectAltNames are not allowed'],
  [
    'no node name',
    kubeletClientSigner,
    { ...node, commonName: 'n1' },
    client,
    'subject common name does not begin with system:node:',
  ],
  [
    'usages of a server',
    kubeletClientSigner,
    node,
    server,
    'usages did not match [client auth digital signature key encipherment]',
  ],
  ['a serving node', kubeletServingSigner, served, server, undefined],
  ['a serving node by address', kubeletServingSigner, { ...node, ipAddresses: ['10.0.0.1'] }, server, undefined],
  ['no name to serve', kubeletServingSigner, node, server, 'at least one DNS or IP subjectAltName is required'],
  [
    'usages of a client',
    kubeletServingSigner,
    served,
    client,
    'usages did not match [digital signature key encipherment server auth]',
  ],
  ['anything', legacySigner, person, ['any'], undefined],
]

for (const [why, signer, identity, usages, refused] of rows) {
  test(`${signer} and ${why}: ${refused ?? 'signed'}`, () => {
    assert.equal(refusal(signer, identity, usages), refused)
  })
}

const spec = { request: '', signerName: kubeletClientSigner, usages: client, username: 'system:node:n1' }

test('a node is recognized for itself and for every node, another requester only for the latter, a person never', () => {
  const names = (username: string, identity: RequestedIdentity): readonly string[] =>
    recognitions({ metadata: { name: 'r' }, spec: { ...spec, username } }, identity).map(
      ({ subresource }) => subresource,
    )
  assert.deepEqual(names('system:node:n1', node), ['selfnodeclient', 'nodeclient'])
  assert.deepEqual(names('bootstrapper', node), ['nodeclient'])
  assert.deepEqual(names('jane', person), [])
})

test('a certificate holds as long as was asked, ten minutes at least and a year at most', () => {
  const asked = (expirationSeconds?: number): number =>
    durationMs({
      metadata: { name: 'r' },
      spec: { ...spec, ...(expirationSeconds === undefined ? {} : { expirationSeconds }) },
    })
  assert.deepEqual(
    [asked(), asked(1), asked(3600), asked(10 ** 9)].map((ms) => ms / 1000),
    [31_536_000, 600, 3600, 31_536_000],
  )
})

test('a request goes a day after it came, an hour after it was decided, or when its certificate ends', () => {
  const made = { name: 'r', creationTimestamp: '2026-01-01T00:00:00Z' }
  const decided = (type: string) => ({
    metadata: made,
    spec,
    status: { conditions: [{ type, status: 'True', lastUpdateTime: '2026-01-01T02:00:00Z' }] },
  })
  const goes = (...args: Parameters<typeof goneAtMs>): string | undefined => {
    const ms = goneAtMs(...args)
    return ms === undefined ? undefined : new Date(ms).toISOString()
  }
  assert.equal(goes({ metadata: made, spec }, undefined), '2026-01-02T00:00:00.000Z')
  for (const type of ['Approved', 'Denied', 'Failed'])
    assert.equal(goes(decided(type), undefined), '2026-01-01T03:00:00.000Z')
  assert.equal(goes(decided('Approved'), Date.parse('2026-01-01T02:30:00Z')), '2026-01-01T02:30:00.000Z')
  assert.equal(goes({ metadata: { name: 'r' }, spec }, undefined), undefined)
})
