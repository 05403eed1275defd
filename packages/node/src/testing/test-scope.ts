// The scope that tests on a real host run in.

import { systemClock } from '@aksel/base/clock'
import { systemRandom } from '@aksel/base/ids'
import { silentLog } from '@aksel/base/log'
import type { Log } from '@aksel/base/log'
import type { Scope } from '@aksel/base/scope'

/** Real time and chance; aborts when it is disposed. */
export function testScope(log: Log = silentLog()): Scope & Disposable {
  const controller = new AbortController()
  return {
    clock: systemClock(),
    random: systemRandom(),
    log,
    signal: controller.signal,
    [Symbol.dispose]: () => controller.abort(new Error('the test is over')),
  }
}
