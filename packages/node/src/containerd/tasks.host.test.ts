// Exec against a containerd of the test's own, with a container made by containerd's own tool. Needs root.

import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { copyFileSync, mkdirSync, mkdtempSync, readdirSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Readable } from 'node:stream'
import { after, before, test } from 'node:test'
import { systemClock } from '@aksel/base/clock'
import { systemRandom } from '@aksel/base/ids'
import { silentLog } from '@aksel/base/log'
import type { Scope } from '@aksel/base/scope'
import { run } from '@aksel/host/command'
import { renderContainerdConfig } from '@aksel/host/containerd-config'
import { createTasks } from './tasks.ts'
import type { ExecOptions, ExecSession, Tasks } from './tasks.ts'

const scope: Scope = {
  clock: systemClock(),
  random: systemRandom(),
  log: silentLog(),
  signal: new AbortController().signal,
}
const folder = mkdtempSync(join(tmpdir(), 'aksel-tasks-'))
const socketPath = join(folder, 'c.sock')
const pipes = join(folder, 'pipes')
const namespace = 'test'
const stopped = new AbortController()
const cleanups: (() => Promise<unknown>)[] = []
let tasks: Tasks

function ctr(...args: readonly string[]): Promise<unknown> {
  return run(scope, ['ctr', '--address', socketPath, '--namespace', namespace, ...args])
}

/** A container that sleeps, from a root of nothing but busybox. */
async function startContainer(id: string, command = ['/bin/sleep', '3600']): Promise<void> {
  const root = join(folder, `root-${id}`)
  mkdirSync(join(root, 'bin'), { recursive: true })
  copyFileSync('/bin/busybox', join(root, 'bin/busybox'))
  for (const name of ['sh', 'sleep', 'cat', 'echo', 'stty', 'tty', 'wc', 'head'])
    symlinkSync('busybox', join(root, 'bin', name))
  await ctr(
    'run',
    '--detach',
    '--runc-root',
    join(folder, 'runc'),
    '--env',
    'PATH=/bin',
    '--rootfs',
    root,
    id,
    ...command,
  )
  cleanups.push(async () => {
    await ctr('task', 'rm', '--force', id).catch(() => {})
    await ctr('container', 'rm', id).catch(() => {})
  })
}

before(async () => {
  mkdirSync(pipes)
  const config = join(folder, 'config.toml')
  const text = renderContainerdConfig({
    rootDirectory: join(folder, 'root'),
    stateDirectory: join(folder, 'state'),
    socketPath,
    runcRoot: join(folder, 'runc'),
    cniConfigDirectory: join(folder, 'cni'),
    sandboxImage: 'aksel.dev/pause:1',
  })
  writeFileSync(config, text)
  const daemon = spawn('containerd', ['--config', config], { stdio: ['ignore', 'ignore', 'pipe'] })
  cleanups.push(async () => {
    daemon.kill('SIGTERM')
    if (daemon.exitCode === null) await once(daemon, 'exit')
  })
  await new Promise<void>((resolve, reject) => {
    daemon.once('exit', (code) => reject(new Error(`containerd ended with ${code}`)))
    daemon.stderr.on('data', (chunk: Buffer) => {
      if (chunk.includes('containerd successfully booted')) resolve()
    })
  })
  tasks = await createTasks(scope, { socketPath, namespace, directory: pipes })
  await startContainer('c1')
})

after(async () => {
  stopped.abort()
  tasks[Symbol.dispose]()
  for (const cleanup of cleanups.reverse()) await cleanup()
  await run(scope, ['umount', '-R', join(folder, 'state')]).catch(() => {})
  rmSync(folder, { recursive: true, force: true })
})

async function textOf(stream: Readable | undefined): Promise<string> {
  const chunks: Buffer[] = []
  for await (const chunk of stream ?? []) chunks.push(chunk as Buffer)
  return Buffer.concat(chunks).toString()
}

function exec(command: readonly string[], options: Partial<ExecOptions> = {}): Promise<ExecSession> {
  const streams = { stdin: false, stdout: true, stderr: true, terminal: false }
  return tasks.exec(scope, { containerId: 'c1', command, ...streams, ...options })
}

test('exec() delivers output and error output apart, and the exit code', async () => {
  await using session = await exec(['sh', '-c', 'echo out; echo err >&2; exit 7'])
  const [out, err, code] = await Promise.all([textOf(session.stdout), textOf(session.stderr), session.exit])
  assert.deepEqual([out, err, code], ['out\n', 'err\n', 7])
})

