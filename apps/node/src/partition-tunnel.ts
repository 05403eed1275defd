// A tunnel that is hung up while its machine is cut off by order: it is a Unix socket, which no rule of a network stops.

import { watch } from 'node:fs'
import { access } from 'node:fs/promises'
import { basename, dirname } from 'node:path'
import type { Scope } from '@aksel/base/scope'

/** Calls `dial` while there is no such file, and disposes what it gave while there is one. */
export function unlessPartitioned(scope: Scope, file: string, dial: () => AsyncDisposable): AsyncDisposable {
  const stop = new AbortController()
  let tunnel: AsyncDisposable | undefined
  let turn: Promise<void> = Promise.resolve()
  const look = async (): Promise<void> => {
    const isCut = await access(file).then(
      () => true,
      () => false,
    )
    if (isCut || stop.signal.aborted) {
      if (tunnel !== undefined) scope.log.info('the tunnel is hung up')
      await tunnel?.[Symbol.asyncDispose]()
      tunnel = undefined
    } else tunnel ??= dial()
  }
  const again = (): void =>
    void (turn = turn.then(look).catch((error: unknown) => scope.log.warn('the tunnel did not follow', { error })))
  const watcher = watch(dirname(file), { persistent: false }, (_event, name) => {
    if (name === basename(file)) again()
  })
  again()
  return {
    async [Symbol.asyncDispose]() {
      stop.abort()
      watcher.close()
      again()
      await turn
    },
  }
}
