// tcpdump as a reader of the kernel's packet log.

import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { NflogReader, tcpdumpArgv, type LoggedPacket } from './nflog.ts'

export interface NflogReading {
  readonly group: number
  /** A program and arguments that end by executing the rest of theirs, where the packets are: `nsenter --net=…`. */
  readonly within?: readonly string[]
  readonly take: (packet: LoggedPacket) => void
  /** Called once the reader listens: what is copied before is lost. */
  readonly onListening?: () => Promise<void>
}

/** Resolves when the signal aborts; rejects with what the program said when it ends before. It ends with this process. */
export async function readNflog(signal: AbortSignal, reading: NflogReading): Promise<void> {
  if (signal.aborted) return
  const argv = ['--pdeathsig', 'KILL', '--', ...(reading.within ?? []), ...tcpdumpArgv(reading.group)]
  const child = spawn('setpriv', argv, { stdio: ['ignore', 'pipe', 'pipe'] })
  const end = (): void => void child.kill('SIGKILL')
  signal.addEventListener('abort', end, { once: true })
  // Both: a program that cannot be started never exits.
  const ended = Promise.race([
    once(child, 'exit'),
    once(child, 'error').then(([error]) => Promise.reject(error as Error)),
  ])
  let said = ''
  try {
    const listening = new Promise<void>((resolve) => {
      child.stderr.on('data', (chunk: Buffer) => {
        said = `${said}${chunk.toString()}`.slice(0, MOST_SAID)
        if (said.includes('listening on')) resolve()
      })
    })
    await Promise.race([listening, ended])
    const reader = new NflogReader()
    child.stdout.on('data', (chunk: Buffer) => {
      for (const packet of reader.push(chunk)) reading.take(packet)
    })
    if (child.exitCode === null && child.signalCode === null) await reading.onListening?.()
    await ended
    if (!signal.aborted) throw new Error(`tcpdump ended: ${said.trim()}`)
  } finally {
    signal.removeEventListener('abort', end)
    end()
  }
}

const MOST_SAID = 4000
