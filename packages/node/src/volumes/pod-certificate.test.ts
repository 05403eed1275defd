// A pod's certificate over its life: asked for in each minor's form, waited for, kept, renewed in time, refused for good.

import assert from 'node:assert/strict'
import { constants, createPublicKey, verify } from 'node:crypto'
import { test } from 'node:test'
import { nodes, serviceAccounts } from '@aksel/api/resources'
import type { PodCertificateRequest } from '@aksel/api/types/certificates-v1beta1'
import type { Pod } from '@aksel/api/types/core-v1'
import { createAuthority, issue } from '@aksel/runtime/pki'
import { FakeClient } from '@aksel/testing/fake-client'
import { testScope, type TestScope } from '@aksel/testing/test-scope'
import { createPodKey } from './certificate-key.ts'
import { parseCredential, PodCertificates, requestsOf } from './pod-certificate.ts'
import type { CertificateHost, Credential } from './pod-certificate.ts'

const MINUTE_MS = 60_000
const HOUR_MS = 60 * MINUTE_MS
const pod: Pod = {
  metadata: { name: 'web', namespace: 'shop', uid: 'pod-uid' },
  spec: { serviceAccountName: 'web', containers: [{ name: 'c', image: 'i' }] },
}
const projection = { signerName: 'example.com/mesh', keyType: 'ECDSAP256', maxExpirationSeconds: 7200 }

interface Given {
  readonly scope: TestScope
  readonly client: FakeClient
  readonly told: string[]
  readonly requests: () => readonly PodCertificateRequest[]
  /** Of an agent that has just started. */
  readonly restarted: () => void
  readonly ask: (written?: Credential) => Promise<Credential & { readonly refreshAtMs: number }>
  readonly answer: (status: PodCertificateRequest['status']) => Promise<void>
  /** Valid for two hours, to be renewed after one. */
  readonly issued: () => Promise<NonNullable<PodCertificateRequest['status']>>
}

async function given(work: (given: Given) => Promise<void>, minor = '1.36', userAnnotations = {}): Promise<void> {
  using scope = testScope()
  const client = new FakeClient(scope)
  await client.create(serviceAccounts, { metadata: { name: 'web', namespace: 'shop' } })
  await client.create(nodes, { metadata: { name: 'n1' }, spec: {} })
  const told: string[] = []
  const host: CertificateHost = {
    client,
    nodeName: 'n1',
    minor,
    tell: (_pod, { reason, message }) => void told.push(`${reason}: ${message}`),
  }
  const authority = await createAuthority(scope, { commonName: 'mesh', years: 1 })
  const requests = (): readonly PodCertificateRequest[] => client.peekAll(requestsOf(minor))
  let certificates = new PodCertificates()
  const time = (ms: number): string => new Date(ms).toISOString()
  await work({
    scope,
    client,
    told,
    requests,
    restarted: () => (certificates = new PodCertificates()),
    ask: (written) =>
      certificates.credential(scope, host, {
        pod,
        projection: { ...projection, userAnnotations },
        key: 'identity/0',
        requests: requests(),
        written: () => Promise.resolve(written),
      }),
    async answer(status) {
      const open = requests().at(-1)!
      await client.update(requestsOf(minor), { ...open, status: status! }, { subresource: 'status' })
    },
    async issued() {
      const { certificatePem } = await issue(scope, authority, { commonName: 'web', usages: ['client'], days: 1 })
      const now = scope.clock.now()
      return {
        conditions: [{ type: 'Issued', status: 'True', reason: 'r', message: '', lastTransitionTime: time(now) }],
        certificateChain: `# the pod's\n${certificatePem}\n${authority.certificatePem}`,
        notBefore: time(now),
        beginRefreshAt: time(now + HOUR_MS),
        notAfter: time(now + 2 * HOUR_MS),
      }
    },
  })
}

const conditionOf = (type: string) => ({
  conditions: [
    { type, status: 'True', reason: 'Because', message: 'no', lastTransitionTime: new Date(0).toISOString() },
  ],
})

