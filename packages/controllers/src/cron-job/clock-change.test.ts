// A night in which the clocks are changed, seen through the real kubectl: the server, its loops and their clock are in this process.

import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { serviceAccounts } from '@aksel/api/resources'
import { admin, kubeconfigFor, startTestServer } from '@aksel/apiserver/test-server'
import { seededRandom } from '@aksel/base/ids'
import { silentLog } from '@aksel/base/log'
import { createCaches } from '@aksel/runtime/caches'
import { runControllers } from '@aksel/runtime/runner'
import { SimulatedClock } from '@aksel/testing/simulated-clock'
import { kubernetesTool } from '@aksel/host/kubernetes-tools'
import { cronJobController } from './controller.ts'

const MINUTE_MS = 60_000
const scheduled =
  '{range .items[*]}{.metadata.annotations.batch\\.kubernetes\\.io/cronjob-scheduled-timestamp}{"\\n"}{end}'

interface Night extends AsyncDisposable {
  kubectl(...command: readonly string[]): Promise<string>
  /** Lets so many minutes pass. */
  pass(minutes: number): Promise<void>
}

/** A cluster whose wall clock shows this time, and moves when it is told to. */
async function nightFrom(time: string): Promise<Night> {
  const clock = new SimulatedClock(Date.parse(time))
  const stop = new AbortController()
  const scope = { clock, random: seededRandom(11), log: silentLog(), signal: stop.signal }
  const test = await startTestServer({ scope })
  const client = test.client()
  await client.create(serviceAccounts, { metadata: { name: 'default', namespace: 'default' } })
  const caches = createCaches(scope, client)
  const loops = runControllers(scope, { caches, controllers: [cronJobController({ client, caches })] })
  const directory = await mkdtemp(join(tmpdir(), 'aksel-night-'))
  const kubeconfig = join(directory, 'config')
  // kubectl judges certificates by this machine's clock, which knows nothing of this night.
  const text = JSON.stringify(await kubeconfigFor(test, admin))
  await writeFile(kubeconfig, text.replace(/"certificate-authority-data":"[^"]*"/, '"insecure-skip-tls-verify":true'))
  const tool = await kubernetesTool(join(import.meta.dirname, '../../../..'), 'kubectl')
  return {
    kubectl: (...command) =>
      new Promise((resolve, reject) => {
        const environment = { ...process.env, KUBECONFIG: kubeconfig, HOME: directory }
        execFile(tool, command, { env: environment, timeout: 30_000 }, (error, stdout, stderr) =>
          error === null ? resolve(stdout.trim()) : reject(new Error(stderr, { cause: error })),
        )
      }),
    async pass(minutes) {
      for (let minute = 0; minute < minutes; minute += 1) await clock.run(MINUTE_MS)
    },
    async [Symbol.asyncDispose]() {
      stop.abort(new Error('The test ended'))
      await loops
      await caches[Symbol.asyncDispose]()
      await test[Symbol.asyncDispose]()
      await rm(directory, { recursive: true, force: true })
    },
  }
}

async function order(night: Night): Promise<void> {
  await night.kubectl('create', 'cronjob', 'report', '--image=web:1', '--schedule=30 2 * * *')
  await night.kubectl('patch', 'cronjob', 'report', '-p', '{"spec":{"timeZone":"Europe/Berlin"}}')
}

function runs(night: Night): Promise<string> {
  return night.kubectl('get', 'jobs', '--sort-by=.metadata.creationTimestamp', '-o', `jsonpath=${scheduled}`)
}

test('kubectl shows a job at half past two twice in the night when the clocks go back', async () => {
  await using night = await nightFrom('2026-10-25T00:00:00Z')
  await order(night)
  await night.pass(29)
  assert.equal(await runs(night), '')
  await night.pass(2)
  assert.equal(await runs(night), '2026-10-25T02:30:00+02:00')
  await night.pass(58)
  assert.equal(await runs(night), '2026-10-25T02:30:00+02:00')
  await night.pass(2)
  assert.equal(await runs(night), '2026-10-25T02:30:00+02:00\n2026-10-25T02:30:00+01:00')
  const last = await night.kubectl('get', 'cronjob', 'report', '-o', 'jsonpath={.status.lastScheduleTime}')
  assert.equal(last, '2026-10-25T01:30:00Z')
  await night.pass(20 * 60)
  assert.equal((await runs(night)).split('\n').length, 2)
})

test('kubectl shows none in the hour that is skipped when they go forward, and the next night’s at its time', async () => {
  await using night = await nightFrom('2026-03-29T00:50:00Z')
  await order(night)
  await night.pass(6 * 60)
  assert.equal(await runs(night), '')
  assert.match(await night.kubectl('get', 'cronjob', 'report', '--no-headers'), /Europe\/Berlin\s+False\s+0\s+<none>/)
  await night.pass(17 * 60 + 42)
  assert.equal(await runs(night), '2026-03-30T02:30:00+02:00')
})
