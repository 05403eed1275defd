// `aksel node leave`: takes back what `join` and the node made on this host. The Node object stays: a node may not delete itself.

import { existsSync } from 'node:fs'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { Scope } from '@aksel/base/scope'
import { ignoreMissing, readJson } from '@aksel/host/durable-file'
import { signalProcess, isRunning, type ProcessIdentity } from '@aksel/host/process-table'
import { createCriClient } from '@aksel/node/cri/cri-client'
import type { ContainerRuntime } from '@aksel/node/cri/types'
import { undoHost } from '../commands/down.ts'
import { readJsonFile } from '../files.ts'
import type { CliOptions } from '../options.ts'
import type { Progress } from '../progress.ts'
import { removeData } from '../remove-data.ts'
import { hostScope, refuseServersFolder } from './join.ts'
import { joinedFile, openJoinedHost, type JoinedRecord } from './joined-host.ts'

/** Idempotent. Resolves with what it was; undefined where this host had joined nothing. */
export async function leaveCluster(options: CliOptions, progress: Progress): Promise<JoinedRecord | undefined> {
  const { dataDir } = options
  refuseServersFolder(dataDir)
  if (!existsSync(joinedFile(dataDir)) && !existsSync(join(dataDir, 'ledger'))) return undefined
  const scope = hostScope()
  const record = readJsonFile<JoinedRecord>(joinedFile(dataDir))
  if (record !== undefined) {
    progress.step('Ending the pods')
    await endPods(scope, options, record)
  }
  progress.step('Removing what was made on this host')
  await undoHost(scope, dataDir, { purge: true })
  await removeData(dataDir)
  return record
}

/** Through the runtime, as long as it answers: it takes back what the network plugins made in the host's own namespace. */
async function endPods(scope: Scope, options: CliOptions, record: JoinedRecord): Promise<void> {
  await using host = await openJoinedHost(scope, options, record.machine.spec.name)
  const { root, containerdSocket } = host.paths
  const loop = await readJson<ProcessIdentity>(join(root, 'agent.loop.json'))
  if (loop !== undefined && (await isRunning(loop))) signalProcess(loop.pid, 'SIGKILL')
  const agent = Number(await ignoreMissing(readFile(join(root, 'agent.pid'), 'utf8')))
  if (loop !== undefined && agent > 0) signalProcess(agent, 'SIGKILL')
  try {
    using runtime = await createCriClient(scope, { socketPath: containerdSocket })
    for (const { id } of await runtime.listPodSandboxes()) await endPod(runtime, id)
  } catch (error) {
    process.stderr.write(`containerd does not answer; its containers are killed: ${(error as Error).message}\n`)
  }
}

async function endPod(runtime: ContainerRuntime, id: string): Promise<void> {
  await runtime.stopPodSandbox(id)
  await runtime.removePodSandbox(id)
}
