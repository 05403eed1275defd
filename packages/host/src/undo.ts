// Takes back what the ledger says was made on this host, newest first. Every step may run twice, and after a crash at any point.

import { access, lstat, rmdir, writeFile } from 'node:fs/promises'
import { readdir, readFile } from 'node:fs/promises'
import { sleep } from '@aksel/base/clock'
import type { Scope } from '@aksel/base/scope'
import { cgroupFolders, processesIn, removeCgroupFolder } from './cgroups.ts'
import { releaseSysctl } from './sysctl.ts'
import { removeContainerdFiles } from './containerd-files.ts'
import { CommandError, run, type CommandRunner } from './command.ts'
import type { HostObject, Ledger, LedgerEntry } from './ledger.ts'
import { isAtOrBelow, mountsBelow } from './mount-table.ts'
import { isRunning, signalProcess } from './process-table.ts'

/** How long one object may take to go: a killed process that waits for a disk, a device that is still held. */
const PATIENCE_MS = 10_000
const RETRY_MS = 10

export interface UndoRequest {
  readonly ledger: Ledger
  /** Only what this owner made; everything when absent. */
  readonly owner?: string
  readonly run?: CommandRunner
}

/** Undoes and strikes every entry. Goes on after a failure; rejects at the end with an AggregateError of all that stayed. */
export async function undoAll(scope: Scope, request: UndoRequest): Promise<void> {
  const failures: Error[] = []
  for (const entry of request.ledger.entries(request.owner)) {
    try {
      await undoEntry(scope, request, entry)
    } catch (cause) {
      const what = JSON.stringify(entry.object)
      failures.push(new Error(`Cannot undo ${what} of ${entry.owner}: ${(cause as Error).message}`, { cause }))
    }
  }
  if (failures.length > 0) {
    throw new AggregateError(failures, failures.map((failure) => failure.message).join('\n'))
  }
}

/** Undoes one entry and strikes it. */
export async function undoEntry(
  scope: Scope,
  request: Pick<UndoRequest, 'ledger' | 'run'>,
  entry: LedgerEntry,
): Promise<void> {
  await undoObject(scope, request.run ?? run, entry.object)
  await request.ledger.strike(entry)
}

async function undoObject(scope: Scope, runner: CommandRunner, object: HostObject): Promise<void> {
  switch (object.kind) {
    case 'process':
      return killProcess(scope, object)
    case 'network-namespace':
      if (await exists(`/run/netns/${object.name}`)) await runner(scope, ['ip', 'netns', 'delete', object.name])
      return
    case 'link':
      return unlessMissing(runner(scope, ['ip', 'link', 'delete', object.name]))
    case 'nft-table':
      return unlessMissing(runner(scope, ['nft', 'delete', 'table', object.family, object.name]))
    case 'route':
      return unlessMissing(
        runner(scope, [
          'ip',
          ...(object.destination.includes(':') ? ['-6'] : []),
          'route',
          'delete',
          object.destination,
        ]),
      )
    case 'address':
      return unlessMissing(runner(scope, ['ip', 'address', 'delete', object.address, 'dev', object.device]))
    case 'mounts':
      return unmountBelow(scope, runner, object.path)
    case 'loop-devices':
      return detachLoopDevices(scope, runner, object.path)
    case 'containerd-files':
      return removeContainerdFiles(object.path)
    case 'cgroup':
      return removeCgroup(scope, object.path)
    case 'path':
      return removePath(scope, runner, object.path)
    case 'empty-folder':
      return removeEmptyFolder(object.path)
    case 'sysctl':
      return releaseSysctl(object)
    default:
      return object satisfies never
  }
}

/** What somebody put there meanwhile is theirs. */
async function removeEmptyFolder(path: string): Promise<void> {
  try {
    await rmdir(path)
  } catch (error) {
    if (!['ENOENT', 'ENOTEMPTY', 'EEXIST', 'EBUSY'].includes((error as NodeJS.ErrnoException).code ?? '')) throw error
  }
}

/** The words of ip and nft for "there is no such thing", which is what an undo wants. */
const missingWords =
  /Cannot find device|Address not found|Cannot assign requested address|No such process|No such file or directory|does not exist|No such device/

async function unlessMissing(work: Promise<unknown>): Promise<void> {
  try {
    await work
  } catch (error) {
    if (!(error instanceof CommandError && error.code !== undefined && missingWords.test(error.stderr))) throw error
  }
}

/** Repeats until `attempt` says true or patience ends. */
async function until(scope: Scope, what: string, attempt: () => Promise<boolean>): Promise<void> {
  const startMs = scope.clock.monotonicMs()
  while (!(await attempt())) {
    if (scope.clock.monotonicMs() - startMs > PATIENCE_MS) throw new Error(`${what} after ${PATIENCE_MS} ms`)
    await sleep(scope.clock, RETRY_MS, scope.signal)
  }
}

