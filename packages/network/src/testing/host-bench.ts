// What host tests share: a scope, a ledger in a scratch folder, listeners in namespaces, and a look at the host before and after.

import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises'
import { connect } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { systemClock } from '@aksel/base/clock'
import { systemRandom } from '@aksel/base/ids'
import { silentLog } from '@aksel/base/log'
import type { Scope } from '@aksel/base/scope'
import { run } from '@aksel/host/command'
import { openFileLedger } from '@aksel/host/file-ledger'
import type { Ledger } from '@aksel/host/ledger'
import { undoAll } from '@aksel/host/undo'

export function testScope(signal: AbortSignal = new AbortController().signal): Scope {
  return { clock: systemClock(), random: systemRandom(), log: silentLog(), signal }
}

export interface HostBench {
  readonly scope: Scope
  readonly ledger: Ledger
  readonly directory: string
  /** Starts a listener in a namespace and waits until it listens. */
  listen(networkNamespace: string, address: string, port: number, name: string): Promise<void>
  /** The answer of a listener to a client in a namespace, or on the host when absent; '' when there is none. */
  ask(address: string, port: number, networkNamespace?: string): Promise<string>
  /** The same, from one of the namespace's addresses. */
  askFrom(source: string, address: string, port: number, networkNamespace: string): Promise<string>
  inside(networkNamespace: string, argv: readonly string[], input?: string): Promise<string>
}

/** Runs the work, takes back everything in the ledger, and asserts that the host is as before. */
export async function withHost(work: (bench: HostBench) => Promise<void>): Promise<void> {
  const scope = testScope()
  const before = await snapshot(scope)
  const directory = await mkdtemp(join(tmpdir(), 'aksel-network-'))
  const ledger = await openFileLedger(scope, { directory: join(directory, 'ledger') })
  const listeners: ReturnType<typeof spawn>[] = []
  try {
    await work({
      scope,
      ledger,
      directory,
      async listen(networkNamespace, address, port, name) {
        const program = join(import.meta.dirname, 'listener.ts')
        const argv = [`--net=/run/netns/${networkNamespace}`, process.execPath, program, address, String(port), name]
        const child = spawn('nsenter', argv, { stdio: ['ignore', 'pipe', 'inherit'] })
        listeners.push(child)
        await once(child.stdout!, 'data')
      },
      ask: (address, port, networkNamespace) =>
        networkNamespace === undefined ? askFromHost(address, port) : askInside(scope, networkNamespace, address, port),
      askFrom: (source, address, port, networkNamespace) => {
        const program = join(import.meta.dirname, 'caller.ts')
        const argv = [
          'nsenter',
          `--net=/run/netns/${networkNamespace}`,
          process.execPath,
          program,
          source,
          address,
          String(port),
        ]
        return run(scope, argv).then(({ stdout }) => stdout.trim())
      },
      async inside(networkNamespace, argv, input) {
        const command = ['nsenter', `--net=/run/netns/${networkNamespace}`, ...argv]
        return (await run(scope, command, input === undefined ? {} : { input })).stdout
      },
    })
  } finally {
    for (const listener of listeners) {
      if (listener.exitCode !== null) continue
      listener.kill('SIGKILL')
      await once(listener, 'exit')
    }
    await undoAll(scope, { ledger })
    await ledger[Symbol.asyncDispose]()
    await rm(directory, { recursive: true })
  }
  assert.deepEqual(await snapshot(scope), before)
}

/** Names on the host that a fabric could have left; those of other fabrics come and go and are not looked at. */
async function snapshot(scope: Scope): Promise<unknown> {
  const tables = (await run(scope, ['nft', 'list', 'tables'])).stdout
  return {
    namespaces: await readdir('/run/netns').catch(() => []),
    links: await readdir('/sys/class/net'),
    tables: tables.split('\n').sort(),
    forwarding: await readFile('/proc/sys/net/ipv4/ip_forward', 'utf8'),
    addresses: (await run(scope, ['ip', '-o', '-4', 'addr'])).stdout,
  }
}

async function askFromHost(address: string, port: number): Promise<string> {
  const socket = connect({ host: address, port, timeout: 1000 })
  socket.on('timeout', () => socket.destroy())
  const chunks: Buffer[] = []
  socket.on('data', (chunk: Buffer) => chunks.push(chunk))
  socket.on('error', () => {})
  await new Promise((resolve) => socket.once('close', resolve))
  return Buffer.concat(chunks).toString().trim()
}

async function askInside(scope: Scope, networkNamespace: string, address: string, port: number): Promise<string> {
  const argv = ['nsenter', `--net=/run/netns/${networkNamespace}`, 'busybox', 'nc', '-w', '1', address, String(port)]
  const answer = await run(scope, argv).catch(() => ({ stdout: '' }))
  return answer.stdout.trim()
}
