// Work that is asked for again and again, and done one at a time: what is asked for meanwhile is done once more afterwards.

import { sleep } from '@aksel/base/clock'
import type { Scope } from '@aksel/base/scope'

export interface Repeated {
  again(): Promise<void>
}

const RETRY_MS = 1000

/** What fails is told in the log and tried again. */
export function repeated(scope: Scope, failure: string, work: () => Promise<void>): Repeated {
  let isDue = false
  let running: Promise<void> | undefined
  const run = async (): Promise<void> => {
    while (isDue && !scope.signal.aborted) {
      isDue = false
      await work().catch(async (error: unknown) => {
        if (scope.signal.aborted) return
        scope.log.warn(failure, { error })
        isDue = true
        await sleep(scope.clock, RETRY_MS, scope.signal).catch(() => {})
      })
    }
    running = undefined
  }
  return {
    again() {
      isDue = true
      return (running ??= run())
    },
  }
}
