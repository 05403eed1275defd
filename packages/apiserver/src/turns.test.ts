// Turns: one slice a round.

import assert from 'node:assert/strict'
import { suite, test } from 'node:test'
import { Turns } from './turns.ts'

/** Which round of the event loop it is. */
function rounds(): { now: number } & Disposable {
  const counter = { now: 0, isOver: false }
  const next = (): void => {
    counter.now += 1
    if (!counter.isOver) setImmediate(next)
  }
  setImmediate(next)
  return Object.assign(counter, { [Symbol.dispose]: () => void (counter.isOver = true) })
}

void suite('turns', () => {
  void test('Turns.take() gives each a round of its own, in order', async () => {
    using round = rounds()
    const turns = new Turns()
    const seen: [string, number][] = []
    const work = async (name: string, slices: number): Promise<void> => {
      for (let at = 0; at < slices; at++) {
        await turns.take()
        seen.push([name, round.now])
      }
    }
    await Promise.all([work('a', 3), work('b', 3), work('c', 1)])
    assert.equal(new Set(seen.map(([, at]) => at)).size, seen.length, JSON.stringify(seen))
    assert.deepEqual(seen.map(([name]) => name).join(''), 'abcabab')
    assert.equal(turns.waiting, 0)
  })
})
