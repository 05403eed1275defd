// Orders over the channel between a benchmark and the processes that it starts: a name, an argument, a result.

import { fork, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { CommandError } from '../../command-error.ts'

type Orders = Readonly<Record<string, (argument: never) => Promise<unknown>>>

interface Order {
  readonly number: number
  readonly order: string
  readonly argument: unknown
}

interface Answer {
  readonly number: number
  readonly result?: unknown
  readonly error?: string
}

/** In the child: carries out what is asked, side by side, until the parent goes. */
export function serveOrders(orders: Orders): void {
  process.on('message', ({ number, order, argument }: Order) => {
    orders[order]!(argument as never).then(
      (result) => process.send!({ number, result }),
      (error: unknown) => process.send!({ number, error: error instanceof Error ? error.stack : String(error) }),
    )
  })
  process.on('disconnect', () => process.exit(0))
  process.send!({ ready: true })
}

export interface Child<T extends Orders> extends AsyncDisposable {
  readonly pid: number
  ask<Name extends keyof T & string>(
    name: Name,
    argument: Parameters<T[Name]>[0],
  ): Promise<Awaited<ReturnType<T[Name]>>>
  /** Ends it at once. */
  kill(): Promise<void>
}

export interface ChildOptions {
  readonly program: string
  readonly args?: readonly string[]
  readonly execArgv?: readonly string[]
  /** A program and its arguments that end by executing the rest of theirs: `unshare --net`. */
  readonly within?: readonly string[]
}

/** Resolves when the child says that it is ready; rejects with its end. */
export async function startChild<T extends Orders>(options: ChildOptions): Promise<Child<T>> {
  const [execPath, ...before] = [...(options.within ?? []), process.execPath]
  const child: ChildProcess = fork(options.program, [...(options.args ?? [])], {
    execPath: execPath!,
    execArgv: [...before, '--disable-warning=ExperimentalWarning', ...(options.execArgv ?? [])],
    stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
  })
  const waiting = new Map<number, PromiseWithResolvers<unknown>>()
  const { promise: ready, resolve, reject } = Promise.withResolvers<void>()
  child.on('message', (message: Answer & { readonly ready?: boolean }) => {
    if (message.ready === true) return resolve()
    const waiter = waiting.get(message.number)
    waiting.delete(message.number)
    if (message.error === undefined) waiter?.resolve(message.result)
    else waiter?.reject(new CommandError(message.error))
  })
  child.on('exit', (code, signal) => {
    const error = new CommandError(`${options.program} ended with ${signal ?? code}`)
    reject(error)
    for (const waiter of waiting.values()) waiter.reject(error)
    waiting.clear()
  })
  await ready
  const kill = async (): Promise<void> => {
    if (child.exitCode !== null || child.signalCode !== null) return
    const exited = once(child, 'exit')
    child.kill('SIGKILL')
    await exited
  }
  let number = 0
  return {
    pid: child.pid!,
    ask(order, argument) {
      number += 1
      const waiter = Promise.withResolvers<unknown>()
      waiting.set(number, waiter)
      child.send({ number, order, argument })
      return waiter.promise as never
    },
    kill,
    [Symbol.asyncDispose]: kill,
  }
}
