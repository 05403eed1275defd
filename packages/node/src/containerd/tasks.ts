// Processes in containers through containerd's native Tasks API: exec with true end of input, terminal, resize, exit code.

import type { Readable, Writable } from 'node:stream'
import { finished } from 'node:stream/promises'
import { anySignal } from '@aksel/base/any-signal'
import { uuid } from '@aksel/base/ids'
import type { Scope } from '@aksel/base/scope'
import { containerdProto } from './containerd-proto.ts'
import { taskEvents } from './events.ts'
import type { TaskEvent } from './events.ts'
import { createExecIo } from './exec-io.ts'
import type { ExecIo, ExecStreams } from './exec-io.ts'
import { createGrpcClient, isGrpcCode } from './grpc.ts'
import type { GrpcClient } from './grpc.ts'

export interface TasksOptions {
  readonly socketPath: string
  /** containerd's namespace; `k8s.io`, that of CRI, when absent. */
  readonly namespace?: string
  /** An existing folder for the named pipes of sessions. */
  readonly directory: string
}

export interface ExecOptions {
  readonly containerId: string
  readonly command: readonly string[]
  readonly stdin: boolean
  readonly stdout: boolean
  /** Not with a terminal, which merges it into standard output. */
  readonly stderr: boolean
  readonly terminal: boolean
}

/** A process started in a container. Disposing kills it if it still runs, and removes all traces. */
export interface ExecSession extends AsyncDisposable {
  readonly pid: number
  /** Ended by `closeStdin`, not by itself. */
  readonly stdin: Writable | undefined
  readonly stdout: Readable | undefined
  readonly stderr: Readable | undefined
  /** The process reads to the end of what was written and then sees the end. */
  closeStdin(): Promise<void>
  resize(size: { readonly width: number; readonly height: number }): Promise<void>
  /** Its exit code; output may still be in the pipes, and ends soon after. */
  readonly exit: Promise<number>
  /** containerd has forgotten the process: what its outputs hold is all there will be. */
  readonly removed: Promise<void>
}

export interface Tasks extends Disposable {
  /** Rejects with a GrpcError: `NotFound` where the container does not run, `Unknown` with runc's words otherwise. */
  exec(scope: Scope, options: ExecOptions): Promise<ExecSession>
  /** The container's first process has ended and all its output was taken from its pipes. */
  ended(scope: Scope, containerId: string): Promise<void>
  /** Without end; throws when containerd goes away. */
  events(signal: AbortSignal, kinds?: readonly TaskEvent['kind'][]): AsyncIterable<TaskEvent>
  kill(containerId: string, signal: number): Promise<void>
  /** Ends all its processes and forgets it. Resolves where there is none. */
  end(containerId: string): Promise<void>
  /** Of the first process of a container or sandbox, as the host counts; rejects as `NotFound` where it does not run. */
  pid(containerId: string): Promise<number>
}

const PROCESS_TYPE = 'types.containerd.io/opencontainers/runtime-spec/1/Process'
const SIGKILL = 9
const CALL_TIMEOUT_MS = 60_000
/** runc kills within milliseconds; a shim that takes longer is broken, and must not hold a session up. */
const REMOVE_TIMEOUT_MS = 10_000

