// Who waits for whom on a thread that several control planes share.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { SharedThread, type Entry } from './shared-thread.ts'

class Thread {
  readonly begun: string[] = []
  #next: (() => void)[] = []
  readonly turns = new SharedThread((work) => void this.#next.push(work))

  ask(entry: Entry, name: string, times: number): void {
    for (let i = 0; i < times; i++) {
      const begin = (): void => void this.begun.push(name)
      const wait = entry.enter()
      if (wait === undefined) begin()
      else void wait.then(begin)
    }
  }

  async turn(): Promise<readonly string[]> {
    this.begun.length = 0
    const due = this.#next
    this.#next = []
    for (const work of due) work()
    await new Promise((resolve) => setImmediate(resolve))
    return [...this.begun]
  }

  get isIdle(): boolean {
    return this.#next.length === 0
  }
}

test('a control plane that is alone begins everything at once', async () => {
  const thread = new Thread()
  using one = thread.turns.join()
  thread.ask(one, 'a', 100)
  assert.equal(thread.begun.length, 100)
  assert.equal(thread.isIdle, true)
})

test('of a flood four begin in a turn, and a neighbour’s request in the turn in which it arrives', async () => {
  const thread = new Thread()
  using busy = thread.turns.join()
  using quiet = thread.turns.join()
  thread.ask(busy, 'busy', 10)
  thread.ask(quiet, 'quiet', 1)
  assert.deepEqual(thread.begun, ['busy', 'busy', 'busy', 'busy', 'quiet'])
  thread.ask(quiet, 'quiet', 1)
  assert.deepEqual(await thread.turn(), ['busy', 'busy', 'busy', 'busy'])
  // What comes while others wait takes its place behind them.
  thread.ask(busy, 'late', 1)
  thread.ask(quiet, 'quiet', 1)
  assert.deepEqual(thread.begun, ['busy', 'busy', 'busy', 'busy', 'quiet'])
  assert.deepEqual(await thread.turn(), ['busy', 'busy', 'late'])
  assert.deepEqual(await thread.turn(), [])
  assert.equal(thread.isIdle, true, 'an idle thread is not turned')
})

test('whoever leaves lets those go that wait', async () => {
  const thread = new Thread()
  const busy = thread.turns.join()
  using _other = thread.turns.join()
  thread.ask(busy, 'busy', 6)
  busy[Symbol.dispose]()
  assert.deepEqual((await thread.turn()).length, 2)
})
