// Waits for something to change in a folder.

import { watch } from 'node:fs'
import { anySignal } from '@aksel/base/any-signal'
import { sleep } from '@aksel/base/clock'
import type { Scope } from '@aksel/base/scope'

/** Resolves at the next change in the folder, at the latest after `atMostMs`. */
export async function changeBelow(scope: Scope, directory: string, atMostMs: number): Promise<void> {
  const changed = new AbortController()
  const watcher = watch(directory, () => changed.abort(new Error('changed')))
  try {
    await sleep(scope.clock, atMostMs, anySignal([changed.signal, scope.signal]))
  } catch (error) {
    if (!changed.signal.aborted) throw error
  } finally {
    watcher.close()
  }
}