/** Connects with the first call. */
export async function createTasks(scope: Scope, options: TasksOptions): Promise<Tasks> {
  const namespace = options.namespace ?? 'k8s.io'
  const shared = { socketPath: options.socketPath, metadata: { 'containerd-namespace': namespace } }
  const tasks = await createGrpcClient(scope, {
    ...shared,
    proto: containerdProto,
    service: 'containerd.services.tasks.v1.Tasks',
  })
  const proto = tasks.root
  const containers = await createGrpcClient(scope, {
    ...shared,
    proto,
    service: 'containerd.services.containers.v1.Containers',
  })
  const events = await createGrpcClient(scope, { ...shared, proto, service: 'containerd.services.events.v1.Events' })
  const clients = { tasks, containers, events }
  return {
    exec: (execScope, execOptions) => startExec(execScope, clients, options.directory, execOptions),
    ended: (waitScope, containerId) => ended(waitScope, clients, namespace, containerId),
    events: (signal, kinds) => taskEvents(events, { namespace, signal, ...(kinds === undefined ? {} : { kinds }) }),
    kill: async (containerId, signal) => {
      await tasks.unary('Kill', { containerId, signal }, { timeoutMs: CALL_TIMEOUT_MS })
    },
    end: async (containerId) => {
      const short = { timeoutMs: REMOVE_TIMEOUT_MS }
      await ignoreGone(tasks.unary('Kill', { containerId, signal: SIGKILL, all: true }, short))
      await ignoreGone(tasks.unary('Wait', { containerId }, short))
      await ignoreGone(tasks.unary('Delete', { containerId }, short))
    },
    pid: async (containerId) => {
      const { process } = await tasks.unary<{ process: { pid: number } }>(
        'Get',
        { containerId },
        { timeoutMs: CALL_TIMEOUT_MS },
      )
      return process.pid
    },
    [Symbol.dispose]() {
      for (const client of Object.values(clients)) client[Symbol.dispose]()
    },
  }
}

interface Clients {
  readonly tasks: GrpcClient
  readonly containers: GrpcClient
  readonly events: GrpcClient
}

async function startExec(
  scope: Scope,
  clients: Clients,
  directory: string,
  options: ExecOptions,
): Promise<ExecSession> {
  const { containerId, terminal } = options
  const process = await execProcess(clients, options)
  const io = await createExecIo(scope, { directory, stdin: options.stdin, stderr: !terminal })
  const execId = uuid(scope.random).replaceAll('-', '')
  const ids = { containerId, execId }
  const short = { timeoutMs: CALL_TIMEOUT_MS }
  try {
    const spec = { typeUrl: PROCESS_TYPE, value: Buffer.from(JSON.stringify(process)) }
    const paths = { stdin: io.stdinPath, stdout: io.stdoutPath, stderr: io.stderrPath }
    await clients.tasks.unary('Exec', { ...ids, ...paths, terminal, spec }, short)
  } catch (error) {
    await io[Symbol.asyncDispose]()
    throw error
  }
  try {
    const exit = clients.tasks.unary<{ exitStatus: number }>('Wait', ids).then(({ exitStatus }) => exitStatus)
    // Who does not ask for the exit code still disposes.
    exit.catch(() => {})
    const { pid } = await clients.tasks.unary<{ pid: number }>('Start', ids, short)
    return new RunningExec(clients.tasks, ids, pid, exit, io, wanted(options, await io.connect(exit)))
  } catch (error) {
    await removeProcess(clients.tasks, ids)
    await io[Symbol.asyncDispose]()
    throw error
  }
}

/** Output that nobody asked for is read and dropped, so that the process does not block on it. */
function wanted(options: ExecOptions, streams: ExecStreams): Partial<ExecStreams> {
  if (!options.stdout) streams.stdout.resume()
  if (!options.stderr) streams.stderr?.resume()
  return {
    stdin: streams.stdin,
    ...(options.stdout ? { stdout: streams.stdout } : {}),
    ...(options.stderr ? { stderr: streams.stderr } : {}),
  }
}

/** The container's own process with another command: same user, environment, directory, capabilities. */
async function execProcess(clients: Clients, options: ExecOptions): Promise<object> {
  const { container } = await clients.containers.unary<{ container: { spec: { value: Buffer } | null } | null }>(
    'Get',
    { id: options.containerId },
    { timeoutMs: CALL_TIMEOUT_MS },
  )
  const spec = JSON.parse(container?.spec?.value.toString() ?? '{}') as { process?: { env?: readonly string[] } }
  const env = (spec.process?.env ?? []).filter((entry) => !(options.terminal && entry.startsWith('TERM=')))
  return {
    ...spec.process,
    args: options.command,
    terminal: options.terminal,
    env: options.terminal ? [...env, 'TERM=xterm'] : env,
  }
}

