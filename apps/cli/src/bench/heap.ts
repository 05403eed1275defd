// Room for objects by the hundred thousand: Node's own limit is a quarter of the memory, four gibibytes at most, and a heap near its limit
// does little but collect garbage.

import { spawn } from 'node:child_process'
import { getHeapStatistics } from 'node:v8'

export function hasHeapOf(bytes: number): boolean {
  return getHeapStatistics().heap_size_limit >= bytes
}

/** Runs this very command again with that much room. Returns its exit code. */
export function withHeapOf(bytes: number): Promise<number> {
  const flag = `--max-old-space-size=${Math.ceil(bytes / 1024 ** 2)}`
  const child = spawn(process.execPath, [...process.execArgv, flag, ...process.argv.slice(1)], { stdio: 'inherit' })
  // A terminal's Ctrl-C reaches both by itself; other signals reach this one alone.
  process.on('SIGINT', () => {})
  process.on('SIGTERM', () => child.kill('SIGTERM'))
  return new Promise((resolve, reject) => {
    child.once('error', reject)
    child.once('exit', (code, signal) => resolve(code ?? (signal === null ? 1 : 130)))
  })
}
