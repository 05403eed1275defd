// A machine waits for its node to end the pods, where it was given time for them.

import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { systemClock } from '@aksel/base/clock'
import { systemRandom } from '@aksel/base/ids'
import { silentLog } from '@aksel/base/log'
import type { Scope } from '@aksel/base/scope'
import { machinePaths } from './machine-files.ts'
import { shutDown } from './shut-down.ts'

const scope: Scope = {
  clock: systemClock(),
  random: systemRandom(),
  log: silentLog(),
  signal: new AbortController().signal,
}

test('shutDown() tells the agent and waits for its word, only where the configuration gives time', async () => {
  const directory = await mkdtemp(join(tmpdir(), 'aksel-shut-down-'))
  const paths = machinePaths(directory, '/aksel-test', { key: 'm', hasDisk: false })
  await mkdir(paths.agentRoot, { recursive: true })
  const told = join(paths.root, 'told')
  const script = `trap 'echo told > ${told}; echo done > ${paths.agentRoot}/shut-down' PWR; echo ready; while :; do sleep 0.05; done`
  const agent = spawn('sh', ['-c', script], { stdio: ['ignore', 'pipe', 'ignore'] })
  try {
    await once(agent.stdout, 'data')
    await writeFile(`${paths.root}/agent.pid`, `${agent.pid}\n`)
    const { access } = await import('node:fs/promises')
    await writeFile(paths.agentConfig, JSON.stringify({ kubelet: {} }))
    await shutDown(scope, paths)
    await assert.rejects(access(told), /ENOENT/, 'no time, no word')
    await writeFile(paths.agentConfig, JSON.stringify({ kubelet: { shutdownGracePeriod: '30s' } }))
    await shutDown(scope, paths)
    await access(told)
    await access(join(paths.agentRoot, 'shut-down'))
  } finally {
    agent.kill('SIGKILL')
    await rm(directory, { recursive: true })
  }
})
