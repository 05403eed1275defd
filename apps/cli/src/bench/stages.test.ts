// A benchmark that goes around a stage is found out, and gives no row.

import assert from 'node:assert/strict'
import { createServer } from 'node:https'
import type { AddressInfo } from 'node:net'
import { test } from 'node:test'
import { admin, clientCertificate, listenForTest, startTestServer, type TestServer } from '@aksel/apiserver/test-server'
import type { ApiServerOptions } from '@aksel/apiserver/server-options'
import { issue } from '@aksel/runtime/pki'
import type { ClusterAccess } from '@aksel/runtime/kubeconfig'
import { benchNamespace, prepareBenchUser } from './bench-user.ts'
import { assertWholePath, proveStages, type StageReport } from './stages.ts'

const auditOf = (test: TestServer): string => test.audit.map((entry) => `${JSON.stringify(entry)}\n`).join('')

function prove(server: TestServer, access: ClusterAccess, auditLog = () => auditOf(server)): Promise<StageReport> {
  return proveStages(server.scope, {
    access,
    namespace: benchNamespace,
    serviceAccount: 'bench',
    mark: 'mark-1',
    auditLog: async () => auditLog(),
    auditPatienceMs: 0,
    isStored: async (text) => {
      const { items } = await server.store.range({ prefix: 'clusters/' })
      return items.some(({ value }) => Buffer.from(value).toString('latin1').includes(text))
    },
  })
}

async function withUser(options: Partial<ApiServerOptions> = {}): Promise<{ test: TestServer; access: ClusterAccess }> {
  const test = await startTestServer(options)
  const { token } = await prepareBenchUser(test.client())
  const { url } = await listenForTest(test)
  return { test, access: { server: url, caPem: test.authority.certificatePem, token } }
}

test("the benchmark's user passes every stage, and each request stands in the audit log", async () => {
  const { test, access } = await withUser()
  await using _ = test
  const report = await prove(test, access)
  assert.deepEqual(
    Object.entries(report).filter(([, { ran }]) => !ran),
    [],
  )
  assert.match(report.tls.evidence, /^TLSv1\.3/)
  assert.doesNotThrow(() => assertWholePath(report))
})

test('an administrator goes around RBAC and flow control, and gives no row', async () => {
  const { test, access } = await withUser()
  await using _ = test
  const { certificatePem, keyPem } = await clientCertificate(test, admin)
  const report = await prove(test, { server: access.server, caPem: access.caPem, certPem: certificatePem, keyPem })
  assert.deepEqual([report.rbac.ran, report.flowControl.ran], [false, false])
  assert.throws(() => assertWholePath(report), /do not pass every stage.*rbac \(secrets of kube-system: 200\)/)
})

test('without an audit log there is no row', async () => {
  const { test, access } = await withUser({ audit: () => {} })
  await using _ = test
  const report = await prove(test, access)
  assert.throws(() => assertWholePath(report), /audit \(0 of 6 requests/)
})

test('a server that lets everything through gives no row', async () => {
  await using test = await startTestServer()
  const serving = await issue(test.scope, test.authority, {
    commonName: 'x',
    ipAddresses: ['127.0.0.1'],
    usages: ['server'],
    days: 1,
  })
  const open = createServer({ cert: serving.certificatePem, key: serving.keyPem }, (request, response) => {
    request.resume()
    response.writeHead(request.method === 'POST' ? 201 : 200, { 'content-type': 'application/json' }).end('{}')
  })
  await new Promise<void>((resolve) => open.listen(0, '127.0.0.1', resolve))
  const server = `https://127.0.0.1:${(open.address() as AddressInfo).port}`
  const report = await prove(test, { server, caPem: test.authority.certificatePem, token: 't' }, () => '')
  open.closeAllConnections()
  open.close()
  assert.throws(() => assertWholePath(report), /authentication .* rbac .* validation .* audit/)
  assert.equal(report.durability.ran, false)
})

test('requests that do not go over TLS give no row', async () => {
  const { test, access } = await withUser()
  await using _ = test
  const report = await prove(test, access)
  const plain = { ...report, tls: { ran: false, evidence: "the server's URL is http://x" } }
  assert.throws(() => assertWholePath(plain), /tls \(the server's URL is http:\/\/x\)/)
})
