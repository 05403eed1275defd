// Kubeconfigs as people have them: embedded, with files beside them, with programs that sign in.

import assert from 'node:assert/strict'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test, type TestContext } from 'node:test'
import { readKubeconfig } from './kubeconfig-file.ts'

const text = (user: string, cluster = 'server: https://a.example:6443'): string => `
current-context: b
contexts:
  - { name: a, context: { cluster: c, user: u } }
  - { name: b, context: { cluster: c, user: u, namespace: shop } }
clusters: [{ name: c, cluster: { ${cluster} } }]
users: [{ name: u, user: ${user} }]
`

function folderOf(t: TestContext): string {
  const folder = mkdtempSync(join(tmpdir(), 'aksel-kubeconfig-'))
  t.after(() => rmSync(folder, { recursive: true, force: true }))
  return folder
}

test('every context is a connection, with certificates from data or from files beside the kubeconfig', async (t) => {
  const folder = folderOf(t)
  writeFileSync(join(folder, 'cert.pem'), 'CERT')
  const key = Buffer.from('KEY').toString('base64')
  const { current, connections } = readKubeconfig(text(`{ client-certificate: cert.pem, client-key-data: ${key} }`), {
    path: join(folder, 'config'),
    nowMs: () => 0,
  })
  assert.equal(current, 'b')
  assert.deepEqual(
    connections.map(({ name, namespace }) => [name, namespace]),
    [
      ['a', undefined],
      ['b', 'shop'],
    ],
  )
  assert.deepEqual(await connections[0]!.credential(), { certPem: 'CERT', keyPem: 'KEY' })
})

test('a program that signs in is run with what it is told, and again when its token ends', async (t) => {
  const folder = folderOf(t)
  const script = join(folder, 'login.mjs')
  writeFileSync(
    script,
    `import { appendFileSync } from 'node:fs'
appendFileSync(process.env.SEEN, process.env.KUBERNETES_EXEC_INFO + '\\n')
console.log(JSON.stringify({ status: { token: 'fresh', expirationTimestamp: '2026-01-01T01:00:00Z' } }))`,
  )
  const seen = join(folder, 'seen')
  const exec = `{ exec: { apiVersion: client.authentication.k8s.io/v1, command: ${JSON.stringify(process.execPath)}, args: [${JSON.stringify(script)}], env: [{ name: SEEN, value: ${JSON.stringify(seen)} }] } }`
  let nowMs = Date.parse('2026-01-01T00:00:00Z')
  const { connections } = readKubeconfig(text(exec), { path: join(folder, 'config'), nowMs: () => nowMs })
  const { credential } = connections[0]!
  assert.deepEqual(await credential(), { token: 'fresh' })
  await credential()
  nowMs = Date.parse('2026-01-01T00:59:30Z')
  await credential()
  const runs = readFileSync(seen, 'utf8').trim().split('\n')
  assert.equal(runs.length, 2)
  assert.match(runs[0]!, /"kind":"ExecCredential"/)
})

test('what cannot be used is told in words', () => {
  const read = (config: string) => () => readKubeconfig(config, { nowMs: () => 0 })
  assert.throws(read('contexts: []'), /names no context/)
  assert.throws(read(text('{}', 'server: https://a.example, proxy-url: http://p')), /wants a proxy/)
  assert.throws(read(text('{}', 'server: a.example')), /names no server/)
  assert.throws(read(text('{}').replace('user: u }', 'user: nobody }')), /names the user "nobody", which is not there/)
})
