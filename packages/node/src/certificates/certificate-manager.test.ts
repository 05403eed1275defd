// A node's certificate over its life: asked for, waited for, kept, renewed in time.

import assert from 'node:assert/strict'
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { certificateSigningRequests } from '@aksel/api/resources'
import type { CertificateSigningRequest } from '@aksel/api/types/certificates-v1'
import { createAuthority, issue, type KeyPair } from '@aksel/runtime/pki'
import { FakeClient } from '@aksel/testing/fake-client'
import { testScope, type TestScope } from '@aksel/testing/test-scope'
import { CertificateManager, type Certificate } from './certificate-manager.ts'
import { rotationDueMs } from './rotation.ts'

const DAY_MS = 86_400_000
const wanted = { commonName: 'system:node:n1', organizations: ['system:nodes'] }

interface Given {
  readonly scope: TestScope
  readonly client: FakeClient
  readonly file: string
  readonly renewed: Certificate[]
  readonly renewedOnce: Promise<void>
  readonly manager: CertificateManager
  readonly certificate: (days: number) => Promise<KeyPair>
  readonly answer: (status: CertificateSigningRequest['status']) => Promise<CertificateSigningRequest>
}

async function withManager(work: (given: Given) => Promise<void>): Promise<void> {
  using scope = testScope()
  const directory = await mkdtemp(join(tmpdir(), 'aksel-pki-'))
  try {
    const client = new FakeClient(scope)
    const authority = await createAuthority(scope, { commonName: 'ca', years: 30 })
    const file = join(directory, 'kubelet-client-current.pem')
    const renewed: Certificate[] = []
    const first = Promise.withResolvers<void>()
    const manager = new CertificateManager({
      file,
      signerName: 'kubernetes.io/kube-apiserver-client-kubelet',
      wanted,
      client: () => client,
      makeRequest: async () => ({ requestPem: 'REQUEST', keyPem: '-----BEGIN PRIVATE KEY-----\nk\n' }),
      onRenewed: (certificate) => {
        renewed.push(certificate)
        first.resolve()
      },
    })
    const answered = new Set<string>()
    const answer: Given['answer'] = async (status) => {
      const isOpen = ({ metadata }: CertificateSigningRequest): boolean => !answered.has(metadata.name)
      const open = client.peekAll(certificateSigningRequests).find(isOpen) ?? (await next(client, isOpen))
      answered.add(open.metadata.name)
      await client.update(certificateSigningRequests, { ...open, ...(status && { status }) }, { subresource: 'status' })
      return open
    }
    const certificate = (days: number): Promise<KeyPair> =>
      issue(scope, authority, { ...wanted, usages: ['client'], days })
    await work({ scope, client, file, renewed, renewedOnce: first.promise, manager, certificate, answer })
  } finally {
    await rm(directory, { recursive: true })
  }
}

async function next(
  client: FakeClient,
  isWanted: (request: CertificateSigningRequest) => boolean,
): Promise<CertificateSigningRequest> {
  const signal = AbortSignal.timeout(30_000)
  for await (const { object } of client.watch(certificateSigningRequests, { signal }))
    if (isWanted(object)) return object
  throw new Error('nobody asked')
}

const base64 = ({ certificatePem }: KeyPair): string => Buffer.from(certificatePem).toString('base64')

test('a node without a certificate asks for one, waits until it is signed, and keeps it with its key', () =>
  withManager(async ({ scope, file, renewed, manager, certificate, answer }) => {
    assert.equal(await manager.load(scope), undefined)
    const obtained = manager.obtain(scope)
    const pair = await certificate(1)
    const asked = await answer({ certificate: base64(pair) })
    assert.equal((await obtained).certPem, pair.certificatePem)
    assert.deepEqual(asked.spec, {
      request: Buffer.from('REQUEST').toString('base64'),
      signerName: 'kubernetes.io/kube-apiserver-client-kubelet',
      usages: ['digital signature', 'client auth'],
    })
    assert.match(asked.metadata.name, /^csr-/)
    assert.equal(await readFile(file, 'utf8'), `${pair.certificatePem}-----BEGIN PRIVATE KEY-----\nk\n`)
    assert.equal(renewed.length, 1)
    assert.equal((await manager.load(scope))?.certPem, pair.certificatePem, 'the next agent takes it up')
  }))

test('a request that is denied is asked again after a while', () =>
  withManager(async ({ scope, manager, certificate, answer }) => {
    const obtained = manager.obtain(scope)
    await answer({ conditions: [{ type: 'Denied', status: 'True', reason: 'No', message: 'not you' }] })
    while (!scope.lines.some(({ message }) => message === 'no certificate was given')) await scope.clock.run(1)
    await scope.clock.run(2_000)
    const pair = await certificate(1)
    await answer({ certificate: base64(pair) })
    assert.equal((await obtained).certPem, pair.certificatePem)
  }))

test('a certificate is renewed between 70 and 90 % of its life, and one that ran out is not taken up', () =>
  withManager(async ({ scope, client, file, renewedOnce, manager, certificate, answer }) => {
    const first = await certificate(100)
    await writeFile(file, first.certificatePem + first.keyPem)
    assert.equal((await manager.load(scope))?.certPem, first.certificatePem)
    const running = manager.run(scope)
    await scope.clock.run(69 * DAY_MS)
    assert.deepEqual(client.peekAll(certificateSigningRequests), [], 'it is young')
    let waitedMs = 0
    for (; client.peekAll(certificateSigningRequests).length === 0; waitedMs += 600_000) await scope.clock.run(600_000)
    assert.ok(waitedMs < 22 * DAY_MS, 'it is not too late')
    const second = await certificate(100)
    await answer({ certificate: base64(second) })
    await renewedOnce
    assert.equal(manager.current?.certPem, second.certificatePem)
    scope.abort()
    await running
    await scope.clock.run(101 * DAY_MS)
    assert.equal(await manager.load(scope), undefined)
  }))

test('rotationDueMs() spreads nodes that were made together', () => {
  const validity = { notBeforeMs: 1000, notAfterMs: 2000 }
  assert.deepEqual(
    [0, 0.5, 1].map((chance) => Math.round(rotationDueMs(validity, chance))),
    [1700, 1800, 1900],
  )
})
