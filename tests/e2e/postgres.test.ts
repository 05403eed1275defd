// A database from Debian's packages in an image of ours: queries through port-forward, data that survives its pod.

import assert from 'node:assert/strict'
import { mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { Aksel, repositoryRoot, runProgram } from './aksel.ts'

let aksel: Aksel

before(async () => {
  aksel = await Aksel.inNewFolder()
  const folder = join(aksel.dataDir, 'images', 'extra')
  await mkdir(folder, { recursive: true })
  const build = [process.execPath, join(repositoryRoot, 'tools/images/build.ts'), '--postgres', '--out', folder]
  const built = await runProgram(build)
  assert.equal(built.code, 0, built.stderr)
  await aksel.ok(['up', '--nodes', '1'])
})

after(async () => {
  await aksel[Symbol.asyncDispose]()
})

const database = {
  apiVersion: 'apps/v1',
  kind: 'StatefulSet',
  metadata: { name: 'db' },
  spec: {
    serviceName: 'db',
    selector: { matchLabels: { app: 'db' } },
    template: {
      metadata: { labels: { app: 'db' } },
      spec: {
        securityContext: { fsGroup: 999 },
        containers: [
          {
            name: 'postgres',
            image: 'postgres:15',
            env: [
              { name: 'POSTGRES_PASSWORD', valueFrom: { secretKeyRef: { name: 'db', key: 'password' } } },
              { name: 'PGDATA', value: '/data/pg' },
            ],
            ports: [{ containerPort: 5432 }],
            readinessProbe: { tcpSocket: { port: 5432 }, periodSeconds: 1 },
            volumeMounts: [{ name: 'data', mountPath: '/data' }],
          },
        ],
      },
    },
    volumeClaimTemplates: [
      {
        metadata: { name: 'data' },
        spec: { accessModes: ['ReadWriteOnce'], resources: { requests: { storage: '1Gi' } } },
      },
    ],
  },
}

/** What psql prints for a statement that goes through a port-forward of its own. */
async function query(statement: string): Promise<string> {
  await using forward = aksel.start(['kubectl', 'port-forward', 'pod/db-0', ':5432'])
  const port = /127\.0\.0\.1:(\d+)/.exec(await forward.says(/Forwarding from 127\.0\.0\.1:\d+/))![1]!
  const argv = ['psql', '-h', '127.0.0.1', '-p', port, '-U', 'postgres', '-w', '-At', '-c', statement]
  const { code, stdout, stderr } = await runProgram(argv, { environment: { PGPASSWORD: 'tea and scones' } })
  assert.equal(code, 0, stderr)
  return stdout
}

test('PostgreSQL serves queries through port-forward, and its rows survive its pod', { timeout: 300_000 }, async () => {
  await aksel.kubectl(['create', 'secret', 'generic', 'db', '--from-literal=password=tea and scones'])
  await aksel.kubectl(['apply', '-f', '-'], { input: JSON.stringify(database) })
  await aksel.kubectl('rollout status statefulset/db --timeout=120s', { timeoutMs: 140_000 })
  assert.match(await query('SELECT version()'), /^PostgreSQL 15\./)
  await query("CREATE TABLE orders (item text); INSERT INTO orders VALUES ('tea'), ('cake')")
  const uid = await aksel.kubectl(['get', 'pod', 'db-0', '-o', 'jsonpath={.metadata.uid}'])
  await aksel.kubectl('delete pod db-0')
  await aksel.kubectl('rollout status statefulset/db --timeout=120s', { timeoutMs: 140_000 })
  await aksel.kubectl('wait pod/db-0 --for=condition=Ready --timeout=120s', { timeoutMs: 140_000 })
  assert.notEqual(await aksel.kubectl(['get', 'pod', 'db-0', '-o', 'jsonpath={.metadata.uid}']), uid)
  assert.equal(await query('SELECT item FROM orders ORDER BY item'), 'cake\ntea\n')
})
