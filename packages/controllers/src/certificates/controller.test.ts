// Requests for certificates on a cluster in memory: approved, signed and taken away.

import assert from 'node:assert/strict'
import { X509Certificate } from 'node:crypto'
import { before, test } from 'node:test'
import { certificateSigningRequests } from '@aksel/api/resources'
import type { CertificateSigningRequest } from '@aksel/api/types/certificates-v1'
import { createRequest } from '@aksel/runtime/certificate-requests'
import { createAuthority, type KeyPair } from '@aksel/runtime/pki'
import { settled } from '@aksel/testing/simulated-clock'
import { testScope } from '@aksel/testing/test-scope'
import { killEverywhere, TestCluster } from '../testing/cluster.ts'
import type { MakeLoops } from '../testing/cluster.ts'
import { certificateApprovingController } from './approve.ts'
import { certificateCleaner } from './clean.ts'
import { clientSigner, kubeletClientSigner } from './rules.ts'
import { certificateSigningController } from './sign.ts'

let authority: KeyPair
let nodeRequest: string
before(async () => {
  authority = await createAuthority(testScope(), { commonName: 'ca', years: 30 })
  const made = await createRequest({ commonName: 'system:node:n1', organizations: ['system:nodes'] })
  nodeRequest = Buffer.from(made.requestPem).toString('base64')
})

const loops: MakeLoops = (parts) => [
  certificateApprovingController(parts),
  certificateSigningController({ ...parts, authority }),
  certificateCleaner(parts),
]

const usages = ['digital signature', 'client auth']

function asked(spec: Partial<CertificateSigningRequest['spec']> = {}): CertificateSigningRequest {
  return {
    metadata: { name: 'r' },
    spec: { request: nodeRequest, signerName: kubeletClientSigner, usages, username: 'system:node:n1', ...spec },
  }
}

/** Work with keys takes real time: the request is watched until it shows what is wanted. */
async function until(
  cluster: TestCluster,
  isThere: (now: CertificateSigningRequest) => boolean,
): Promise<CertificateSigningRequest> {
  const known = cluster.client.peek(certificateSigningRequests, 'r')
  if (known !== undefined && isThere(known)) return known
  const signal = AbortSignal.timeout(30_000)
  for await (const { object } of cluster.client.watch(certificateSigningRequests, { signal }))
    if (isThere(object)) return object
  throw new Error(`Not seen: ${JSON.stringify(cluster.client.peek(certificateSigningRequests, 'r')?.status)}`)
}

const allows = (allowed: boolean) => ({ respond: () => ({ status: { allowed } }) })
const approved = [{ type: 'Approved', status: 'True' }]

test('a node that may have one gets its certificate without a person', async () => {
  await using cluster = new TestCluster(loops)
  cluster.start(allows(true))
  await cluster.client.create(certificateSigningRequests, asked())
  const issued = await until(cluster, (now) => now.status?.certificate !== undefined)
  const [condition] = issued.status!.conditions!
  assert.equal(condition!.reason, 'AutoApproved')
  assert.equal(condition!.message, 'Auto approving self kubelet client certificate after SubjectAccessReview.')
  const certificate = new X509Certificate(Buffer.from(issued.status!.certificate!, 'base64'))
  assert.equal(certificate.subject, 'O=system:nodes\nCN=system:node:n1')
  assert.ok(certificate.verify(new X509Certificate(authority.certificatePem).publicKey))
  assert.deepEqual(certificate.keyUsage, ['1.3.6.1.5.5.7.3.2'])
})

test('a node that may not waits for a person, and goes after a day', async () => {
  await using cluster = new TestCluster(loops)
  cluster.start(allows(false))
  await cluster.client.create(certificateSigningRequests, asked())
  await cluster.clock.run(23 * 3_600_000)
  await settled()
  assert.equal(cluster.client.peek(certificateSigningRequests, 'r')!.status, undefined)
  await cluster.clock.run(2 * 3_600_000)
  assert.equal(cluster.client.peek(certificateSigningRequests, 'r'), undefined)
})

test('what a signer refuses fails with its reason, and what nobody approved is not signed', async () => {
  await using cluster = new TestCluster(loops)
  cluster.start(allows(false))
  const request = await cluster.client.create(
    certificateSigningRequests,
    asked({ usages: ['server auth'], signerName: clientSigner }),
  )
  await cluster.clock.run(1000)
  assert.equal(cluster.client.peek(certificateSigningRequests, 'r')!.status, undefined)
  await cluster.client.update(
    certificateSigningRequests,
    { ...request, status: { conditions: approved } },
    { subresource: 'status' },
  )
  const failed = await until(cluster, (now) => (now.status?.conditions ?? []).length > 1)
  const [, { type, reason, message }] = failed.status!.conditions! as [
    unknown,
    { type: string; reason?: string; message?: string },
  ]
  assert.deepEqual(
    [type, reason, message],
    ['Failed', 'SignerValidationFailure', 'invalid usages for client certificate: [server auth]'],
  )
  assert.equal(failed.status!.certificate, undefined)
})

test('no kill leaves an approved request without its certificate', async () => {
  const kills = await killEverywhere(
    loops,
    async (cluster) => {
      cluster.client.put(certificateSigningRequests, { ...asked(), status: { conditions: approved } })
      await until(cluster, (now) => now.status?.certificate !== undefined)
    },
    (cluster) => assert.notEqual(cluster.client.peek(certificateSigningRequests, 'r')!.status!.certificate, undefined),
    {},
    async (cluster) => void (await until(cluster, (now) => now.status?.certificate !== undefined)),
  )
  assert.equal(kills, 1)
})
