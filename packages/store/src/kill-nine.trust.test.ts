// Linearizability under kill -9: eight clients on a store in a process that is killed again and again.

import assert from 'node:assert/strict'
import { fork, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { fraction, seededRandom } from '@aksel/base/ids'
import { sized } from '@aksel/testing/test-size'
import { notLinearizable, type HistoryEntry, type KeyOperation } from './linearizability.ts'
import type { StoreAnswer, StoreOrder } from './trust-store-main.ts'

const CLIENTS = 8
const KEYS = 24
/** A run that does less a second has tested nothing. */
const LOAD_MIN_PER_SECOND = 100
const OPERATIONS_PER_ROUND = 1_200

class Victim {
  readonly #child: ChildProcess
  readonly #waiting = new Map<number, (answer: StoreAnswer | undefined) => void>()
  #number = 0

  private constructor(child: ChildProcess) {
    this.#child = child
    child.on('message', (answer: StoreAnswer) => {
      this.#waiting.get(answer.number)?.(answer)
      this.#waiting.delete(answer.number)
    })
    child.on('exit', () => {
      for (const lost of this.#waiting.values()) lost(undefined)
      this.#waiting.clear()
    })
  }

  static async start(directory: string, bug: string): Promise<Victim> {
    const program = join(import.meta.dirname, 'trust-store-main.ts')
    const child = fork(program, ['--directory', directory, '--bug', bug], {
      execArgv: ['--disable-warning=ExperimentalWarning'],
      stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
    })
    await once(child, 'message')
    return new Victim(child)
  }

  /** Undefined: it died first. */
  ask(order: Omit<StoreOrder, 'number'>): Promise<StoreAnswer | undefined> {
    if (!this.#child.connected) return Promise.resolve(undefined)
    return new Promise((resolve) => {
      const number = (this.#number += 1)
      this.#waiting.set(number, resolve)
      this.#child.send({ number, ...order }, (error) => error !== null && resolve(undefined))
    })
  }

  async kill(): Promise<void> {
    const exited = once(this.#child, 'exit')
    this.#child.kill('SIGKILL')
    await exited
  }
}

/** Runs rounds, each ended by kill -9 at a random operation, and returns all that was seen. */
async function run(
  rounds: number,
  bug: string,
): Promise<{ readonly history: readonly HistoryEntry[]; readonly perSecond: number }> {
  const directory = mkdtempSync(join(tmpdir(), 'aksel-kill-'))
  const random = seededRandom(42)
  const history: HistoryEntry[] = []
  const last = new Map<string, string>()
  let value = 0
  let busyMs = 0
  try {
    for (let round = 0; round < rounds; round++) {
      const victim = await Victim.start(directory, bug)
      const startedMs = performance.now()
      let left = OPERATIONS_PER_ROUND / 2 + Math.floor((fraction(random) * OPERATIONS_PER_ROUND) / 2)
      let dead: Promise<void> | undefined
      const client = async (): Promise<void> => {
        while (dead === undefined) {
          left -= 1
          if (left <= 0) dead ??= victim.kill()
          const key = `k/${Math.floor(fraction(random) * KEYS)}-${round % 4}`
          const die = fraction(random)
          const order =
            die < 0.3
              ? ({ kind: 'read', key } as const)
              : ({
                  kind: die < 0.5 ? 'write' : 'swap',
                  key,
                  value: String((value += 1)),
                  ...expectation(last, key),
                } as const)
          const calledMs = performance.now()
          const answer = await victim.ask(order)
          const entry = entryOf(order, answer, calledMs)
          if (entry === undefined) continue
          history.push(entry)
          if (entry.operation.kind === 'read' && entry.operation.result !== undefined)
            last.set(key, entry.operation.result)
          else if (answer?.done === true && order.kind !== 'read') last.set(key, order.value!)
        }
      }
      await Promise.all(Array.from({ length: CLIENTS }, client))
      busyMs += performance.now() - startedMs
      await dead
    }
  } finally {
    rmSync(directory, { recursive: true, force: true })
  }
  const answered = history.filter(({ answeredMs }) => answeredMs !== Infinity).length
  return { history, perSecond: answered / (busyMs / 1000) }
}

function expectation(last: ReadonlyMap<string, string>, key: string): { readonly expected?: string } {
  const expected = last.get(key)
  return expected === undefined ? {} : { expected }
}

type Order = Omit<StoreOrder, 'number'>

/** Undefined for a read that nobody answered: it tells nothing. */
function entryOf(order: Order, answer: StoreAnswer | undefined, calledMs: number): HistoryEntry | undefined {
  const answeredMs = answer === undefined ? Infinity : performance.now()
  const operation = operationOf(order, answer)
  return operation === undefined ? undefined : { key: order.key, operation, calledMs, answeredMs }
}

function operationOf({ kind, expected, value }: Order, answer: StoreAnswer | undefined): KeyOperation | undefined {
  switch (kind) {
    case 'read':
      return answer === undefined ? undefined : { kind, result: answer.value }
    case 'write':
      return { kind, value: value! }
    case 'swap':
      return { kind, expected, value: value!, done: answer?.done ?? false }
    default:
      return kind satisfies never
  }
}

for (const bug of ['dropped-write', 'stale-read', 'unguarded']) {
  test(`the harness catches a planted bug: ${bug}`, async () => {
    const { history } = await run(2, bug)
    assert.notEqual(notLinearizable(history), undefined)
  })
}

test('eight clients and kill -9: the history is linearizable', async () => {
  const { history, perSecond } = await run(sized({ gate: 8, full: 50 }), '')
  assert.ok(perSecond >= LOAD_MIN_PER_SECOND, `void: only ${perSecond.toFixed(0)} operations a second were answered`)
  assert.equal(notLinearizable(history), undefined)
})
