// kill -9 at bad moments: what was acknowledged is there, what was begun is finished, what is purged is gone.

import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { createClient } from '@aksel/client/typed-client'
import { configMaps } from '@aksel/api/resources'
import { createHttpsTransport } from '@aksel/runtime/https-transport'
import { parseKubeconfig } from '@aksel/runtime/kubeconfig'
import { fraction, seededRandom } from '@aksel/base/ids'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { Aksel, runProgram } from './aksel.ts'
import { hostState } from './host-state.ts'

let aksel: Aksel

before(async () => {
  aksel = await Aksel.inNewFolder()
})

after(async () => {
  await aksel[Symbol.asyncDispose]()
})

/** Ends the server at once when `up` says that it does this, and `up` with it. */
async function killedAt(where: Aksel, step: RegExp): Promise<void> {
  await using up = where.start(['up', '--nodes', '1'])
  await up.says(step)
  process.kill(await where.serverPid(), 'SIGKILL')
}

async function finishesByItself(where: Aksel): Promise<void> {
  const result = JSON.parse(await where.ok(['up', '-o', 'json'], { timeoutMs: 60_000 })) as { changed: boolean }
  assert.equal(result.changed, false, 'the second up had nothing to ask for')
  assert.equal((await where.kubectl('get nodes')).match(/ Ready /g)?.length, 1)
}

test('a server killed once it has accepted a cluster makes it when it comes back', { timeout: 120_000 }, async () => {
  await using other = await Aksel.inNewFolder()
  await killedAt(other, /Creating cluster demo/)
  await finishesByItself(other)
})

test('a server killed while machines start finishes the cluster when it comes back', { timeout: 120_000 }, async () => {
  await killedAt(aksel, /Starting machines of pool nodepool1|Waiting for nodes/)
  await finishesByItself(aksel)
})

test('every acknowledged write survives kill -9 in the middle of a thousand', { timeout: 120_000 }, async () => {
  const access = await parseKubeconfig(await readFile(join(aksel.dataDir, 'kubeconfig'), 'utf8'))
  const acknowledged: string[] = []
  {
    await using transport = createHttpsTransport(access)
    const client = createClient(transport)
    const pid = await aksel.serverPid()
    const writers = Array.from({ length: 8 }, async (_, writer) => {
      for (let index = 0; index < 125; index += 1) {
        const name = `w-${writer}-${index}`
        try {
          await client.create(configMaps, {
            apiVersion: 'v1',
            kind: 'ConfigMap',
            metadata: { name, namespace: 'default' },
            data: { writer: String(writer) },
          })
        } catch {
          return
        }
        acknowledged.push(name)
        if (acknowledged.length === 500) process.kill(pid, 'SIGKILL')
      }
    })
    await Promise.all(writers)
  }
  assert.ok(acknowledged.length >= 500, `only ${acknowledged.length} writes were acknowledged`)
  await aksel.ok(['up'], { timeoutMs: 90_000 })
  const found = new Set(
    (await aksel.kubectl('get configmaps -o name')).split('\n').map((line) => line.replace('configmap/', '')),
  )
  assert.deepEqual(
    acknowledged.filter((name) => !found.has(name)),
    [],
  )
})

test('a lost node becomes NotReady, and its pods are replaced elsewhere', { timeout: 180_000 }, async () => {
  await aksel.ok(['up', '--nodes', '2'], { timeoutMs: 100_000 })
  await aksel.kubectl(['apply', '-f', '-'], { input: fastLeaving })
  await aksel.kubectl('rollout status deployment/fast --timeout=60s')
  const node = (await aksel.kubectl('get pods -l app=fast -o jsonpath={.items[0].spec.nodeName}')).trim()
  // The whole machine: its programs and everything they started.
  await runProgram(['pkill', '-9', '-f', `${aksel.dataDir}/machines/[0-9a-f]+-${node.replace('aks-', '')}/`])
  await aksel.kubectl(`wait node/${node} --for=condition=Ready=Unknown --timeout=100s`, { timeoutMs: 110_000 })
  await aksel.kubectl('rollout status deployment/fast --timeout=60s')
  const places = await aksel.kubectl(
    'get pods -l app=fast --field-selector=status.phase=Running -o jsonpath={.items[*].spec.nodeName}',
  )
  assert.ok(
    places.split(' ').some((place) => place !== node),
    places,
  )
})

/** A deployment that leaves a lost node at once. */
const fastLeaving = `
apiVersion: apps/v1
kind: Deployment
metadata: {name: fast}
spec:
  replicas: 1
  selector: {matchLabels: {app: fast}}
  template:
    metadata: {labels: {app: fast}}
    spec:
      terminationGracePeriodSeconds: 1
      tolerations:
        - {key: node.kubernetes.io/unreachable, operator: Exists, effect: NoExecute, tolerationSeconds: 1}
        - {key: node.kubernetes.io/not-ready, operator: Exists, effect: NoExecute, tolerationSeconds: 1}
      containers:
        - {name: c, image: "docker.io/library/busybox:1.36", command: [sleep, "3600"]}
`

/** Command lines, below the data folder, of what is killed in a round. */
const victims = {
  server: (dataDir: string) => [`src/main\\.ts --data ${dataDir}( |$)`],
  'agents and containerd': (dataDir: string) => [
    `main\\.ts --config ${dataDir}/machines`,
    `^containerd --config ${dataDir}/machines`,
  ],
  'server, agents and containerd': (dataDir: string) => [
    `src/main\\.ts --data ${dataDir}( |$)`,
    `main\\.ts --config ${dataDir}/machines`,
    `^containerd --config ${dataDir}/machines`,
  ],
  'everything with its name': (dataDir: string) => [`${dataDir}[/ ]`],
} as const

for (const [index, [who, patterns]] of Object.entries(victims).entries()) {
  test(
    `purge leaves nothing behind, also after kill -9 of ${who} at a random moment`,
    { timeout: 120_000 },
    async () => {
      const random = seededRandom(20261124 + index)
      const untouched = await hostState()
      const other = await Aksel.inNewFolder()
      {
        await using _up = other.start(['up', '--nodes', '2'])
        // A moment, not a wait for something: any is as good as another.
        await new Promise((resolve) => setTimeout(resolve, 200 + fraction(random) * 2500))
        for (const pattern of patterns(other.dataDir)) await runProgram(['pkill', '-9', '-f', pattern])
      }
      await other[Symbol.asyncDispose]()
      assert.deepEqual(await hostState(), untouched)
    },
  )
}
