// A process id alone names nothing for long: ids are used again. With its start time it names one process.

import { readFile } from 'node:fs/promises'

export interface ProcessIdentity {
  readonly pid: number
  /** Field 22 of /proc/PID/stat. */
  readonly startTicks: string
}

/** Start time and state of a process, or undefined when there is none. */
async function stat(pid: number): Promise<{ startTicks: string; state: string } | undefined> {
  let text: string
  try {
    text = await readFile(`/proc/${pid}/stat`, 'latin1')
  } catch {
    return undefined
  }
  // The name in brackets may hold anything, brackets too; the fields begin after the last one.
  const fields = text.slice(text.lastIndexOf(')') + 2).split(' ')
  return { state: fields[0]!, startTicks: fields[19]! }
}

/** The identity of a running process; undefined when there is none, or only its remains (a zombie). */
export async function identify(pid: number): Promise<ProcessIdentity | undefined> {
  const found = await stat(pid)
  return found === undefined || found.state === 'Z' || found.state === 'X'
    ? undefined
    : { pid, startTicks: found.startTicks }
}

/** Whether exactly this process still runs. */
export async function isRunning(process: ProcessIdentity): Promise<boolean> {
  return (await identify(process.pid))?.startTicks === process.startTicks
}

/** Sends a signal; a process that is gone already is no error. */
export function signalProcess(pid: number, signal: NodeJS.Signals): void {
  try {
    process.kill(pid, signal)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error
  }
}
