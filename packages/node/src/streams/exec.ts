// A new process in a container, for `kubectl exec`.

import type { Scope } from '@aksel/base/scope'
import type { Tasks } from '../containerd/tasks.ts'
import { GrpcError } from '../containerd/grpc.ts'
import { exitStatus, internalStatus } from './session.ts'
import type { Session } from './session.ts'

export interface SessionStreams {
  readonly stdin: boolean
  readonly stdout: boolean
  readonly stderr: boolean
  readonly tty: boolean
}

/** Rejects with the error that `execError` turns into what a user reads. */
export async function openExec(
  scope: Scope,
  tasks: Pick<Tasks, 'exec'>,
  containerId: string,
  options: SessionStreams & { readonly command: readonly string[] },
): Promise<Session> {
  const { stdin, stdout, stderr, tty, command } = options
  const process = await tasks.exec(scope, { containerId, command, stdin, stdout, stderr, terminal: tty })
  return {
    stdin: process.stdin,
    stdout: process.stdout,
    stderr: process.stderr,
    closeStdin: () => process.closeStdin(),
    resize: (size) => process.resize(size),
    ended: process.exit.then(exitStatus, (error: unknown) => internalStatus(execError(error))),
    [Symbol.asyncDispose]: () => process[Symbol.asyncDispose](),
  }
}

/** The words that kubelet and containerd together use. */
export function execError(error: unknown): string {
  const cause = error instanceof GrpcError ? `failed to exec in container: ${error.details}` : (error as Error).message
  return `error executing command in container: ${cause}`
}
