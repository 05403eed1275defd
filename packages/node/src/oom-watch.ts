// The kernel's word on memory that ran out: of the machine as a whole, not of one pod. Upstream's kubelet tells it on the node.

import { constants } from 'node:fs'
import { open, type FileHandle } from 'node:fs/promises'
import type { Scope } from '@aksel/base/scope'

export interface OomKill {
  /** The cgroup that had no memory left; undefined where the whole host had none. */
  readonly limitedBy: string | undefined
  /** That of the process that was ended. */
  readonly cgroup: string
  readonly process: string
  readonly pid: number
}

/** Undefined for any other line of the kernel's log. */
export function parseOomKill(line: string): OomKill | undefined {
  const [, text] = /oom-kill:(constraint=.*)$/.exec(line.trim()) ?? []
  if (text === undefined) return undefined
  // Names of processes may hold commas: what stands before and behind them does not.
  const match = /,task_memcg=(.*?),task=(.*),pid=(\d+),uid=\d+$/.exec(text)
  if (match === null) return undefined
  const [, limitedBy] = /,oom_memcg=(.*),task_memcg=/.exec(text) ?? []
  return { limitedBy, cgroup: match[1]!, process: match[2]!, pid: Number(match[3]) }
}

/** Whether it was the machine's memory, by its cgroup: the processes of its own, or of all its pods, had too much. */
export function isOfMachine({ limitedBy, cgroup }: OomKill, machine: string): boolean {
  if (cgroup !== machine && !cgroup.startsWith(`${machine}/`)) return false
  return limitedBy === undefined || limitedBy === machine
}

/** In upstream's words. */
export function systemOomMessage({ process, pid }: OomKill): string {
  return `System OOM encountered, victim process: ${process}, pid: ${pid}`
}

/** The kernel tells of a shortage before it has chosen who ends, and writes of it a moment later. */
const LATER_MS = 1000

/** To be called when memory ran out somewhere; `tell` hears of each process that ended for want of the machine's memory. */
export async function watchOom(scope: Scope, machine: string, tell: (message: string) => void): Promise<() => void> {
  const log = await KernelLog.open()
  if (log === undefined) {
    scope.log.info('the kernel’s log cannot be read: nodes tell of no machine that ran out of memory')
    return () => {}
  }
  scope.signal.addEventListener('abort', () => void log[Symbol.asyncDispose](), { once: true })
  const look = async (): Promise<void> => {
    for (const line of await log.news()) {
      const kill = parseOomKill(line)
      if (kill !== undefined && isOfMachine(kill, machine)) tell(systemOomMessage(kill))
    }
  }
  const tolerant = (): void =>
    void look().catch((error: unknown) => {
      if (!scope.signal.aborted) scope.log.warn('the kernel’s log was not read', { error })
    })
  return () => {
    tolerant()
    scope.clock.after(LATER_MS, tolerant)
  }
}

const RECORD_BYTES_MAX = 8192

/** The kernel's log from now on. Nothing waits for it: whoever hears that memory ran out somewhere reads what was said. */
export class KernelLog implements AsyncDisposable {
  readonly #file: FileHandle
  #reading: Promise<unknown> = Promise.resolve()

  private constructor(file: FileHandle) {
    this.#file = file
  }

  /** Undefined where this process may not read it. */
  static async open(path = '/dev/kmsg'): Promise<KernelLog | undefined> {
    try {
      const log = new KernelLog(await open(path, constants.O_RDONLY | constants.O_NONBLOCK))
      await log.news()
      return log
    } catch {
      return undefined
    }
  }

  /** Lines since the last call, without their heads. */
  news(): Promise<readonly string[]> {
    const read = this.#reading.then(() => this.#readAll())
    this.#reading = read.catch(() => {})
    return read
  }

  async #readAll(): Promise<readonly string[]> {
    const lines: string[] = []
    const record = Buffer.alloc(RECORD_BYTES_MAX)
    while (true) {
      try {
        const { bytesRead } = await this.#file.read(record, 0, RECORD_BYTES_MAX, null)
        if (bytesRead === 0) return lines
        // 6,50593,72409025104,-;the line, and what else is known of it on lines of their own
        const [, line] = /^[^;]*;([^\n]*)/.exec(record.toString('utf8', 0, bytesRead)) ?? []
        if (line !== undefined) lines.push(line)
      } catch (error) {
        const { code } = error as NodeJS.ErrnoException
        if (code === 'EAGAIN') return lines
        // Lines were lost before they were read; the next read goes on behind them.
        if (code !== 'EPIPE') throw error
      }
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#reading
    await this.#file.close()
  }
}
