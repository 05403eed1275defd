// Asks a node to end its pods before its machine stops, as an init system asks the kubelet on AKS.

import { access, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { durationMs } from '@aksel/base/duration'
import type { Scope } from '@aksel/base/scope'
import { identify, isRunning, signalProcess } from '@aksel/host/process-table'
import type { AgentConfig } from './agent-config.ts'
import { changeBelow } from './folder-change.ts'
import type { MachinePaths } from './machine-files.ts'

/** Beyond the pods' own time: for the news to reach the server, and the last status to be written. */
const MARGIN_MS = 5000

/** At once where the node's configuration gives its pods no time, as on AKS, or where no agent runs. */
export async function shutDown(scope: Scope, paths: MachinePaths): Promise<void> {
  const config = await readIfThere(paths.agentConfig)
  const graceMs = config === undefined ? 0 : shutdownMs((JSON.parse(config) as AgentConfig).kubelet ?? {})
  if (graceMs === 0) return
  const pid = Number(await readIfThere(`${paths.root}/agent.pid`))
  const agent = Number.isInteger(pid) && pid > 0 ? await identify(pid) : undefined
  if (agent === undefined) return
  const done = join(paths.agentRoot, 'shut-down')
  const untilMs = scope.clock.monotonicMs() + graceMs + MARGIN_MS
  signalProcess(agent.pid, 'SIGPWR')
  while (!(await isThere(done)) && (await isRunning(agent))) {
    const leftMs = untilMs - scope.clock.monotonicMs()
    if (leftMs <= 0) {
      scope.log.warn('a node did not end its pods in time', { machine: paths.key })
      return
    }
    await changeBelow(scope, paths.agentRoot, Math.min(leftMs, 500))
  }
}

function shutdownMs(kubelet: Readonly<Record<string, unknown>>): number {
  const groups = kubelet['shutdownGracePeriodByPodPriority']
  if (Array.isArray(groups)) {
    const seconds = groups.map(
      (group) => (group as { readonly shutdownGracePeriodSeconds: number }).shutdownGracePeriodSeconds,
    )
    return seconds.reduce((sum, each) => sum + each, 0) * 1000
  }
  const period = kubelet['shutdownGracePeriod']
  return typeof period === 'string' ? durationMs('shutdownGracePeriod', period) : 0
}

async function readIfThere(path: string): Promise<string | undefined> {
  try {
    return await readFile(path, 'utf8')
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined
    throw error
  }
}

function isThere(path: string): Promise<boolean> {
  return access(path).then(
    () => true,
    () => false,
  )
}
