// The floor under everything here: what Node itself takes to start, and what memory it takes to do nothing.

import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { costOf } from '../process-cost.ts'
import { median } from '../row.ts'

export interface NodeFloor {
  /** Wall time of `node -e 0`, start to end. */
  readonly startSeconds: number
  readonly rssAnonBytes: number
}

const STARTS = 5

export async function probeNode(): Promise<NodeFloor> {
  const seconds: number[] = []
  for (let start = 0; start < STARTS; start += 1) seconds.push(await startSeconds())
  return { startSeconds: median(seconds), rssAnonBytes: await idleMemory() }
}

async function startSeconds(): Promise<number> {
  const beganMs = performance.now()
  const child = spawn(process.execPath, ['-e', '0'], { stdio: 'ignore' })
  await once(child, 'exit')
  return (performance.now() - beganMs) / 1000
}

async function idleMemory(): Promise<number> {
  const program = 'process.stdout.write("up"); setInterval(() => {}, 1e6)'
  const child = spawn(process.execPath, ['-e', program], { stdio: ['ignore', 'pipe', 'ignore'] })
  try {
    await once(child.stdout, 'data')
    return costOf(child.pid!)?.rssAnonBytes ?? 0
  } finally {
    child.kill('SIGKILL')
  }
}
