// A signal of several knows of an abort also when nobody else remembers who aborted.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { anySignal } from './any-signal.ts'

setFlagsFromString('--expose-gc')
const collectGarbage = runInNewContext('gc') as () => void

/** Signals of a signal, whose sources nothing else holds. */
function killed(any: (signals: readonly AbortSignal[]) => AbortSignal): readonly AbortSignal[] {
  const root = new AbortController()
  return Array.from({ length: 50 }, () => {
    const life = new AbortController()
    const outer = any([root.signal, life.signal])
    const inner = any([outer, new AbortController().signal])
    life.abort(new Error('killed'))
    return inner
  })
}

test('an abort is known after its source was collected', async () => {
  const signals = killed(anySignal)
  for (let round = 0; round < 5; round += 1) {
    await new Promise((resolve) => setImmediate(resolve))
    collectGarbage()
  }
  assert.deepEqual(
    signals.filter(({ aborted }) => !aborted),
    [],
  )
})

test('a signal that aborts gives its reason', () => {
  const first = new AbortController()
  const second = new AbortController()
  const either = anySignal([first.signal, second.signal])
  assert.equal(either.aborted, false)
  second.abort(new Error('second'))
  assert.equal((either.reason as Error).message, 'second')
  assert.equal((anySignal([first.signal, second.signal]).reason as Error).message, 'second')
})
