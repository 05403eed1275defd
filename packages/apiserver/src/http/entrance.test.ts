// Who waits for whom at the door: control planes in turn, and connections in turn within each.

import assert from 'node:assert/strict'
import { suite, test } from 'node:test'
import { Entrance, type Entry } from './entrance.ts'

/** A thread whose time and rounds the test makes. */
class Thread {
  readonly begun: string[] = []
  nowMs = 0
  /** What a request takes of the thread. */
  costMs = 0
  #next: (() => void)[] = []
  readonly entrance = new Entrance({
    monotonicMs: () => this.nowMs,
    nextRound: (work) => void this.#next.push(work),
  })

  ask(entry: Entry, name: string, times: number, who: object = this): void {
    for (let i = 0; i < times; i++) {
      const begin = (): void => {
        this.begun.push(name)
        this.nowMs += this.costMs
      }
      const wait = entry.enter(who)
      if (wait === undefined) begin()
      else void wait.then(begin)
    }
  }

  async round(): Promise<readonly string[]> {
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

const times = (name: string, count: number): readonly string[] => Array<string>(count).fill(name)

void suite('entrance', () => {
  void test('a control plane that is alone begins at once what costs nothing', async () => {
    const thread = new Thread()
    using one = thread.entrance.join()
    thread.ask(one, 'a', 100)
    assert.deepEqual(thread.begun, times('a', 100))
    assert.deepEqual(await thread.round(), [])
    assert.equal(thread.isIdle, true, 'an idle thread is not turned')
  })

  void test('requests that cost time begin for two milliseconds of a round, and the rest later, some in each', async () => {
    const thread = new Thread()
    using one = thread.entrance.join()
    thread.costMs = 0.5
    thread.ask(one, 'a', 40)
    assert.deepEqual(thread.begun, times('a', 4))
    const later: number[] = []
    while (!thread.isIdle) later.push((await thread.round()).length)
    assert.deepEqual(later, [16, 16, 4, 0])
    // A round that begins without anybody waiting has its time anew.
    thread.nowMs += 10
    thread.begun.length = 0
    thread.ask(one, 'b', 3)
    assert.deepEqual(thread.begun, times('b', 3))
  })

  void test('those who come later enter before the many of one connection', async () => {
    const thread = new Thread()
    using one = thread.entrance.join()
    const [flood, modest] = [{}, {}]
    thread.costMs = 0.5
    thread.ask(one, 'flood', 1_000, flood)
    thread.ask(one, 'modest', 2, modest)
    const first = await thread.round()
    assert.equal(first.indexOf('modest'), 1, 'connections take turns')
    assert.deepEqual(first.filter((name) => name === 'modest').length, 2)
    assert.equal(first.length, 16)
  })

  void test('of a flood four begin in a round, and a neighbour’s request in the round in which it arrives', async () => {
    const thread = new Thread()
    using busy = thread.entrance.join()
    using quiet = thread.entrance.join()
    thread.ask(busy, 'busy', 10)
    thread.ask(quiet, 'quiet', 1)
    assert.deepEqual(thread.begun, [...times('busy', 4), 'quiet'])
    thread.ask(quiet, 'quiet', 1)
    assert.deepEqual(await thread.round(), times('busy', 4))
    // What comes while others wait takes its place behind them.
    thread.ask(busy, 'late', 1)
    thread.ask(quiet, 'quiet', 1)
    assert.deepEqual(thread.begun, [...times('busy', 4), 'quiet'])
    assert.deepEqual(await thread.round(), ['busy', 'busy', 'late'])
    assert.deepEqual(await thread.round(), [])
    assert.equal(thread.isIdle, true, 'an idle thread is not turned')
  })

  void test('connections of one control plane take turns while it shares its thread', async () => {
    const thread = new Thread()
    using busy = thread.entrance.join()
    using _other = thread.entrance.join()
    thread.ask(busy, 'flood', 20, {})
    thread.ask(busy, 'modest', 1, {})
    assert.deepEqual(await thread.round(), ['flood', 'modest', 'flood', 'flood'])
  })

  void test('whoever leaves lets those go that wait', async () => {
    const thread = new Thread()
    const busy = thread.entrance.join()
    using _other = thread.entrance.join()
    thread.ask(busy, 'busy', 6)
    busy[Symbol.dispose]()
    assert.equal((await thread.round()).length, 2)
  })
})
