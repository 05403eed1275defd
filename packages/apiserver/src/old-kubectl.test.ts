// The oldest kubectl that must work, 1.20: it checks objects itself by OpenAPI version 2, which it reads in protobuf alone, and
// knows neither aggregated discovery nor version 3.

import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, suite, test } from 'node:test'
import { kubectlOf } from './test-kubectl.ts'
import { admin, kubeconfigFor, startTestServer, type TestServer } from './test-server.ts'

const web = `
apiVersion: apps/v1
kind: Deployment
metadata: {name: web}
spec:
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec:
      containers:
        - {name: web, image: 'web:1', resources: {requests: {cpu: 500m, memory: 1Gi}}, livenessProbe: {httpGet: {port: 80}}}
`
const wrong = `
apiVersion: apps/v1
kind: Deployment
metadata: {name: wrong}
spec:
  replicas: many
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec: {containers: [{image: 'web:1', imagee: x}]}
`

void suite('kubectl 1.20', () => {
  let server: TestServer
  let directory: string
  let program: string

  before(async () => {
    program = await kubectlOf('1.20')
    server = await startTestServer()
    directory = await mkdtemp(join(tmpdir(), 'aksel-old-kubectl-'))
    await writeFile(join(directory, 'config'), JSON.stringify(await kubeconfigFor(server, admin)))
    await writeFile(join(directory, 'web.yaml'), web)
    await writeFile(join(directory, 'wrong.yaml'), wrong)
  })
  after(async () => {
    await server[Symbol.asyncDispose]()
    await rm(directory, { recursive: true, force: true })
  })

  function kubectl(...args: readonly string[]): Promise<string> {
    const env = { ...process.env, KUBECONFIG: join(directory, 'config'), HOME: directory }
    return new Promise((resolve) => {
      execFile(program, args, { cwd: directory, env, timeout: 60_000 }, (_error, out, err) => resolve(out + err))
    })
  }

  void test('explains from version 2', async () => {
    const told = await kubectl('explain', 'deployment.spec.strategy')
    assert.match(told, /^KIND: +Deployment\nVERSION: +apps\/v1\n/)
    assert.match(told, /How old pods are replaced by new ones\./)
    assert.match(told, /type\t<string>\n +RollingUpdate \(the default\)/)
  })

  void test('finds what is wrong with an object before it sends it', async () => {
    const said = await kubectl('create', '-f', 'wrong.yaml')
    assert.match(said, /unknown field "imagee" in io\.k8s\.api\.core\.v1\.Container/)
    assert.match(said, /DeploymentSpec\.replicas: got "string", expected "integer"/)
    assert.match(said, /missing required field "name" in io\.k8s\.api\.core\.v1\.Container/)
  })

  void test('applies, merges by the patch keys of version 2, and applies on the server', async () => {
    assert.equal(await kubectl('apply', '-f', 'web.yaml'), 'deployment.apps/web created\n')
    assert.equal(await kubectl('apply', '-f', 'web.yaml'), 'deployment.apps/web unchanged\n')
    await writeFile(join(directory, 'next.yaml'), web.replace('web:1', 'web:2'))
    assert.equal(await kubectl('apply', '-f', 'next.yaml'), 'deployment.apps/web configured\n')
    const image = 'jsonpath={.spec.template.spec.containers[*].image}'
    assert.equal(await kubectl('get', 'deployment', 'web', '-o', image), 'web:2')
    assert.equal(
      await kubectl('apply', '--server-side', '--force-conflicts', '-f', 'web.yaml'),
      'deployment.apps/web serverside-applied\n',
    )
    assert.equal(
      await kubectl('apply', '--dry-run=server', '-f', 'next.yaml'),
      'deployment.apps/web configured (server dry run)\n',
    )
  })

  void test('shows tables, scales, and deletes', async () => {
    assert.match(await kubectl('get', 'deploy'), /^NAME +READY +UP-TO-DATE +AVAILABLE +AGE\nweb +0\/1 /)
    assert.equal(await kubectl('scale', 'deployment/web', '--replicas', '3'), 'deployment.apps/web scaled\n')
    assert.match(await kubectl('describe', 'deployment', 'web'), /Replicas: +3 desired/)
    assert.equal(await kubectl('delete', 'deployment', 'web'), 'deployment.apps "web" deleted\n')
    const quota = await kubectl('create', 'quota', 'small', '--hard', 'pods=3')
    assert.equal(quota, 'resourcequota/small created\n')
    // It waits for the object of the answer to go.
    assert.equal(await kubectl('delete', 'quota', 'small'), 'resourcequota "small" deleted\n')
  })

  void test('caused no error in the server', () => {
    assert.deepEqual(server.lines, [])
  })
})
