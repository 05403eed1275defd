// When probes run and what their verdicts are, in simulated time; and single checks against real sockets.

import assert from 'node:assert/strict'
import { once } from 'node:events'
import { createServer as createHttpServer } from 'node:http'
import { createServer } from 'node:net'
import type { AddressInfo } from 'node:net'
import { test } from 'node:test'
import type { Container, Probe } from '@aksel/api/types/core-v1'
import { testScope } from '@aksel/testing/test-scope'
import type { ContainerRuntime } from '../cri/types.ts'
import { check } from './check.ts'
import type { CheckRequest } from './check.ts'
import { ContainerProber } from './prober.ts'
import type { ProbeKind } from './prober.ts'

const tcp: Probe = { tcpSocket: { port: 1 }, periodSeconds: 10, failureThreshold: 3, successThreshold: 1 }

function setUp(container: Partial<Container>, known?: { started: boolean; ready: boolean }) {
  const scope = testScope()
  const health = { startup: true, liveness: true, readiness: true }
  const runs: string[] = []
  const failures: ProbeKind[] = []
  let changes = 0
  const full: Container = { name: 'main', ...container }
  const kindOf = (probe: Probe): ProbeKind =>
    probe === full.startupProbe ? 'startup' : probe === full.livenessProbe ? 'liveness' : 'readiness'
  const prober = new ContainerProber(scope, {
    container: full,
    startedAtMs: scope.clock.now(),
    ...(known === undefined ? {} : { known }),
    check: async (probe) => {
      const kind = kindOf(probe)
      runs.push(`${kind}@${scope.clock.monotonicMs() / 1000}`)
      return { healthy: health[kind], output: 'bad' }
    },
    onResult: () => {},
    onChange: () => (changes += 1),
    onFailure: (kind) => failures.push(kind),
    onWarning: () => {},
  })
  return { scope, prober, health, runs, failures, changes: () => changes }
}

test('a container without probes is started and ready', () => {
  const { prober } = setUp({})
  assert.deepEqual(prober.verdicts, { startup: 'success', liveness: 'success' })
  assert.equal(prober.ready, true)
})

test('liveness fails after as many failures in a row as it says', async () => {
  const { scope, prober, health, failures } = setUp({ livenessProbe: { ...tcp, initialDelaySeconds: 5 } })
  health.liveness = false
  await scope.clock.run(24_000)
  assert.equal(prober.verdicts.liveness, 'success')
  await scope.clock.run(2000)
  assert.equal(prober.verdicts.liveness, 'failure')
  assert.equal(failures.length, 3)
  prober[Symbol.dispose]()
  assert.equal(scope.clock.timerCount, 0)
})

test('one success between failures begins the count anew', async () => {
  const { scope, prober, health } = setUp({ livenessProbe: tcp })
  health.liveness = false
  await scope.clock.run(15_000)
  health.liveness = true
  await scope.clock.run(10_000)
  health.liveness = false
  await scope.clock.run(20_000)
  assert.equal(prober.verdicts.liveness, 'success')
  prober[Symbol.dispose]()
})

test('readiness comes with the first success and goes with failures', async () => {
  const { scope, prober, health, changes } = setUp({ readinessProbe: { ...tcp, failureThreshold: 1 } })
  assert.equal(prober.ready, false)
  await scope.clock.run(1)
  assert.equal(prober.ready, true)
  health.readiness = false
  await scope.clock.run(10_000)
  assert.equal(prober.ready, false)
  assert.equal(changes(), 2)
  prober[Symbol.dispose]()
})

test('other probes wait for the startup probe, which then runs no more', async () => {
  const { scope, prober, health, runs } = setUp({
    startupProbe: { ...tcp, periodSeconds: 3, failureThreshold: 10 },
    livenessProbe: { ...tcp },
  })
  health.startup = false
  await scope.clock.run(7000)
  assert.deepEqual(runs, ['startup@0', 'startup@3', 'startup@6'])
  health.startup = true
  await scope.clock.run(3000)
  assert.equal(prober.verdicts.startup, 'success')
  runs.length = 0
  await scope.clock.run(12_000)
  assert.ok(runs.every((run) => run.startsWith('liveness')) && runs.length >= 1, runs.join())
  prober[Symbol.dispose]()
})

test('what an earlier agent found is kept until a probe says otherwise', async () => {
  const probes = { startupProbe: { ...tcp }, readinessProbe: { ...tcp, failureThreshold: 2 } }
  const { scope, prober, health } = setUp(probes, { started: true, ready: true })
  health.readiness = false
  await scope.clock.run(1)
  assert.deepEqual([prober.verdicts.startup, prober.ready], ['success', true])
  await scope.clock.run(10_000)
  assert.equal(prober.ready, false)
  prober[Symbol.dispose]()
})

const runtime = {
  execSync: async (_id: string, command: readonly string[]) => ({
    exitCode: command[0] === 'true' ? 0 : 1,
    stdout: Buffer.from('out '),
    stderr: Buffer.from('err'),
  }),
} as unknown as ContainerRuntime

function checkOf(handler: CheckRequest['handler'], port = 0): ReturnType<typeof check> {
  const container = { name: 'main', ports: [{ name: 'http', containerPort: port }] }
  return check(testScope(), runtime, { handler, container, containerId: 'c', podIp: '127.0.0.1', timeoutMs: 1000 })
}

test('check() runs commands and gives their output', async () => {
  assert.equal((await checkOf({ exec: { command: ['true'] } })).healthy, true)
  assert.deepEqual(await checkOf({ exec: { command: ['false'] } }), { healthy: false, output: 'out err' })
})

test('check() takes 200 to 399 for health, finds named ports, and says what came instead', async (t) => {
  const server = createHttpServer((request, response) => {
    response.statusCode = Number(request.url!.slice(1))
    response.end('hello')
  }).listen(0, '127.0.0.1')
  t.after(() => server.close())
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  assert.deepEqual(await checkOf({ httpGet: { port: 'http', path: '/302' } }, port), { healthy: true, output: '' })
  assert.deepEqual(await checkOf({ httpGet: { port, path: '/503' } }), {
    healthy: false,
    output: 'HTTP probe failed with statuscode: 503',
  })
})

test('check() words a refused connection as Go does', async () => {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  assert.equal((await checkOf({ tcpSocket: { port } })).healthy, true)
  server.close()
  await once(server, 'close')
  const refused = `dial tcp 127.0.0.1:${port}: connect: connection refused`
  assert.deepEqual(await checkOf({ tcpSocket: { port } }), { healthy: false, output: refused })
  assert.deepEqual(await checkOf({ httpGet: { port, path: '/x' } }), {
    healthy: false,
    output: `Get "http://127.0.0.1:${port}/x": ${refused}`,
  })
})
