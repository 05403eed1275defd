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

test('a server killed while it makes a cluster finishes it when it comes back', { timeout: 180_000 }, async () => {
  const first = aksel.run(['up', '--nodes', '1'], { timeoutMs: 100_000 })
  await serverAppears()
  process.kill(await aksel.serverPid(), 'SIGKILL')
  await first
  await aksel.ok(['up', '--nodes', '1'], { timeoutMs: 100_000 })
  assert.equal((await aksel.kubectl('get nodes')).match(/ Ready /g)?.length, 1)
})

/** The server says when it answers; from then on the cluster is being made. */
async function serverAppears(): Promise<void> {
  const { watch } = await import('node:fs/promises')
  const { mkdir } = await import('node:fs/promises')
  await mkdir(join(aksel.dataDir, 'server'), { recursive: true })
  const deadline = AbortSignal.timeout(60_000)
  const isReady = async (): Promise<boolean> => {
    try {
      return (JSON.parse(await readFile(join(aksel.dataDir, 'server', 'server.json'), 'utf8')) as { ready: boolean })
        .ready
    } catch {
      return false
    }
  }
  const changes = watch(join(aksel.dataDir, 'server'), { signal: deadline })
  if (await isReady()) return
  for await (const _ of changes) if (await isReady()) return
}

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

test('purge leaves nothing behind, also after kill -9 at random moments', { timeout: 240_000 }, async () => {
  const random = seededRandom(20261124)
  const before = await hostState()
  for (let round = 0; round < 3; round += 1) {
    const other = await Aksel.inNewFolder()
    const up = other.run(['up', '--nodes', '2'], { timeoutMs: 60_000 })
    await new Promise((resolve) => setTimeout(resolve, 200 + fraction(random) * 3000))
    await runProgram(['pkill', '-9', '-f', `apps/server/src/main.ts --data ${other.dataDir}`])
    await up
    await other[Symbol.asyncDispose]()
    assert.deepEqual(await hostState(), before, `round ${round}`)
  }
})
