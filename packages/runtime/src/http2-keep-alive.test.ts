// A silent peer, and a clock that the test moves.

import assert from 'node:assert/strict'
import { once } from 'node:events'
import { connect } from 'node:http2'
import { createServer } from 'node:net'
import type { AddressInfo, Socket } from 'node:net'
import { test } from 'node:test'
import type { Clock } from '@aksel/base/clock'
import { systemClock } from '@aksel/base/clock'
import { keepAlive } from './http2-keep-alive.ts'

/** Fires timers by hand: `due` holds what waits, newest last. */
function manualClock(): {
  readonly clock: Clock
  readonly due: { readonly delayMs: number; readonly fire: () => void }[]
} {
  const due: { readonly delayMs: number; readonly fire: () => void }[] = []
  const clock: Clock = {
    ...systemClock(),
    after(delayMs, fire) {
      const timer = { delayMs, fire }
      due.push(timer)
      return {
        get pending() {
          return due.includes(timer)
        },
        [Symbol.dispose]() {
          if (due.includes(timer)) due.splice(due.indexOf(timer), 1)
        },
      }
    },
  }
  return { clock, due }
}

test('keepAlive() destroys a session whose peer does not answer a ping', async (t) => {
  const sockets: Socket[] = []
  const silent = createServer((socket) => sockets.push(socket))
  t.after(() => {
    for (const socket of sockets) socket.destroy()
    silent.close()
  })
  await new Promise<void>((resolve) => silent.listen(0, '127.0.0.1', resolve))
  const session = connect(`http://127.0.0.1:${(silent.address() as AddressInfo).port}`)
  await once(session, 'connect')
  const { clock, due } = manualClock()
  keepAlive(clock, session)
  assert.deepEqual(
    due.map(({ delayMs }) => delayMs),
    [30_000],
  )
  due.shift()?.fire()
  assert.deepEqual(
    due.map(({ delayMs }) => delayMs),
    [15_000],
  )
  const failed = once(session, 'error')
  due.shift()?.fire()
  assert.match(String((await failed)[0]), /http2: client connection lost/)
  assert.deepEqual(due, [])
})