test('a certificate is asked for once, waited for in upstream’s words, and comes with the key of its request', () =>
  given(async ({ ask, answer, issued, requests, scope }) => {
    await assert.rejects(ask(), { message: 'credential bundle is not issued yet' })
    await assert.rejects(ask(), { message: 'credential bundle is not issued yet' })
    assert.equal(requests().length, 1)
    const [{ metadata, spec }] = requests() as [PodCertificateRequest]
    assert.equal(metadata.ownerReferences?.[0]?.uid, 'pod-uid')
    assert.match(metadata.name, /^req-/)
    assert.deepEqual(
      [spec.signerName, spec.podName, spec.podUID, spec.serviceAccountName, spec.nodeName, spec.maxExpirationSeconds],
      ['example.com/mesh', 'web', 'pod-uid', 'web', 'n1', 7200],
    )
    assert.ok(spec.serviceAccountUID !== '' && spec.nodeUID !== '')
    const status = await issued()
    await answer(status)
    const { keyPem, chainPem, refreshAtMs } = await ask()
    assert.equal(chainPem.match(/BEGIN CERTIFICATE/g)?.length, 2)
    assert.doesNotMatch(chainPem, /#/)
    const { Pkcs10CertificateRequest } = await import('@peculiar/x509')
    const asked = new Pkcs10CertificateRequest(Buffer.from(spec.stubPKCS10Request!, 'base64'))
    const own = createPublicKey(keyPem).export({ type: 'spki', format: 'der' })
    assert.deepEqual(Buffer.from(asked.publicKey.rawData), own)
    assert.equal(await asked.verify(), true)
    assert.equal(asked.subject, '')
    const early = Date.parse(status.beginRefreshAt!)
    assert.ok(refreshAtMs >= early && refreshAtMs < early + 5 * MINUTE_MS)
    assert.ok(refreshAtMs > scope.clock.now())
  }))

test('it is renewed in time with a new key, the old one serving meanwhile; what is late or over is said once', () =>
  given(async ({ ask, answer, issued, requests, scope, told }) => {
    await ask().catch(() => {})
    await answer(await issued())
    const first = await ask()
    scope.clock.advance(first.refreshAtMs - scope.clock.now())
    const meanwhile = await ask()
    assert.equal(requests().length, 2)
    assert.equal(meanwhile.keyPem, first.keyPem)
    scope.clock.advance(meanwhile.refreshAtMs - scope.clock.now())
    const late = await ask()
    scope.clock.advance(late.refreshAtMs - scope.clock.now())
    await ask()
    scope.clock.advance(2 * HOUR_MS)
    await ask()
    await ask()
    assert.deepEqual(told, [
      'CertificateOverdueForRefresh: PodCertificate refresh overdue',
      'CertificateExpired: PodCertificate expired',
    ])
  }))

test('the answer of a renewal takes the place of what was', () =>
  given(async ({ ask, answer, issued, scope }) => {
    await ask().catch(() => {})
    await answer(await issued())
    const first = await ask()
    scope.clock.advance(HOUR_MS + 5 * MINUTE_MS)
    await ask()
    await answer(await issued())
    const second = await ask()
    assert.notEqual(second.keyPem, first.keyPem)
    assert.notEqual(second.chainPem, first.chainPem)
    assert.ok(second.refreshAtMs > scope.clock.now())
  }))

test('a refusal is for good, with an event', async () => {
  for (const [type, said] of [
    ['Denied', 'was denied'],
    ['Failed', 'failed'],
  ] as const) {
    await given(async ({ ask, answer, requests, told }) => {
      await ask().catch(() => {})
      await answer(conditionOf(type))
      const message = `PodCertificateRequest was permanently ${type.toLowerCase()}: reason="Because" message="no"`
      await assert.rejects(ask(), { message })
      await assert.rejects(ask(), { message })
      assert.equal(requests().length, 1)
      const name = `shop/${requests()[0]!.metadata.name}`
      assert.deepEqual(told, [`${type}: PodCertificateRequest ${name} ${said}, reason="Because", message="no"`])
    })
  }
})

test('a request that somebody deleted is made again, once it cannot be on its way any more', () =>
  given(async ({ ask, client, requests, scope }) => {
    await ask().catch(() => {})
    const [{ metadata }] = requests() as [PodCertificateRequest]
    await client.delete(requestsOf('1.36'), { namespace: 'shop', name: metadata.name })
    await ask().catch(() => {})
    assert.equal(requests().length, 0)
    scope.clock.advance(16 * MINUTE_MS)
    await ask().catch(() => {})
    assert.equal(requests().length, 1)
  }))

test('what an agent before wrote serves until the next one comes', () =>
  given(async ({ ask, answer, issued, restarted, requests }) => {
    await ask().catch(() => {})
    await answer(await issued())
    const before = await ask()
    restarted()
    const text = before.keyPem + before.chainPem
    const written = parseCredential([text])
    assert.deepEqual(written, { keyPem: before.keyPem, chainPem: before.chainPem })
    assert.deepEqual(parseCredential([before.keyPem, before.chainPem]), written)
    assert.equal(parseCredential(['', before.chainPem]), undefined)
    assert.equal((await ask(written)).keyPem, before.keyPem)
    assert.equal(requests().length, 2)
    await answer(await issued())
    assert.notEqual((await ask(written)).keyPem, before.keyPem)
  }))

test('older minors ask with the key and a proof of it, and notes of the pod come since 1.35', async () => {
  const notes = { 'example.com/use': 'tls' }
  const specOf = async (minor: string): Promise<PodCertificateRequest['spec']> => {
    let spec: PodCertificateRequest['spec'] | undefined
    await given(
      async ({ ask, requests }) => {
        await ask().catch(() => {})
        spec = requests()[0]!.spec
      },
      minor,
      notes,
    )
    return spec!
  }
  for (const minor of ['1.34', '1.35']) {
    const {
      pkixPublicKey = '',
      proofOfPossession = '',
      stubPKCS10Request,
      unverifiedUserAnnotations,
    } = await specOf(minor)
    const key = createPublicKey({ key: Buffer.from(pkixPublicKey, 'base64'), type: 'spki', format: 'der' })
    assert.ok(verify('sha256', Buffer.from('pod-uid'), key, Buffer.from(proofOfPossession, 'base64')))
    assert.deepEqual([stubPKCS10Request, unverifiedUserAnnotations], [undefined, minor === '1.34' ? undefined : notes])
  }
  const { pkixPublicKey, stubPKCS10Request, unverifiedUserAnnotations } = await specOf('1.36')
  assert.deepEqual([pkixPublicKey, unverifiedUserAnnotations], [undefined, notes])
  assert.ok(stubPKCS10Request !== undefined)
})

test('an API that does not serve requests is said so', () =>
  given(async ({ scope, client }) => {
    const host = { client, nodeName: 'n1', minor: '1.36', tell: () => {} }
    const question = {
      pod,
      projection,
      key: 'identity/0',
      requests: undefined,
      written: () => Promise.resolve(undefined),
    }
    await assert.rejects(new PodCertificates().credential(scope, host, question), /does not serve them in this cluster/)
  }))

test('every type of key proves that the pod has it, in both forms', async () => {
  const { Pkcs10CertificateRequest } = await import('@peculiar/x509')
  const types = ['ECDSAP256', 'ECDSAP384', 'ECDSAP521', 'ED25519', 'RSA3072']
  for (const keyType of types) {
    const { publicKey, proof, stubRequest, keyPem } = await createPodKey(keyType, 'uid')
    const key = createPublicKey({ key: publicKey, type: 'spki', format: 'der' })
    const padding = { key, padding: constants.RSA_PKCS1_PSS_PADDING }
    const isSigned = keyType.startsWith('RSA')
      ? verify('sha256', Buffer.from('uid'), padding, proof)
      : verify(keyType === 'ED25519' ? undefined : 'sha256', Buffer.from('uid'), key, proof)
    assert.ok(isSigned, keyType)
    assert.match(keyPem, /^-----BEGIN PRIVATE KEY-----/)
    const request = new Pkcs10CertificateRequest(await stubRequest())
    assert.equal(await request.verify(), true, keyType)
    assert.deepEqual(Buffer.from(request.publicKey.rawData), publicKey, keyType)
  }
  await assert.rejects(createPodKey('RSA512', 'uid'), /unknown key type "RSA512"/)
})
