// kubectls between the oldest that must work and the newest, beside the bundled one: they read discovery and OpenAPI each in
// its own way, and leave ever more to the server.

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
const definition = `
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: {name: lamps.light.example.com}
spec:
  group: light.example.com
  scope: Namespaced
  names: {plural: lamps, singular: lamp, kind: Lamp}
  versions:
    - name: v1
      served: true
      storage: true
      schema: {openAPIV3Schema: {type: object, properties: {spec: {type: object, properties: {colour: {type: string, description: Of its light.}}}}}}
`
const lamp = 'apiVersion: light.example.com/v1\nkind: Lamp\nmetadata: {name: desk}\nspec: {colour: white}\n'

for (const version of ['1.27', '1.36'] as const) {
  void suite(`kubectl ${version}`, () => {
    let server: TestServer
    let directory: string
    let program: string

    before(async () => {
      program = await kubectlOf(version)
      server = await startTestServer()
      directory = await mkdtemp(join(tmpdir(), 'aksel-kubectl-'))
      await writeFile(join(directory, 'config'), JSON.stringify(await kubeconfigFor(server, admin)))
      const files = { 'web.yaml': web, 'definition.yaml': definition, 'lamp.yaml': lamp }
      for (const [name, text] of Object.entries(files)) await writeFile(join(directory, name), text)
      await writeFile(join(directory, 'next.yaml'), web.replace('web:1', 'web:2'))
      await writeFile(
        join(directory, 'wrong.yaml'),
        web.replace('image:', 'imagee:').replace('name: web}', 'name: wrong}'),
      )
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

    void test('is the version that it is said to be, and finds the server’s', async () => {
      const told = await kubectl('version', '-o', 'json')
      const { clientVersion, serverVersion } = JSON.parse(told.slice(0, told.lastIndexOf('}') + 1)) as {
        readonly clientVersion: { readonly gitVersion: string }
        readonly serverVersion: { readonly gitVersion: string }
      }
      assert.ok(clientVersion.gitVersion.startsWith(`v${version}.`), told)
      assert.equal(serverVersion.gitVersion, 'v1.35.7')
    })

    void test('explains from OpenAPI version 3, and finds kinds in the aggregated discovery', async () => {
      const told = await kubectl('explain', 'deployment.spec.strategy')
      assert.match(told, /^GROUP: +apps\nKIND: +Deployment\nVERSION: +v1\n/)
      assert.match(told, /type\t<string>/)
      assert.match(
        await kubectl('api-resources', '--api-group=apps'),
        /^deployments +deploy +apps\/v1 +true +Deployment$/m,
      )
    })

    void test('applies on either side, is told of conflicts, shows differences', async () => {
      assert.equal(await kubectl('apply', '-f', 'web.yaml'), 'deployment.apps/web created\n')
      assert.equal(await kubectl('apply', '-f', 'web.yaml'), 'deployment.apps/web unchanged\n')
      assert.match(await kubectl('diff', '-f', 'next.yaml'), /^\+ +- image: web:2$/m)
      assert.equal(await kubectl('apply', '-f', 'next.yaml'), 'deployment.apps/web configured\n')
      const taken = await kubectl('apply', '--server-side', '--field-manager=other', '-f', 'web.yaml')
      assert.match(
        taken,
        /conflict with "kubectl-client-side-apply" using apps\/v1: \.spec\.template\.spec\.containers/,
      )
      const forced = await kubectl('apply', '--server-side', '--force-conflicts', '-f', 'web.yaml')
      assert.equal(forced, 'deployment.apps/web serverside-applied\n')
      assert.match(
        await kubectl('create', '-f', 'wrong.yaml'),
        /unknown field "spec\.template\.spec\.containers\[0\]\.imagee"/,
      )
      const patch = ['--type=json', '-p', '[{"op":"replace","path":"/spec/replicas","value":2}]']
      assert.equal(await kubectl('patch', 'deployment', 'web', ...patch), 'deployment.apps/web patched\n')
    })

    void test('shows tables, scales, describes, labels and deletes', async () => {
      assert.match(await kubectl('get', 'deploy'), /^NAME +READY +UP-TO-DATE +AVAILABLE +AGE\nweb +0\/2 /)
      assert.equal(await kubectl('scale', 'deployment/web', '--replicas', '3'), 'deployment.apps/web scaled\n')
      assert.match(await kubectl('describe', 'deployment', 'web'), /Replicas: +3 desired/)
      assert.equal(await kubectl('label', 'deployment', 'web', 'a=b'), 'deployment.apps/web labeled\n')
      assert.match(
        await kubectl('get', 'deploy', '-l', 'a=b', '-o', 'name', '--chunk-size=1'),
        /^deployment.apps\/web$/m,
      )
      assert.match(await kubectl('delete', 'deployment', 'web'), /^deployment.apps "web" deleted/)
    })

    void test('knows a custom kind as soon as it is there', async () => {
      assert.match(await kubectl('apply', '-f', 'definition.yaml'), /lamps.light.example.com created/)
      const established = ['--for=condition=Established', 'crd/lamps.light.example.com', '--timeout=20s']
      assert.match(await kubectl('wait', ...established), /condition met/)
      assert.equal(await kubectl('apply', '-f', 'lamp.yaml'), 'lamp.light.example.com/desk created\n')
      assert.match(await kubectl('explain', 'lamp.spec.colour'), /Of its light\./)
      assert.equal(await kubectl('get', 'lamp', 'desk', '-o', 'jsonpath={.spec.colour}'), 'white')
      assert.match(await kubectl('delete', 'lamp', 'desk'), /^lamp.light.example.com "desk" deleted/)
    })

    void test('caused no error in the server', () => {
      assert.deepEqual(server.lines, [])
    })
  })
}
