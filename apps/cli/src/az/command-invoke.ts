// `az aks command invoke` and `result`: a command line run inside a cluster, with files from here.

import { readdir, readFile, stat } from 'node:fs/promises'
import { basename, join, relative } from 'node:path'
import type { Command } from 'commander'
import { sleep, systemClock } from '@aksel/base/clock'
import { AzError } from './az-error.ts'
import { clusterPath, named, type ClusterFlags } from './cluster-path.ts'
import { addLeaf, required } from './command.ts'
import { get, type Session } from './session.ts'

interface Result {
  readonly id: string
  readonly properties: {
    readonly provisioningState: 'Running' | 'Succeeded' | 'Failed'
    readonly exitCode?: number
    readonly startedAt?: string
    readonly finishedAt?: string
    readonly logs?: string
    readonly reason?: string
  }
}

export function addCommandInvoke(aks: Command, session: Session): void {
  const command = aks.command('command').description('See detail usage in `az aks command invoke`.')
  addLeaf<ClusterFlags & { readonly command: string; readonly file?: readonly string[] }>(command, session, 'invoke', {
    description: 'Run a shell command (with kubectl, helm) on your aks cluster, support attaching files as well.',
    flags: (leaf) =>
      named(leaf)
        .addOption(required('-c, --command <command>', 'command or shell script to run'))
        .option('-f, --file <file...>', 'files for the command; . attaches the current folder')
        .option('--no-wait', 'do not wait for the end'),
    run: async (_, flags) => {
      const context = flags.file === undefined ? undefined : await zipOf(flags.file)
      const path = `${clusterPath(session, flags)}/runCommand`
      const body = { command: flags.command, ...(context === undefined ? {} : { context }) }
      const { body: started } = await session.arm().send<Result>({ method: 'POST', path, body })
      if (flags.wait === false) return { id: started.id }
      return told(session, await ended(session, flags, started.id))
    },
  })
  addLeaf<ClusterFlags & { readonly commandId: string }>(command, session, 'result', {
    description: 'Fetch result from previously triggered `aks command invoke`.',
    flags: (leaf) => named(leaf).addOption(required('-i, --command-id <id>', 'id of the command')),
    run: async (_, flags) => told(session, await read(session, flags, flags.commandId)),
  })
}

const read = (session: Session, flags: ClusterFlags, id: string): Promise<Result> =>
  get<Result>(session, `${clusterPath(session, flags)}/commandResults/${encodeURIComponent(id)}`)

async function ended(session: Session, flags: ClusterFlags, id: string): Promise<Result> {
  while (true) {
    const result = await read(session, flags, id)
    if (result.properties.provisioningState !== 'Running') return result
    await sleep(systemClock(), 500)
  }
}

/** In the words of az. */
function told(session: Session, { properties }: Result): undefined {
  const { provisioningState, startedAt, finishedAt, exitCode, logs = '', reason } = properties
  switch (provisioningState) {
    case 'Succeeded':
      session.terminal.out(
        `command started at ${startedAt}, finished at ${finishedAt} with exitcode=${exitCode}\n${logs.replace(/\n$/, '')}\n`,
      )
      return undefined
    case 'Failed':
      throw new AzError(`command failed with reason: ${reason}`)
    case 'Running':
      session.terminal.out('command is in Running state\n')
      return undefined
    default:
      return provisioningState satisfies never
  }
}

/** Base64 of an archive: a file by its name, the current folder whole. */
async function zipOf(files: readonly string[]): Promise<string> {
  const { ZipFile } = await import('yazl')
  const zip = new ZipFile()
  const isFolder = files.length === 1 && files[0] === '.'
  if (!isFolder && files.includes('.'))
    throw new AzError('. is used to attach current folder, not expecting other attachements.', 2)
  const paths = isFolder ? await filesBelow('.') : files
  for (const path of paths) {
    if (!(await stat(path)).isFile()) throw new AzError(`${path} is not valid file, or not accessable.`, 2)
    zip.addBuffer(await readFile(path), isFolder ? relative('.', path) : basename(path))
  }
  zip.end()
  const pieces: Uint8Array[] = []
  for await (const piece of zip.outputStream) pieces.push(piece as Uint8Array)
  return Buffer.concat(pieces).toString('base64')
}

async function filesBelow(folder: string): Promise<readonly string[]> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true })
  return entries.filter((entry) => entry.isFile()).map((entry) => join(entry.parentPath, entry.name))
}
