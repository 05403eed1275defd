// The named pipes over which a process in a container talks to the agent. The other ends belong to containerd's shim.
//
// The reading ends are opened before the process starts and read from afterwards: the shim blocks in opening its writing
// end until a reader is there, and a read before a writer is there would look like the end. The writing end of standard
// input is opened afterwards and waits for the shim's reader, so that nothing written is lost.
//
// Two seconds after an ended process is deleted the shim drops what it could not pass on. A process that has ended leaves no
// more than two pipes and a copy buffer hold, so that is taken into memory, however slowly the client takes it from there.

import { close, closeSync, constants, open, openSync } from 'node:fs'
import { mkdtemp, rm } from 'node:fs/promises'
import { Socket } from 'node:net'
import { join } from 'node:path'
import { Readable } from 'node:stream'
import type { Writable } from 'node:stream'
import { promisify } from 'node:util'
import type { Scope } from '@aksel/base/scope'
import { run } from '@aksel/host/command'

/** Of each output; a child that goes on writing in the background is not read without end. */
const REST_BYTES_MAX = 1024 * 1024

const openFile = promisify(open)
const closeFile = promisify(close)

export interface ExecIoOptions {
  /** Exists already, on a local file system. */
  readonly directory: string
  readonly stdin: boolean
  /** Not with a terminal, which has one output. */
  readonly stderr: boolean
}

/** Standard output is always there: the shim fails on input without it. Paths that were not asked for are empty. */
export interface ExecIo extends AsyncDisposable {
  readonly stdinPath: string
  readonly stdoutPath: string
  readonly stderrPath: string
  /** To be called when the process has started; `exited` settles when it is over, since it may never open its input. */
  connect(exited: Promise<unknown>): Promise<ExecStreams>
  /** The process has ended: what it left in its pipes is taken now, whoever reads it later. */
  takeRest(): void
}

export interface ExecStreams {
  readonly stdin: Writable | undefined
  readonly stdout: Readable
  readonly stderr: Readable | undefined
}

export async function createExecIo(scope: Scope, options: ExecIoOptions): Promise<ExecIo> {
  const folder = await mkdtemp(join(options.directory, 'exec-'))
  const pathOf = (name: 'stdin' | 'stderr'): string => (options[name] ? join(folder, name) : '')
  const paths = { stdin: pathOf('stdin'), stdout: join(folder, 'stdout'), stderr: pathOf('stderr') }
  const pipes = new Pipes(folder, paths.stdin, paths.stdout, paths.stderr)
  try {
    await run(scope, ['mkfifo', '-m', '600', ...Object.values(paths).filter((path) => path !== '')])
    await pipes.openReaders()
    return pipes
  } catch (error) {
    await pipes[Symbol.asyncDispose]()
    throw error
  }
}

class Pipes implements ExecIo {
  readonly stdinPath: string
  readonly stdoutPath: string
  readonly stderrPath: string
  readonly #folder: string
  /** Opened, and not yet owned by a socket. */
  readonly #files = new Map<string, number>()
  readonly #sockets: Socket[] = []
  readonly #outputs: PipeOutput[] = []

  constructor(folder: string, stdinPath: string, stdoutPath: string, stderrPath: string) {
    this.#folder = folder
    this.stdinPath = stdinPath
    this.stdoutPath = stdoutPath
    this.stderrPath = stderrPath
  }

  async openReaders(): Promise<void> {
    for (const path of [this.stdoutPath, this.stderrPath]) {
      if (path !== '') this.#files.set(path, await openFile(path, constants.O_RDONLY | constants.O_NONBLOCK))
    }
  }

  async connect(exited: Promise<unknown>): Promise<ExecStreams> {
    return {
      stdout: this.#reader(this.stdoutPath)!,
      stderr: this.#reader(this.stderrPath),
      stdin: this.stdinPath === '' ? undefined : await this.#writer(exited),
    }
  }

  takeRest(): void {
    for (const output of this.#outputs) output.takeRest()
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const socket of this.#sockets) socket.destroy()
    await Promise.all([...this.#files.values()].map((file) => closeFile(file)))
    this.#files.clear()
    await rm(this.#folder, { recursive: true, force: true })
  }

  #reader(path: string): Readable | undefined {
    const file = this.#files.get(path)
    if (file === undefined) return undefined
    this.#files.delete(path)
    const output = new PipeOutput(this.#socket(file, { readable: true, writable: false }))
    this.#outputs.push(output)
    return output
  }

  async #writer(exited: Promise<unknown>): Promise<Writable> {
    const opening = openFile(this.stdinPath, constants.O_WRONLY)
    const over = exited.then(
      () => undefined,
      () => undefined,
    )
    if ((await Promise.race([opening, over])) === undefined) {
      // Nobody will ever read: we open the reading end ourselves, so that the opening returns. Not in the thread pool,
      // which blocked openings may have filled; without blocking it takes microseconds.
      const reader = openSync(this.stdinPath, constants.O_RDONLY | constants.O_NONBLOCK)
      await opening.finally(() => closeSync(reader))
    }
    return this.#socket(await opening, { readable: false, writable: true })
  }

  #socket(file: number, direction: { readonly readable: boolean; readonly writable: boolean }): Socket {
    const socket = new Socket({ fd: file, ...direction, allowHalfOpen: true })
    // A process that ends closes its pipes while we write: its exit code tells the rest.
    socket.on('error', () => {})
    this.#sockets.push(socket)
    return socket
  }
}

/** One output of a process: read as its reader takes it, until the process has ended. */
class PipeOutput extends Readable {
  readonly #socket: Socket
  /** Undefined while the process runs. */
  #restBytes: number | undefined

  constructor(socket: Socket) {
    super()
    this.#socket = socket
    socket.on('data', (chunk: Buffer) => {
      if (this.#restBytes !== undefined) this.#restBytes -= chunk.length
      const isWanted = this.push(chunk)
      if (!isWanted && (this.#restBytes ?? 0) <= 0) socket.pause()
    })
    socket.once('end', () => this.push(null))
    // A pipe that breaks has said all it will say.
    socket.once('close', () => this.push(null))
    socket.pause()
  }

  takeRest(): void {
    this.#restBytes = REST_BYTES_MAX
    this.#socket.resume()
  }

  override _read(): void {
    this.#socket.resume()
  }

  override _destroy(error: Error | null, done: (error?: Error | null) => void): void {
    this.#socket.destroy()
    done(error)
  }
}
