// What the loops of the controller manager do for users of kubectl, in one cluster of simulated nodes.

import assert from 'node:assert/strict'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { after, before, suite, test } from 'node:test'
import { createRequest } from '@aksel/runtime/certificate-requests'
import { conformanceCluster, type ConformanceCluster } from '../conformance/cluster.ts'
import { watched } from '../conformance/watched.ts'

const deadline = { timeout: 120_000 }
const waitMs = 60_000

interface SigningRequest {
  readonly status?: { readonly certificate?: string }
}

interface FilledSecret {
  readonly metadata: { readonly labels?: Readonly<Record<string, string>> }
  readonly data?: Readonly<Record<string, string>>
}

void suite('loops, through kubectl', { concurrency: 4 }, () => {
  let cluster: ConformanceCluster

  before(async () => {
    cluster = await conformanceCluster({ nodes: 'simulated', count: 2 })
  })
  after(() => cluster[Symbol.asyncDispose]())

  const apply = (object: unknown): Promise<string> =>
    cluster.aksel.ok(['kubectl', 'apply', '-f', '-'], { input: JSON.stringify(object) })

  void test('a certificate that an administrator approves leads to a login', deadline, async () => {
    const { requestPem, keyPem } = await createRequest({ commonName: 'jane', organizations: ['dev'] })
    await apply({
      apiVersion: 'certificates.k8s.io/v1',
      kind: 'CertificateSigningRequest',
      metadata: { name: 'jane' },
      spec: {
        request: Buffer.from(requestPem).toString('base64'),
        signerName: 'kubernetes.io/kube-apiserver-client',
        expirationSeconds: 3600,
        usages: ['client auth'],
      },
    })
    assert.match(await cluster.aksel.kubectl(['certificate', 'approve', 'jane']), /jane approved/)
    const issued = await watched<SigningRequest>(cluster.config, {
      path: '/apis/certificates.k8s.io/v1/certificatesigningrequests',
      name: 'jane',
      isWanted: (request) => (request?.status?.certificate ?? '') !== '',
      waitMs,
    })
    assert.match(await cluster.aksel.kubectl(['get', 'csr', 'jane', '--no-headers']), /Approved,Issued/)
    const files = [
      ['jane.crt', Buffer.from(issued!.status!.certificate!, 'base64').toString()],
      ['jane.key', keyPem],
      ['ca.crt', Buffer.from(cluster.config.getCurrentCluster()!.caData!, 'base64').toString()],
    ] as const
    const place = (name: string): string => join(cluster.aksel.dataDir, name)
    for (const [name, text] of files) await writeFile(place(name), text, { mode: 0o600 })
    await writeFile(place('nobody'), '')
    const who = await cluster.aksel.ok([
      'kubectl',
      `--kubeconfig=${place('nobody')}`,
      `--server=${cluster.config.getCurrentCluster()!.server}`,
      `--certificate-authority=${place('ca.crt')}`,
      `--client-certificate=${place('jane.crt')}`,
      `--client-key=${place('jane.key')}`,
      'auth',
      'whoami',
      '-o',
      'jsonpath={.status.userInfo.username} {.status.userInfo.groups}',
    ])
    assert.equal(who.trim(), 'jane ["dev","system:authenticated"]')
  })

  void test('a token out of a secret is a login, until its account is gone', deadline, async () => {
    const namespace = await cluster.namespace('robots')
    await apply({ apiVersion: 'v1', kind: 'ServiceAccount', metadata: { name: 'robot', namespace } })
    await apply({
      apiVersion: 'v1',
      kind: 'Secret',
      metadata: { name: 'robot', namespace, annotations: { 'kubernetes.io/service-account.name': 'robot' } },
      type: 'kubernetes.io/service-account-token',
    })
    const path = `/api/v1/namespaces/${namespace}/secrets`
    const filled = await watched<FilledSecret>(cluster.config, {
      path,
      name: 'robot',
      isWanted: (secret) => secret?.data?.['token'] !== undefined,
      waitMs,
    })
    const { server, caData } = cluster.config.getCurrentCluster()!
    assert.equal(filled!.data!['ca.crt'], caData)
    const token = Buffer.from(filled!.data!['token']!, 'base64').toString()
    const place = join(cluster.aksel.dataDir, 'robot.kubeconfig')
    const known = { name: 'c', cluster: { server, 'certificate-authority-data': caData } }
    await writeFile(
      place,
      JSON.stringify({
        apiVersion: 'v1',
        kind: 'Config',
        clusters: [known],
        users: [{ name: 'robot', user: { token } }],
        contexts: [{ name: 'x', context: { cluster: 'c', user: 'robot' } }],
        'current-context': 'x',
      }),
      { mode: 0o600 },
    )
    const whoami = ['kubectl', `--kubeconfig=${place}`, 'auth', 'whoami', '-o', 'jsonpath={.status.userInfo.username}']
    assert.equal((await cluster.aksel.ok(whoami)).trim(), `system:serviceaccount:${namespace}:robot`)
    // The day of its use stands on the secret.
    await watched<FilledSecret>(cluster.config, {
      path,
      name: 'robot',
      isWanted: (secret) =>
        /^\d{4}-\d\d-\d\d$/.test(secret?.metadata.labels?.['kubernetes.io/legacy-token-last-used'] ?? ''),
      waitMs,
    })
    await cluster.aksel.kubectl(['-n', namespace, 'delete', 'serviceaccount', 'robot'])
    await watched(cluster.config, { path, name: 'robot', isWanted: (secret) => secret === undefined, waitMs })
    assert.match(await cluster.aksel.fails(whoami), /Unauthorized|must be logged in/)
  })
})