async function killProcess(scope: Scope, process: { pid: number; startTicks: string }): Promise<void> {
  if (!(await isRunning(process))) return
  signalProcess(process.pid, 'SIGKILL')
  await until(scope, `process ${process.pid} still runs`, async () => !(await isRunning(process)))
}

async function removeCgroup(scope: Scope, path: string): Promise<void> {
  await until(scope, `cgroup ${path} is still in use`, async () => {
    let gone = true
    for (const folder of await cgroupFolders(path)) {
      await thaw(folder)
      const pids = await processesIn(folder)
      for (const pid of pids) signalProcess(pid, 'SIGKILL')
      if (pids.length > 0 || !(await removeCgroupFolder(folder))) gone = false
    }
    return gone
  })
}

/** A frozen process dies only after it is thawed. */
async function thaw(folder: string): Promise<void> {
  for (const [file, value] of [
    ['freezer.state', 'THAWED'],
    ['cgroup.freeze', '0'],
  ] as const) {
    if (await exists(`${folder}/${file}`)) await writeFile(`${folder}/${file}`, value).catch(ignoreGone)
  }
}

function ignoreGone(error: NodeJS.ErrnoException): void {
  if (error.code !== 'ENOENT' && error.code !== 'ENODEV') throw error
}

/** Deepest first; what is busy is detached lazily: it vanishes from the tree at once and from the kernel with its last user. */
async function unmountBelow(scope: Scope, runner: CommandRunner, path: string): Promise<void> {
  await until(scope, `mounts remain below ${path}`, async () => {
    const mounts = await mountsBelow(path)
    if (mounts.length === 0) return true
    for (const mountPoint of mounts) {
      try {
        await runner(scope, ['umount', '--no-canonicalize', mountPoint])
      } catch (error) {
        if (!(error instanceof CommandError)) throw error
        await runner(scope, ['umount', '--no-canonicalize', '--lazy', mountPoint]).catch(() => {})
      }
    }
    return (await mountsBelow(path)).length === 0
  })
}

async function detachLoopDevices(scope: Scope, runner: CommandRunner, path: string): Promise<void> {
  await until(scope, `loop devices of files below ${path} are still held`, async () => {
    const devices = await loopDevicesBelow(path)
    for (const device of await withTheirs(scope, runner, devices))
      await runner(scope, ['losetup', '--detach', device]).catch(() => {})
    return devices.length === 0 || (await loopDevicesBelow(path)).length === 0
  })
}

/**
 * Those of files on the file systems of these devices, and so on, come first: a program on the machine's disk made them, and they
 * hold it. Their files' names are those of a place that is gone; the number of the disk is not.
 */
async function withTheirs(scope: Scope, runner: CommandRunner, devices: readonly string[]): Promise<readonly string[]> {
  if (devices.length === 0) return []
  const { stdout } = await runner(scope, ['losetup', '--list', '--noheadings', '--output', 'NAME,MAJ:MIN,BACK-MAJ:MIN'])
  const rows = stdout.split('\n').map((line) => line.trim().split(/\s+/))
  const ordered: string[] = []
  const visit = (device: string): void => {
    if (ordered.includes(device)) return
    const number = rows.find(([name]) => name === device)?.[1]
    for (const [name, , disk] of rows) if (number !== undefined && disk === number) visit(name!)
    ordered.push(device)
  }
  devices.forEach(visit)
  return ordered
}

/** Loop devices (`/dev/loop3`) whose backing file lies at or below the path, deleted files included. */
export async function loopDevicesBelow(path: string): Promise<readonly string[]> {
  const names = (await readdir('/sys/block')).filter((name) => name.startsWith('loop'))
  const found = await Promise.all(
    names.map(async (name) => {
      const file = await readFile(`/sys/block/${name}/loop/backing_file`, 'utf8').catch(() => '')
      return isAtOrBelow(file.trim().replace(/ \(deleted\)$/, ''), path) ? [`/dev/${name}`] : []
    }),
  )
  return found.flat()
}

/** By `rm`, which has a deadline and stays on its file system: a mount that slipped in between is not emptied. */
async function removePath(scope: Scope, runner: CommandRunner, path: string): Promise<void> {
  if (!path.startsWith('/') || path.split('/').filter((part) => part !== '').length < 2) {
    throw new Error(`"${path}" is too near the root to be removed`)
  }
  const mounts = await mountsBelow(path)
  if (mounts.length > 0) throw new Error(`${mounts.length} mounts are still below ${path}, such as ${mounts[0]}`)
  if (await exists(path, lstat)) await runner(scope, ['rm', '-rf', '--one-file-system', '--', path])
}

async function exists(path: string, probe: (path: string) => Promise<unknown> = access): Promise<boolean> {
  return probe(path).then(
    () => true,
    () => false,
  )
}
