// Runs a program to its end with a time limit, and keeps what it says within bounds.

import { spawn } from 'node:child_process'

export interface Ran {
  readonly code: number
  readonly text: string
}

const OUTPUT_MAX_BYTES = 256 * 1024

export interface RunOptions {
  readonly environment: Readonly<Record<string, string | undefined>>
  readonly timeoutMs: number
}

/** Both outputs in the order in which they came. Never rejects for an exit code; 124 says that time ran out. */
export function runProgram(program: string, args: readonly string[], options: RunOptions): Promise<Ran> {
  return new Promise((resolve, reject) => {
    const child = spawn(program, [...args], { env: options.environment, stdio: ['ignore', 'pipe', 'pipe'] })
    const pieces: Buffer[] = []
    let bytes = 0
    let isLate = false
    const timer = setTimeout(() => {
      isLate = true
      child.kill('SIGKILL')
    }, options.timeoutMs)
    const take = (piece: Buffer): void => {
      bytes += piece.length
      if (bytes <= OUTPUT_MAX_BYTES) pieces.push(piece)
    }
    child.stdout.on('data', take)
    child.stderr.on('data', take)
    child.on('error', (error) => {
      clearTimeout(timer)
      reject(error)
    })
    child.on('close', (code) => {
      clearTimeout(timer)
      const left = bytes > OUTPUT_MAX_BYTES ? `\n[${bytes - OUTPUT_MAX_BYTES} more bytes were left out]` : ''
      const late = isLate ? `\n[ended after ${options.timeoutMs / 1000} s]` : ''
      resolve({ code: isLate ? 124 : (code ?? 1), text: `${Buffer.concat(pieces).toString()}${left}${late}` })
    })
  })
}
