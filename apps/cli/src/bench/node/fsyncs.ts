// Counts the times that processes make the disk wait: fsync and fdatasync, as the kernel's own tracer sees them.

import { mkdir, mkdtemp, readFile, readdir, rmdir, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Scope } from '@aksel/base/scope'
import { run } from '@aksel/host/command'

const CALLS = ['sys_enter_fsync', 'sys_enter_fdatasync'] as const

/** Of these processes, all their threads included, while the work goes on; undefined where the kernel offers no tracer. */
export async function countFsyncs(
  scope: Scope,
  pids: readonly number[],
  work: () => Promise<void>,
): Promise<number | undefined> {
  const root = await mkdtemp(join(tmpdir(), 'aksel-trace-'))
  try {
    await run(scope, ['mount', '-t', 'tracefs', 'tracefs', root])
  } catch {
    await rmdir(root)
    await work()
    return undefined
  }
  const instance = join(root, 'instances', `aksel-${process.pid}`)
  try {
    await mkdir(instance)
    const threads = await Promise.all(pids.map((pid) => readdir(`/proc/${pid}/task`)))
    await writeFile(join(instance, 'options', 'event-fork'), '1')
    await writeFile(join(instance, 'set_event_pid'), threads.flat().join(' '))
    await enable(instance, true)
    await work()
    await enable(instance, false)
    const lines = (await readFile(join(instance, 'trace'), 'latin1')).split('\n')
    return lines.filter((line) => /sys_f(data)?sync\(/.test(line)).length
  } finally {
    await rmdir(instance).catch(() => {})
    await run(scope, ['umount', root])
    await rmdir(root)
  }
}

async function enable(instance: string, isOn: boolean): Promise<void> {
  for (const call of CALLS) await writeFile(join(instance, 'events/syscalls', call, 'enable'), isOn ? '1' : '0')
}
