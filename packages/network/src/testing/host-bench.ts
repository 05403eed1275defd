// What host tests share: a scope, a ledger in a scratch folder, listeners in namespaces, and a look at the host before and after.

import assert from 'node:assert/strict'
import { spawn, type ChildProcess } from 'node:child_process'
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
  readonly inside: (networkNamespace: string, argv: readonly string[], input?: string) => Promise<string>
}

/** Runs the work, takes back everything in the ledger, and asserts that the host is as before. */
export async function withHost(work: (bench: HostBench) => Promise<void>): Promise<void> {
  const scope = testScope()
  const directory = await mkdtemp(join(tmpdir(), 'aksel-network-'))
  const forwarding = await readFile(FORWARDING, 'utf8')
  const ledger = await openFileLedger(scope, { directory: join(directory, 'ledger') })
  const made = new Set<string>()
  const listeners: ChildProcess[] = []
  try {
    await work({
      scope,
      ledger: noting(ledger, made),
      directory,
      async listen(networkNamespace, address, port, name) {
        const program = join(import.meta.dirname, 'listener.ts')
        const argv = [`--net=/run/netns/${networkNamespace}`, process.execPath, program, address, String(port), name]
        const child = spawn('nsenter', argv, { stdio: ['ignore', 'pipe', 'inherit'] })
        listeners.push(child)
        const ended = once(child, 'exit').then(([code]) => Promise.reject(new Error(`the listener ended with ${code}`)))
        await Promise.race([once(child.stdout, 'data'), ended])
        ended.catch(() => {})
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
      if (listener.exitCode !== null || listener.signalCode !== null) continue
      listener.kill('SIGKILL')
      await once(listener, 'exit')
    }
    await undoAll(scope, { ledger })
    await ledger[Symbol.asyncDispose]()
    await rm(directory, { recursive: true })
  }
  const { names, strays, tables } = await look(scope)
  assert.ok(made.size > 0, 'the test made nothing that the ledger knows')
  assert.deepEqual(
    names.filter((name) => made.has(name)),
    [],
  )
  assert.deepEqual(strays, [])
  if (tables.length === 0) assert.equal(await readFile(FORWARDING, 'utf8'), forwarding)
}

const FORWARDING = '/proc/sys/net/ipv4/ip_forward'

/** The ledger, noting every name that is recorded: other fabrics may come and go on this host meanwhile. */
function noting(ledger: Ledger, made: Set<string>): Ledger {
  return {
    record(owner, object) {
      if ('name' in object) made.add(object.name)
      return ledger.record(owner, object)
    },
    strike: (entry) => ledger.strike(entry),
    entries: (owner) => ledger.entries(owner),
    [Symbol.asyncDispose]: () => ledger[Symbol.asyncDispose](),
  }
}

/** Names of namespaces, links and tables; links that belong into a router and not here; tables of any fabric. */
async function look(
  scope: Scope,
): Promise<{ names: readonly string[]; strays: readonly string[]; tables: readonly string[] }> {
  const listed = (await run(scope, ['nft', 'list', 'tables'])).stdout.split('\n')
  const tables = listed.map((line) => line.split(' ')[2] ?? '').filter((name) => name.startsWith('aksel'))
  const links = await readdir('/sys/class/net')
  const namespaces = await readdir('/run/netns').catch(() => [])
  return {
    names: [...namespaces, ...links, ...tables],
    strays: links.filter((name) => /^(m-|host$)/.test(name)),
    tables,
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
