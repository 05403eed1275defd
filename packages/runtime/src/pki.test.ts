// Certificates are judged here by Node's own TLS code, which shares nothing with the library that made them.

import assert from 'node:assert/strict'
import { createPrivateKey, X509Certificate } from 'node:crypto'
import { test } from 'node:test'
import { systemClock } from '@aksel/base/clock'
import { systemRandom } from '@aksel/base/ids'
import { silentLog } from '@aksel/base/log'
import type { Scope } from '@aksel/base/scope'
import { createAuthority, createServiceAccountKey, issue } from './pki.ts'

function testScope(nowMs: number): Scope {
  const clock = { ...systemClock(), now: () => nowMs }
  return { clock, random: systemRandom(), log: silentLog(), signal: new AbortController().signal }
}

const nowMs = Date.parse('2026-05-01T12:00:00Z')

test('issue() makes a certificate that its authority signed, with the names, groups and usages asked for', async () => {
  const scope = testScope(nowMs)
  const authority = await createAuthority(scope, { commonName: 'ca', years: 30 })
  const pair = await issue(scope, authority, {
    commonName: 'system:node:aks-1',
    organizations: ['system:nodes', 'aksel'],
    dnsNames: ['aks-1', 'localhost'],
    ipAddresses: ['10.0.0.1', '::1'],
    usages: ['client', 'server'],
    days: 365,
  })
  const ca = new X509Certificate(authority.certificatePem)
  const leaf = new X509Certificate(pair.certificatePem)
  assert.equal(ca.ca, true)
  assert.equal(leaf.ca, false)
  assert.ok(leaf.checkIssued(ca))
  assert.ok(leaf.verify(ca.publicKey))
  assert.ok(leaf.checkPrivateKey(createPrivateKey(pair.keyPem)))
  assert.equal(leaf.subject, 'O=system:nodes\nO=aksel\nCN=system:node:aks-1')
  assert.equal(leaf.subjectAltName, 'DNS:aks-1, DNS:localhost, IP Address:10.0.0.1, IP Address:0:0:0:0:0:0:0:1')
  assert.deepEqual(leaf.keyUsage, ['1.3.6.1.5.5.7.3.2', '1.3.6.1.5.5.7.3.1'])
})

test('issue() begins five minutes back and never outlives the authority', async () => {
  const scope = testScope(nowMs)
  const authority = await createAuthority(scope, { commonName: 'ca', years: 1 })
  const pair = await issue(scope, authority, { commonName: 'c', usages: ['client'], days: 4000 })
  const leaf = new X509Certificate(pair.certificatePem)
  assert.equal(Date.parse(leaf.validFrom), nowMs - 300_000)
  assert.equal(leaf.validTo, new X509Certificate(authority.certificatePem).validTo)
  assert.equal(leaf.subjectAltName, undefined)
})

test('createServiceAccountKey() makes a P-256 key whose id is the thumbprint of its public half', async () => {
  const key = await createServiceAccountKey()
  assert.equal(createPrivateKey(key.privateKeyPem).asymmetricKeyDetails?.namedCurve, 'prime256v1')
  assert.match(key.keyId, /^[\w-]{43}$/)
  assert.match(key.publicKeyPem, /^-----BEGIN PUBLIC KEY-----\n/)
})
