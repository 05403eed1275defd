// Three hundred abuses of identity: none succeeds, and each leaves an entry in the audit log.

import assert from 'node:assert/strict'
import { createHmac, generateKeyPairSync, sign } from 'node:crypto'
import { after, before, suite, test } from 'node:test'
import { createClient } from '@aksel/client/typed-client'
import { readBody } from '@aksel/client/response-body'
import { createHttpsTransport } from '@aksel/runtime/https-transport'
import { createAuthority, createServiceAccountKey, issue, type KeyPair } from '@aksel/runtime/pki'
import { clientCertificate, listenForTest, startTestServer, type TestServer } from '../test-server.ts'

const whoAmI = '/apis/authentication.k8s.io/v1/selfsubjectreviews'

interface Abuse {
  readonly what: string
  readonly method?: string
  readonly path: string
  readonly key?: KeyPair
  readonly token?: string
  readonly headers?: Readonly<Record<string, string>>
  readonly body?: unknown
}

const encode = (value: unknown): string => Buffer.from(JSON.stringify(value)).toString('base64url')

void suite('abuses of identity', () => {
  let server: TestServer
  let url: string
  let token: string
  let stolenNode: KeyPair
  let ann: KeyPair

  before(async () => {
    server = await startTestServer()
    ;({ url } = await listenForTest(server))
    stolenNode = await clientCertificate(server, { name: 'system:node:n1', groups: ['system:nodes'] })
    ann = await clientCertificate(server, { name: 'ann', groups: ['devs'] })
    await server.ask('/api/v1/namespaces/default/serviceaccounts', { body: { metadata: { name: 'default' } } })
    const made = await server.ask('/api/v1/namespaces/default/serviceaccounts/default/token', {
      body: { spec: { audiences: [] } },
    })
    ;({ token } = made.json['status'] as { readonly token: string })
    for (const name of ['n1', 'n2']) await server.ask('/api/v1/nodes', { body: { metadata: { name } } })
    for (const [name, nodeName, secret] of [
      ['mine', 'n1', 'mine'],
      ['theirs', 'n2', 'theirs'],
    ] as const) {
      await server.ask('/api/v1/namespaces/default/secrets', {
        body: { metadata: { name: secret }, stringData: { a: 'b' } },
      })
      const volumes = [{ name: 'v', secret: { secretName: secret } }]
      const spec = { nodeName, volumes, containers: [{ name: 'c', image: 'i' }] }
      const { status, text } = await server.ask('/api/v1/namespaces/default/pods', {
        body: { metadata: { name }, spec },
      })
      assert.equal(status, 201, text)
    }
  })
  after(() => server[Symbol.asyncDispose]())

  async function outcome(abuse: Abuse): Promise<{ readonly status: number; readonly text: string }> {
    const { method = abuse.body === undefined ? 'GET' : 'POST', path, key, headers = {}, body } = abuse
    await using transport = createHttpsTransport({
      server: url,
      caPem: server.authority.certificatePem,
      ...(key === undefined ? {} : { certPem: key.certificatePem, keyPem: key.keyPem }),
      ...(abuse.token === undefined ? {} : { token: abuse.token }),
    })
    const response = await createClient(transport).send({
      method,
      path,
      headers: { 'content-type': 'application/json', ...headers },
      ...(body === undefined ? {} : { body: Buffer.from(JSON.stringify(body)) }),
    })
    return { status: response.status, text: Buffer.from(await readBody(response.body)).toString() }
  }

  async function refused(abuses: readonly Abuse[]): Promise<number> {
    const succeeded: string[] = []
    for (const abuse of abuses) {
      const before = server.audit.length
      const { status, text } = await outcome(abuse)
      if (status !== 401 && status !== 403) succeeded.push(`${abuse.what}: ${status} ${text.slice(0, 200)}`)
      const own = server.audit.slice(before).filter(({ requestURI }) => requestURI === abuse.path)
      const codes = own.map(({ responseStatus }) => (responseStatus as { readonly code: number }).code)
      assert.deepEqual(codes, [status], `${abuse.what}: no entry in the audit log`)
    }
    assert.deepEqual(succeeded, [])
    return abuses.length
  }

  const review = { method: 'POST', path: whoAmI, body: {} }

  void test('tokens that are not signed, by another key, in another way, or changed', async () => {
    const [head, claims, signature] = token.split('.') as [string, string, string]
    const said = JSON.parse(Buffer.from(claims, 'base64url').toString()) as Readonly<Record<string, unknown>>
    const kid = (JSON.parse(Buffer.from(head, 'base64url').toString()) as { readonly kid: string }).kid
    const jwks = (await server.ask('/openid/v1/jwks')).text
    const forged: string[] = []
    for (const alg of [
      'none',
      'None',
      'NONE',
      'nOnE',
      '',
      'HS256',
      'HS384',
      'HS512',
      'RS256',
      'PS256',
      'ES384',
      'ES512',
      'EdDSA',
      'ES256K',
    ]) {
      const unsigned = `${encode({ alg, kid })}.${claims}`
      forged.push(`${unsigned}.`, `${unsigned}.${signature}`)
      // The published key as a shared secret.
      for (const secret of [jwks, kid, '', server.authority.certificatePem])
        forged.push(`${unsigned}.${createHmac('sha256', secret).update(unsigned).digest('base64url')}`)
    }
    const other = await createServiceAccountKey()
    const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' })
    for (const header of [
      { alg: 'ES256', kid },
      { alg: 'ES256', kid: other.keyId },
      { alg: 'ES256' },
      { alg: 'ES256', kid, jwk: {} },
      { alg: 'ES256', kid, jku: 'https://evil.example' },
      { alg: 'ES256', kid, x5c: [] },
    ]) {
      const unsigned = `${encode(header)}.${claims}`
      for (const key of [other.privateKeyPem, privateKey])
        forged.push(
          `${unsigned}.${sign('sha256', Buffer.from(unsigned), { key, dsaEncoding: 'ieee-p1363' } as never).toString('base64url')}`,
        )
    }
    for (const changed of [
      { sub: 'system:serviceaccount:kube-system:generic-garbage-collector' },
      { aud: ['https://elsewhere'] },
      { exp: 4_102_444_800 },
      { iss: 'https://evil.example' },
      { iss: 'kubernetes/serviceaccount' },
      { nbf: 0, iat: 0 },
      { groups: ['system:masters'] },
    ])
      forged.push(`${head}.${encode({ ...said, ...changed })}.${signature}`)
    // Signatures that verify anything where numbers are not looked at: zeros, ones, of the wrong length.
    for (const bytes of [64, 63, 65, 32, 0, 128])
      for (const fill of [0, 1, 255])
        forged.push(`${head}.${claims}.${Buffer.alloc(bytes, fill).toString('base64url')}`)
    forged.push(
      `${token}.`,
      `${token}.${signature}`,
      `.${claims}.${signature}`,
      `${head}..${signature}`,
      token.slice(0, -4),
    )
    const count = await refused(forged.map((one, at) => ({ ...review, what: `forged token ${at}`, token: one })))
    assert.ok(count >= 120, String(count))
    // One that is what it says passes: the harness would notice.
    assert.equal((await outcome({ ...review, what: 'a good one', token })).status, 201)
  })

  void test('a token for others, and one out of time', async () => {
    const ask = async (spec: unknown): Promise<string> => {
      const made = await server.ask('/api/v1/namespaces/default/serviceaccounts/default/token', { body: { spec } })
      return (made.json['status'] as { readonly token: string }).token
    }
    const abuses: Abuse[] = []
    for (const audience of [
      'https://elsewhere',
      'vault',
      'https://cluster.test.evil',
      'HTTPS://CLUSTER.TEST',
      'https://cluster.test/',
      ' https://cluster.test',
    ])
      abuses.push({ ...review, what: `audience ${audience}`, token: await ask({ audiences: [audience] }) })
    await refused(abuses)
  })

  void test('a stolen certificate of a node', async () => {
    const key = stolenNode
    const ns = '/api/v1/namespaces/default'
    const spec = { containers: [{ name: 'c', image: 'i' }] }
    const uid = 'b2f7b3c5-0000-4000-8000-000000000000'
    const owner = { apiVersion: 'v1', kind: 'Node', name: 'n1', uid, controller: true }
    const volume = (source: object): object => ({ volumes: [{ name: 'v', ...source }] })
    const env = (from: unknown): object => ({
      containers: [{ name: 'c', image: 'i', env: [{ name: 'A', valueFrom: from }] }],
    })
    const mirrors: readonly { readonly what: string; readonly owners: unknown; readonly more?: object }[] = [
      { what: 'without an owner', owners: [] },
      { what: 'of another node', owners: [{ ...owner, name: 'n2' }] },
      {
        what: 'of two owners',
        owners: [owner, { ...owner, uid: 'c2f7b3c5-0000-4000-8000-000000000000', controller: false }],
      },
      { what: 'of an owner that is no controller', owners: [{ ...owner, controller: false }] },
      { what: 'that holds up its owner', owners: [{ ...owner, blockOwnerDeletion: true }] },
      { what: 'with an account', owners: [owner], more: { serviceAccountName: 'default' } },
      { what: 'with a secret in a volume', owners: [owner], more: volume({ secret: { secretName: 'theirs' } }) },
      {
        what: 'with a secret in a projection',
        owners: [owner],
        more: volume({ projected: { sources: [{ secret: { name: 'theirs' } }] } }),
      },
      {
        what: 'with a secret in its environment',
        owners: [owner],
        more: env({ secretKeyRef: { name: 'theirs', key: 'a' } }),
      },
      { what: 'with a secret for images', owners: [owner], more: { imagePullSecrets: [{ name: 'theirs' }] } },
      { what: 'with a config map', owners: [owner], more: env({ configMapKeyRef: { name: 'theirs', key: 'a' } }) },
      { what: 'with a claim', owners: [owner], more: volume({ persistentVolumeClaim: { claimName: 'theirs' } }) },
      {
        what: 'with a share behind a secret',
        owners: [owner],
        more: volume({ azureFile: { secretName: 'theirs', shareName: 's' } }),
      },
    ]
    const abuses: Abuse[] = [
      { what: 'secrets of another node', path: `${ns}/secrets/theirs` },
      { what: 'all secrets', path: '/api/v1/secrets' },
      { what: 'secrets of a namespace', path: `${ns}/secrets` },
      { what: 'watching secrets', path: `${ns}/secrets?watch=1` },
      { what: 'a secret of the system', path: '/api/v1/namespaces/kube-system/secrets/x' },
      { what: 'another node', method: 'DELETE', path: '/api/v1/nodes/n2' },
      { what: 'its own node, gone', method: 'DELETE', path: '/api/v1/nodes/n1' },
      {
        what: 'the state of another node',
        method: 'PUT',
        path: '/api/v1/nodes/n2/status',
        body: { metadata: { name: 'n2' } },
      },
      { what: 'a new node', path: '/api/v1/nodes', body: { metadata: { name: 'n3' } } },
      { what: 'a pod of another node', method: 'DELETE', path: `${ns}/pods/theirs` },
      {
        what: 'the state of a pod of another node',
        method: 'PUT',
        path: `${ns}/pods/theirs/status`,
        body: { metadata: { name: 'theirs' }, spec },
      },
      {
        what: 'evicting a pod of another node',
        path: `${ns}/pods/theirs/eviction`,
        body: { metadata: { name: 'theirs' } },
      },
      {
        what: 'a pod that is no mirror',
        path: `${ns}/pods`,
        body: { metadata: { name: 'p' }, spec: { ...spec, nodeName: 'n1' } },
      },
      {
        what: 'a mirror pod on another node',
        path: `${ns}/pods`,
        body: {
          metadata: { name: 'p', annotations: { 'kubernetes.io/config.mirror': 'x' } },
          spec: { ...spec, nodeName: 'n2' },
        },
      },
      ...mirrors.map(({ what, owners, more = {} }) => ({
        what: `a mirror pod ${what}`,
        path: `${ns}/pods`,
        body: {
          metadata: { name: 'p', annotations: { 'kubernetes.io/config.mirror': 'x' }, ownerReferences: owners },
          spec: { ...spec, nodeName: 'n1', ...more },
        },
      })),
      {
        what: 'a mirror pod with a secret',
        path: `${ns}/pods`,
        body: {
          metadata: { name: 'p', annotations: { 'kubernetes.io/config.mirror': 'x' } },
          spec: { ...spec, nodeName: 'n1', volumes: [{ name: 'v', secret: { secretName: 'theirs' } }] },
        },
      },
      {
        what: 'a token for an account without a pod',
        path: `${ns}/serviceaccounts/default/token`,
        body: { spec: { audiences: [] } },
      },
      {
        what: 'a role',
        path: '/apis/rbac.authorization.k8s.io/v1/clusterroles',
        body: { metadata: { name: 'r' }, rules: [] },
      },
      {
        what: 'a binding',
        path: '/apis/rbac.authorization.k8s.io/v1/clusterrolebindings',
        body: { metadata: { name: 'r' } },
      },
      { what: 'the lease of another node', path: '/apis/coordination.k8s.io/v1/namespaces/kube-node-lease/leases/n2' },
      {
        what: 'the lease of a loop',
        path: '/apis/coordination.k8s.io/v1/namespaces/kube-system/leases/kube-scheduler',
      },
      { what: 'exec', method: 'POST', path: `${ns}/pods/theirs/exec?command=sh` },
      { what: 'the proxy of another node', path: '/api/v1/nodes/n2/proxy/pods' },
      {
        what: 'acting for the administrator',
        path: '/version',
        headers: { 'impersonate-user': 'admin', 'impersonate-group': 'system:masters' },
      },
      {
        what: 'approving its own request',
        method: 'PUT',
        path: '/apis/certificates.k8s.io/v1/certificatesigningrequests/x/approval',
        body: { metadata: { name: 'x' } },
      },
      {
        what: 'a label that attracts pods',
        method: 'PATCH',
        path: '/api/v1/nodes/n1',
        headers: { 'content-type': 'application/merge-patch+json' },
        body: { metadata: { labels: { 'node-restriction.kubernetes.io/a': 'b' } } },
      },
    ]
    await refused(abuses.map((one) => ({ ...one, key })))
    assert.equal((await outcome({ what: 'its own', key, path: `${ns}/secrets/mine` })).status, 200)
  })

  void test('headers of a front proxy, and acting for others, by whoever asks', async () => {
    const abuses: Abuse[] = []
    for (const name of ['admin', 'system:masters', 'root', 'system:apiserver', 'system:kube-scheduler', 'masterclient'])
      for (const group of [
        'system:masters',
        'system:nodes',
        'devs',
        'SYSTEM:MASTERS',
        'system:masters ',
        'systеm:masters',
      ])
        for (const [kind, key] of [
          ['nobody', undefined],
          ['ann', ann],
        ] as const) {
          const latin = Buffer.from(group).toString('latin1')
          abuses.push(
            {
              what: `${kind} as ${name} of ${group} by the front proxy`,
              path: '/api/v1/secrets',
              ...(key === undefined ? {} : { key }),
              headers: { 'x-remote-user': name, 'x-remote-group': latin },
            },
            {
              what: `${kind} as ${name} of ${group} by impersonation`,
              path: '/api/v1/secrets',
              ...(key === undefined ? {} : { key }),
              headers: { 'impersonate-user': name, 'impersonate-group': latin },
            },
          )
        }
    const count = await refused(abuses)
    assert.ok(count >= 140, String(count))
  })

  void test('certificates of others, of servers, out of time, and look-alikes', async () => {
    const { scope, authority } = server
    const stranger = await createAuthority(scope, { commonName: 'ca', years: 1 })
    const abuses: Abuse[] = []
    for (const commonName of ['root', 'masterclient', 'system:node:n1', 'kube-apiserver', 'front-proxy-client']) {
      const forged = await issue(scope, stranger, {
        commonName,
        organizations: ['system:masters'],
        usages: ['client'],
        days: 1,
      })
      const serving = await issue(scope, authority, {
        commonName,
        organizations: ['system:masters'],
        usages: ['server'],
        days: 1,
      })
      abuses.push({ what: `another authority's ${commonName}`, path: '/version', key: forged })
      abuses.push({ what: `a serving certificate of ${commonName}`, path: '/version', key: serving })
    }
    const lookalikes = [
      'system:mаsters',
      'system:masters\u200b',
      'System:masters',
      'system:masters.',
      'ѕystem:masters',
      'system\uff1amasters',
      'system:masters,x',
      'x,system:masters',
    ]
    for (const group of lookalikes) {
      const key = await clientCertificate(server, { name: 'look-alike', groups: [group] })
      abuses.push({ what: `group ${group}`, path: '/api/v1/secrets', key })
    }
    await refused(abuses)
  })

  void test('requests for certificates by which one would become another', async () => {
    const bob = await clientCertificate(server, { name: 'bob', groups: [] })
    const requests = '/apis/certificates.k8s.io/v1/certificatesigningrequests'
    const abuses: Abuse[] = [
      'kubernetes.io/kube-apiserver-client',
      'kubernetes.io/kubelet-serving',
      'kubernetes.io/kube-apiserver-client-kubelet',
      'kubernetes.io/legacy-unknown',
    ].flatMap((signerName) => [
      {
        what: `asking ${signerName}`,
        path: requests,
        key: bob,
        body: { metadata: { name: 'x' }, spec: { signerName, request: 'eA==', usages: ['client auth'] } },
      },
      {
        what: `signing for ${signerName}`,
        method: 'PUT',
        path: `${requests}/x/status`,
        key: bob,
        body: { metadata: { name: 'x' }, spec: { signerName } },
      },
      {
        what: `approving for ${signerName}`,
        method: 'PUT',
        path: `${requests}/x/approval`,
        key: bob,
        body: { metadata: { name: 'x' }, spec: { signerName } },
      },
    ])
    await refused(abuses)
  })
})