test('exec() passes input on and its end, so that a command that reads to the end ends', async () => {
  await using session = await exec(['wc', '-c'], { stdin: true })
  session.stdin?.write(Buffer.alloc(300_000))
  await session.closeStdin()
  assert.equal((await textOf(session.stdout)).trim(), '300000')
  assert.equal(await session.exit, 0)
})

test('exec() gives a terminal of the size asked for, which follows resizes', async () => {
  await using session = await exec(['sh', '-c', 'read a; stty size; tty; echo $TERM'], { stdin: true, terminal: true })
  await session.resize({ width: 100, height: 40 })
  session.stdin?.write('go\n')
  const text = await textOf(session.stdout)
  assert.match(text, /40 100\r\n\/dev\/pts\/0\r\nxterm\r\n/)
  assert.equal(await session.exit, 0)
})

test('exec() runs sessions side by side without mixing them', async () => {
  const texts = await Promise.all(
    Array.from({ length: 8 }, async (_, index) => {
      await using session = await exec(['cat'], { stdin: true })
      session.stdin?.write(`session ${index}`)
      await session.closeStdin()
      return await textOf(session.stdout)
    }),
  )
  assert.deepEqual(
    texts,
    Array.from({ length: 8 }, (_, index) => `session ${index}`),
  )
})

test('exec() of a command that ends at once without reading its input does not hang', async () => {
  await using session = await exec(['sh', '-c', 'exit 3'], { stdin: true, stdout: false, stderr: false })
  assert.equal(await session.exit, 3)
})

test('exec() ends output although a background child still holds it', async () => {
  await using session = await exec(['sh', '-c', 'sleep 1000 & echo started'])
  assert.equal(await textOf(session.stdout), 'started\n')
})

test('exec() keeps what a process has said for a client that takes it long after its end', async () => {
  // More than the client's side of the pipes holds, less than would keep the process from its end.
  const bytes = 180 * 1024
  const script = `head -c ${bytes} /dev/zero; head -c ${bytes} /dev/zero >&2; exit 4`
  await using session = await exec(['sh', '-c', script])
  assert.equal(await session.exit, 4)
  // Only when containerd has forgotten the process is nothing left to come from it.
  await session.removed
  const [out, err] = await Promise.all([textOf(session.stdout), textOf(session.stderr)])
  assert.deepEqual([out.length, err.length], [bytes, bytes])
})

test('exec() rejects with the words of runc where the command does not exist, and where the container does not', async () => {
  await assert.rejects(exec(['nonsense']), /"nonsense": executable file not found in \$PATH/)
  await assert.rejects(exec(['sh'], { containerId: 'c9' }), /not found/)
})

test('a session that is disposed leaves no process and no pipe', async () => {
  const session = await exec(['sleep', '1000'], { stdin: true })
  await session[Symbol.asyncDispose]()
  assert.equal(await session.exit, 137)
  assert.deepEqual(readdirSync(pipes), [])
  assert.throws(() => process.kill(session.pid, 0), { code: 'ESRCH' })
})

test('events() tells of starts and ends, and ended() resolves when the task is deleted', async () => {
  const seen: string[] = []
  const ready = Promise.withResolvers<void>()
  const watching = (async () => {
    for await (const event of tasks.events(stopped.signal)) {
      if (event.containerId === 'c0') ready.resolve()
      if (event.containerId !== 'c2') continue
      seen.push(event.kind === 'exit' ? `exit ${event.exitCode}` : event.kind)
      if (event.kind === 'delete') return
    }
  })()
  // The subscription stands when the first event arrives.
  await startContainer('c0')
  await ready.promise
  await startContainer('c2', ['/bin/sh', '-c', 'sleep 0.2; exit 5'])
  const ended = tasks.ended(scope, 'c2')
  const { exitCode } = await new Promise<{ exitCode: number }>((resolve, reject) => {
    void (async () => {
      for await (const event of tasks.events(stopped.signal, ['exit'])) {
        if (event.kind === 'exit' && event.containerId === 'c2') return resolve(event)
      }
    })().catch(reject)
  })
  assert.equal(exitCode, 5)
  await ctr('task', 'rm', 'c2')
  await ended
  await watching
  assert.deepEqual(seen, ['start', 'exit 5', 'delete'])
})
