// How many addresses of a pod subnet a machine holds as its pods come and go.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Scope } from '@aksel/base/scope'
import { SubnetFullError } from '@aksel/provider/fabric'
import { testScope } from '@aksel/testing/test-scope'
import { judgePool, keepPool, type PoolFacts, type PoolHost, type PoolStep } from './pod-pool.ts'

const addresses = (count: number, from = 0): readonly string[] =>
  Array.from({ length: count }, (_, index) => `10.1.4.${4 + from + index}`)

const rows: readonly (readonly [string, Partial<PoolFacts> & { readonly pods: number }, PoolStep])[] = [
  ['an empty node keeps its first batch', { pods: 0 }, { kind: 'keep' }],
  ['eight free are enough', { pods: 8 }, { kind: 'keep' }],
  ['fewer than eight free take another batch', { pods: 9 }, { kind: 'take', count: 32 }],
  ['none free', { pods: 16 }, { kind: 'take', count: 32 }],
  ['no more than pods may need', { pods: 16, growsTo: 30 }, { kind: 'take', count: 30 }],
  ['at the most nothing is taken', { pods: 30, held: addresses(30), growsTo: 30 }, { kind: 'keep' }],
  ['below a batch and a half free nothing is given back', { pods: 9, held: addresses(32) }, { kind: 'keep' }],
  [
    'with a batch and a half free the latest batch is offered no more',
    { pods: 8, held: addresses(32) },
    { kind: 'park', addresses: addresses(16, 16) },
  ],
  ['what is offered no more waits', { pods: 8, held: addresses(32), parked: addresses(16, 16) }, { kind: 'keep' }],
  [
    'and is given back',
    { pods: 8, held: addresses(32), parked: addresses(16, 16), isSettled: true },
    { kind: 'release', addresses: addresses(16, 16) },
  ],
  [
    'unless a pod drew one of them before',
    { pods: 17, held: addresses(32), parked: addresses(16, 16), isSettled: true },
    { kind: 'unpark' },
  ],
  [
    'or more are needed meanwhile',
    { pods: 10, held: addresses(32), parked: addresses(16, 16), isSettled: true },
    { kind: 'unpark' },
  ],
]

for (const [name, { pods, ...facts }, step] of rows) {
  test(`judgePool(): ${name}`, () => {
    const held = facts.held ?? addresses(16)
    const leased = new Set(held.slice(0, pods))
    assert.deepEqual(judgePool({ held, parked: [], isSettled: false, growsTo: 112, ...facts, leased }), step)
  })
}

/** A subnet of so many addresses for one machine, with so many pods of it; it tells what it was asked for. */
class Bench implements PoolHost {
  readonly #size: number
  #told: string[] = []
  #held: readonly string[] = []
  #pods = 0
  #wake = (): void => {}

  constructor(size: number) {
    this.#size = size
  }

  take(_scope: Scope, count: number): Promise<readonly string[]> {
    const missing = count - this.#held.length
    if (count > this.#size) return Promise.reject(new SubnetFullError('/v/subnets/pods', '10.1.4.0/27', missing))
    if (missing > 0) this.#held = addresses(count)
    return Promise.resolve(this.#held)
  }

  release(_scope: Scope, going: readonly string[]): Promise<void> {
    this.#held = this.#held.filter((address) => !going.includes(address))
    this.#told.push(`gives back ${going.length}`)
    return Promise.resolve()
  }

  offer(offered: readonly string[]): Promise<void> {
    this.#told.push(`offers ${offered.length} of ${this.#held.length}`)
    return Promise.resolve()
  }

  leased(): Promise<ReadonlySet<string>> {
    return Promise.resolve(new Set(addresses(this.#pods)))
  }

  changed(scope: Scope, atMostMs: number): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>()
    this.#wake = resolve
    scope.clock.after(atMostMs, resolve)
    return promise
  }

  short(message: string): void {
    this.#told.push(message)
  }

  /** So many pods from now on. */
  pods(count: number): void {
    this.#pods = count
    this.#wake()
  }

  told(): readonly string[] {
    return this.#told.splice(0)
  }
}

test('keepPool() takes batches as pods come, and gives them back ten seconds after they went', async () => {
  using scope = testScope()
  const bench = new Bench(256)
  const kept = keepPool(scope, bench, 112)
  await scope.clock.run(0)
  assert.deepEqual(bench.told(), ['offers 16 of 16'])
  bench.pods(30)
  await scope.clock.run(0)
  assert.deepEqual(bench.told(), ['offers 32 of 32', 'offers 48 of 48'])
  bench.pods(3)
  await scope.clock.run(9_000)
  assert.deepEqual(bench.told(), ['offers 32 of 48'], 'another batch waits its turn')
  await scope.clock.run(2_000)
  assert.deepEqual(bench.told(), ['gives back 16', 'offers 16 of 32'])
  await scope.clock.run(10_000)
  assert.deepEqual(bench.told(), ['gives back 16'])
  await scope.clock.run(300_000)
  assert.deepEqual(bench.told(), [], 'the first batch stays')
  scope.abort()
  bench.pods(0)
  await kept
})

test("keepPool() tells of a full subnet in Azure's words, and asks again", async () => {
  using scope = testScope()
  const bench = new Bench(24)
  const kept = keepPool(scope, bench, 112)
  bench.pods(12)
  await scope.clock.run(0)
  const full = 'Subnet pods with address prefix 10.1.4.0/27 does not have enough capacity for 16 IP addresses.'
  assert.deepEqual(bench.told(), ['offers 16 of 16', full])
  await scope.clock.run(10_000)
  assert.deepEqual(bench.told(), [full])
  bench.pods(8)
  await scope.clock.run(10_000)
  assert.deepEqual(bench.told(), [], 'pods went')
  scope.abort()
  bench.pods(0)
  await kept
})