class RunningExec implements ExecSession {
  readonly pid: number
  readonly stdin: Writable | undefined
  readonly stdout: Readable | undefined
  readonly stderr: Readable | undefined
  readonly exit: Promise<number>
  readonly removed: Promise<void>
  readonly #client: GrpcClient
  readonly #ids: { readonly containerId: string; readonly execId: string }
  readonly #io: ExecIo
  #removed: Promise<void> | undefined

  constructor(
    client: GrpcClient,
    ids: { readonly containerId: string; readonly execId: string },
    pid: number,
    exit: Promise<number>,
    io: ExecIo,
    streams: Partial<ExecStreams>,
  ) {
    this.#client = client
    this.#ids = ids
    this.#io = io
    this.pid = pid
    this.stdin = streams.stdin
    this.stdout = streams.stdout
    this.stderr = streams.stderr
    // The shim closes its ends when the process is deleted, also where a background child still holds them.
    this.exit = exit.then((code) => {
      io.takeRest()
      void this.#remove()
      return code
    })
    this.exit.catch(() => {})
    this.removed = this.exit.then(
      () => this.#remove(),
      () => this.#remove(),
    )
    this.removed.catch(() => {})
  }

  async closeStdin(): Promise<void> {
    if (this.stdin === undefined) return
    this.stdin.end()
    await finished(this.stdin).catch(() => {})
    await ignoreGone(this.#client.unary('CloseIO', { ...this.#ids, stdin: true }))
  }

  async resize(size: { readonly width: number; readonly height: number }): Promise<void> {
    await ignoreGone(this.#client.unary('ResizePty', { ...this.#ids, ...size }))
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await (this.#removed ?? this.#remove())
    await this.#io[Symbol.asyncDispose]()
  }

  #remove(): Promise<void> {
    this.#removed ??= removeProcess(this.#client, this.#ids)
    return this.#removed
  }
}

/** Kills the process if it still runs and waits until the shim has forgotten it. */
async function removeProcess(
  client: GrpcClient,
  ids: { readonly containerId: string; readonly execId: string },
): Promise<void> {
  const short = { timeoutMs: REMOVE_TIMEOUT_MS }
  await ignoreGone(client.unary('Kill', { ...ids, signal: SIGKILL }, short))
  await ignoreGone(client.unary('Wait', ids, short))
  await ignoreGone(client.unary('DeleteProcess', ids, short))
}

/** The process, its container or all of containerd may end at any time; then there is nothing left to do. */
async function ignoreGone(call: Promise<unknown>): Promise<void> {
  try {
    await call
  } catch (error) {
    const gone = isGrpcCode(error, 'NotFound', 'FailedPrecondition', 'Unavailable', 'Unknown', 'DeadlineExceeded')
    if (!gone) throw error
  }
}

/** containerd deletes a task after it has drained the task's pipes, so the deletion is what to wait for. */
async function ended(scope: Scope, clients: Clients, namespace: string, containerId: string): Promise<void> {
  const controller = new AbortController()
  const signal = anySignal([scope.signal, controller.signal])
  const deleted = (async () => {
    for await (const event of taskEvents(clients.events, { namespace, kinds: ['delete'], signal })) {
      if (event.kind !== 'delete' || event.containerId !== containerId) continue
      if (event.execId === '' || event.execId === containerId) return
    }
  })()
  deleted.catch(() => {})
  try {
    await clients.tasks.unary('Wait', { containerId }, { signal })
    await clients.tasks.unary('Get', { containerId }, { signal })
    await deleted
  } catch (error) {
    if (!isGrpcCode(error, 'NotFound')) throw error
  } finally {
    controller.abort(new Error('no longer asked for'))
  }
}
