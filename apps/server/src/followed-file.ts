// A file whose content holds, and is read again when it changes. What cannot be read changes nothing, and the log says why.

import { watch } from 'node:fs'
import { readFile } from 'node:fs/promises'
import { dirname } from 'node:path'
import { createHash } from 'node:crypto'
import type { Reload, Reloads } from '@aksel/apiserver/reload-metrics'
import type { Scope } from '@aksel/base/scope'

export interface FollowedFile<T> extends Disposable {
  readonly current: T
  /** Called with each new content. */
  onChange(changed: (content: T) => void): Disposable
  /** Looks at it although it was not changed: what made its content useless may be over. */
  readAgain(): void
  /** How often it was read again, and what came of it. */
  readonly reloads: Reloads
}

/** Rejects where the file cannot be read the first time. */
export async function followFile<T>(
  { log, clock }: Scope,
  path: string,
  parse: (text: string) => Promise<T>,
): Promise<FollowedFile<T>> {
  let text: string | undefined = await readFile(path, 'utf8')
  let current = await parse(text)
  const listeners = new Set<(content: T) => void>()
  let reading = Promise.resolve()
  let used = text
  const reloads: Record<'success' | 'failure', Reload> = {
    success: { count: 0, lastMs: undefined },
    failure: { count: 0, lastMs: undefined },
  }
  const note = (outcome: keyof typeof reloads): void => {
    reloads[outcome] = { count: reloads[outcome].count + 1, lastMs: clock.now() }
  }
  const look = async (): Promise<void> => {
    try {
      const now = await readFile(path, 'utf8')
      if (now === text) return
      text = now
      current = await parse(now)
      used = now
      note('success')
      log.info('a configuration file was read again', { path })
      for (const listener of listeners) listener(current)
    } catch (error) {
      text = undefined
      note('failure')
      log.error('a configuration file that changed is not used', { path, error })
    }
  }
  // The folder, since whoever changes such a file puts another one in its place.
  const readAgain = (): void => void (reading = reading.then(look))
  const watcher = watch(dirname(path), readAgain)
  watcher.unref()
  watcher.on('error', (error) => log.error('a configuration file is followed no more', { path, error }))
  return {
    get current() {
      return current
    },
    onChange(changed) {
      listeners.add(changed)
      return { [Symbol.dispose]: () => void listeners.delete(changed) }
    },
    readAgain,
    get reloads() {
      return { ...reloads, hash: `sha256:${createHash('sha256').update(used).digest('hex')}` }
    },
    [Symbol.dispose]: () => watcher.close(),
  }
}
