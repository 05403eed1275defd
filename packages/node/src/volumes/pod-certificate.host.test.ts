// A pod's own key and certificate on a real node: the container waits for its signer, and has a key that fits.

import assert from 'node:assert/strict'
import { createPublicKey, X509Certificate } from 'node:crypto'
import { test } from 'node:test'
import { nodes, podCertificateRequests, pods, serviceAccounts } from '@aksel/api/resources'
import type { Pod } from '@aksel/api/types/core-v1'
import { signRequest } from '@aksel/runtime/certificate-requests'
import { createAuthority } from '@aksel/runtime/pki'
import { FakeClient } from '@aksel/testing/fake-client'
import { busyboxPod, startAgent, when } from '../testing/agent-harness.ts'
import { startContainerd } from '../testing/containerd-harness.ts'
import { testScope } from '../testing/test-scope.ts'

const isReady = (pod: Pod | undefined): boolean =>
  pod?.status?.conditions?.some(({ type, status }) => type === 'Ready' && status === 'True') === true

test('a pod has a key of its own and the certificate that its signer gave for it', async () => {
  using scope = testScope()
  await using containerd = await startContainerd(scope)
  const client = new FakeClient(scope)
  await client.create(serviceAccounts, { metadata: { name: 'default', namespace: 'default' } })
  await using harness = await startAgent(scope, containerd, { client, kubernetesVersion: '1.36.1' })
  const base = busyboxPod('meshed', ['sleep', '1000'], { terminationGracePeriodSeconds: 1 })
  const [main] = base.spec.containers
  const sources = [
    {
      podCertificate: {
        signerName: 'example.com/mesh',
        keyType: 'ECDSAP256',
        credentialBundlePath: 'bundle.pem',
        keyPath: 'key.pem',
        certificateChainPath: 'chain.pem',
      },
    },
  ]
  await client.create(pods, {
    ...base,
    spec: {
      ...base.spec,
      volumes: [{ name: 'identity', projected: { sources } }],
      containers: [{ ...main!, volumeMounts: [{ name: 'identity', mountPath: '/identity' }] }],
    },
  })
  const pod = await harness.podWhen('meshed', (found) => found !== undefined)
  let key = ''
  const watch = client.watch(podCertificateRequests, { resourceVersion: '0', signal: AbortSignal.timeout(120_000) })
  const open = client.peekAll(podCertificateRequests)
  for (const { metadata } of open) key = `default/${metadata.name}`
  if (key === '') for await (const { object } of watch) if ((key = `default/${object.metadata.name}`) !== '') break
  const request = (await when(scope, client, podCertificateRequests, key, (found) => found !== undefined))!
  assert.deepEqual(
    [request.spec.podUID, request.spec.nodeUID],
    [pod?.metadata.uid, client.peek(nodes, 'n1')?.metadata.uid],
  )
  assert.equal(client.peek(pods, 'default/meshed')?.status?.containerStatuses?.[0]?.started ?? false, false)

  const authority = await createAuthority(scope, { commonName: 'mesh', years: 1 })
  const pem = `-----BEGIN CERTIFICATE REQUEST-----\n${request.spec.stubPKCS10Request}\n-----END CERTIFICATE REQUEST-----\n`
  const order = { request: pem, usages: ['client auth'], durationMs: 24 * 3_600_000 }
  const certificate = await signRequest(scope, authority, order)
  const at = (hours: number): string => new Date(scope.clock.now() + hours * 3_600_000).toISOString()
  const issued = { type: 'Issued', status: 'True', reason: 'Issued', message: '', lastTransitionTime: at(0) }
  const status = {
    conditions: [issued],
    certificateChain: certificate + authority.certificatePem,
    notBefore: at(0),
    beginRefreshAt: at(16),
    notAfter: at(24),
  }
  await client.update(podCertificateRequests, { ...request, status }, { subresource: 'status' })
  const running = await harness.podWhen('meshed', isReady)
  const id = running?.status?.containerStatuses?.[0]?.containerID?.slice(13) ?? ''
  const read = async (path: string): Promise<string> => {
    const { stdout } = await containerd.runtime.execSync(id, ['cat', `/identity/${path}`], 5)
    return Buffer.from(stdout).toString()
  }
  const [bundle, keyPem, chain] = [await read('bundle.pem'), await read('key.pem'), await read('chain.pem')]
  assert.equal(bundle, keyPem + chain)
  const own = new X509Certificate(chain)
  const spki = { type: 'spki', format: 'pem' } as const
  assert.equal(own.publicKey.export(spki), createPublicKey(keyPem).export(spki))
  assert.ok(own.verify(new X509Certificate(authority.certificatePem).publicKey))
})
