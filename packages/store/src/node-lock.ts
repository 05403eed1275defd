// Exclusive use of a folder that ends with the process, even with kill -9. Node has no flock, so a file names the holder.
//
// The files are LOCK.1, LOCK.2, …; the one with the highest number counts. It says who holds the folder, or that nobody
// does. Taking over means making the next number by link(2), which only one of two rivals can do; the highest file is
// never removed, so that a rival who looked long ago finds, on looking again after its link, that it came too late.

import { link, open, readdir, readFile, readlink, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { diskError } from './disk.ts'

interface Holder {
  readonly pid: number
  /** Field 22 of /proc/PID/stat: tells the process from a later one of the same number. */
  readonly startTicks: string
  readonly bootId: string
  /** The PID namespace; a number means nothing in another one. */
  readonly pidNamespace: string
}

const released = 'released'
const name = /^LOCK\.(\d{1,15})$/

export async function acquireLock(directory: string): Promise<AsyncDisposable> {
  const self = await thisProcess()
  while (true) {
    const before = await numbers(directory)
    const top = before.at(-1) ?? 0
    if (top > 0) await refuseWhileHeld(directory, top, self)
    const mine = top + 1
    if (!(await claim(directory, mine, JSON.stringify(self)))) continue
    const after = await numbers(directory)
    if (after.at(-1) !== mine) {
      await rm(lockPath(directory, mine), { force: true })
      continue
    }
    await removeAll(directory, before)
    return {
      [Symbol.asyncDispose]: async () => {
        await claim(directory, mine + 1, released)
        await rm(lockPath(directory, mine), { force: true })
      },
    }
  }
}

function lockPath(directory: string, number: number): string {
  return join(directory, `LOCK.${number}`)
}

async function numbers(directory: string): Promise<readonly number[]> {
  const found = (await readdir(directory)).flatMap((entry) => name.exec(entry)?.[1] ?? [])
  return found.map(Number).toSorted((a, b) => a - b)
}

async function removeAll(directory: string, numbersToRemove: readonly number[]): Promise<void> {
  for (const number of numbersToRemove) await rm(lockPath(directory, number), { force: true })
}

/** Makes the file with its content at once; false when the number is taken. */
async function claim(directory: string, number: number, content: string): Promise<boolean> {
  const draft = join(directory, `lock-${process.pid}-${crypto.randomUUID()}.tmp`)
  const file = await open(draft, 'wx', 0o600)
  try {
    await file.writeFile(content)
  } finally {
    await file.close()
  }
  try {
    await link(draft, lockPath(directory, number))
    return true
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EEXIST') return false
    throw error
  } finally {
    await rm(draft, { force: true })
  }
}

async function refuseWhileHeld(directory: string, number: number, self: Holder): Promise<void> {
  const path = lockPath(directory, number)
  const content = await readFile(path, 'utf8').catch(() => undefined)
  if (content === undefined || content === released) return
  const holder = parseHolder(content)
  // A file that a power cut left empty was written before this boot, hence by nobody who lives.
  if (holder === undefined || holder.bootId !== self.bootId) return
  if (holder.pidNamespace !== self.pidNamespace) {
    throw diskError('ELOCKED', `${directory} is in use from another PID namespace; if that has ended, remove ${path}`)
  }
  if ((await startTicks(holder.pid)) === holder.startTicks) {
    throw diskError('ELOCKED', `${directory} is in use by process ${holder.pid}`)
  }
}

function parseHolder(content: string): Holder | undefined {
  try {
    return JSON.parse(content) as Holder
  } catch {
    return undefined
  }
}

async function thisProcess(): Promise<Holder> {
  const [ticks, bootId, pidNamespace] = await Promise.all([
    startTicks(process.pid),
    readFile('/proc/sys/kernel/random/boot_id', 'utf8'),
    readlink('/proc/self/ns/pid'),
  ])
  if (ticks === undefined) throw diskError('ENOENT', '/proc does not show this process')
  return { pid: process.pid, startTicks: ticks, bootId: bootId.trim(), pidNamespace }
}

/** Undefined when there is no such process, or only its corpse. */
async function startTicks(pid: number): Promise<string | undefined> {
  const stat = await readFile(`/proc/${pid}/stat`, 'utf8').catch(() => undefined)
  if (stat === undefined) return undefined
  // The second field is the command in parentheses and may hold anything; fields count from its end.
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
  return fields[0] === 'Z' || fields[0] === 'X' ? undefined : fields[19]
}
