// Audit events on their way to a webhook: batched, tried again, cut and counted.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Clock } from '@aksel/base/clock'
import { logTo } from '@aksel/base/log'
import { Counter } from '../metrics.ts'
import { AuditBatches, defaultAuditBatches, type AuditBatchOptions, type SendAudit } from './batches.ts'

/** Time that passes as soon as somebody waits for it. */
function hastyClock(): Clock & { waitedMs: number } {
  const clock = {
    waitedMs: 0,
    now: () => clock.waitedMs,
    monotonicMs: () => clock.waitedMs,
    after(delayMs: number, fire: () => void) {
      const handle = setImmediate(() => {
        clock.waitedMs += delayMs
        fire()
      })
      return { pending: true, [Symbol.dispose]: () => clearImmediate(handle) }
    },
  }
  return clock
}

interface Rig extends AsyncDisposable {
  readonly batches: AuditBatches
  readonly bodies: { readonly items: readonly Readonly<Record<string, unknown>>[] }[]
  readonly clock: ReturnType<typeof hastyClock>
  lostCount(): number
}

function rig(options: Partial<AuditBatchOptions>, answers: Awaited<ReturnType<SendAudit>>[] = []): Rig {
  const clock = hastyClock()
  const bodies: Rig['bodies'] = []
  const lost = new Counter()
  const batches = new AuditBatches({
    clock,
    log: logTo(() => {}),
    options: { ...defaultAuditBatches, ...options },
    lost,
    send: async (body) => {
      bodies.push(JSON.parse(Buffer.from(body).toString()) as Rig['bodies'][number])
      return answers.shift() ?? 'sent'
    },
  })
  return {
    batches,
    bodies,
    clock,
    lostCount: () => lost.lines('lost').reduce((sum, line) => sum + Number(line.split(' ').at(-1)), 0),
    [Symbol.asyncDispose]: () => batches[Symbol.asyncDispose](),
  }
}

test('an event that somebody waits for goes by itself and at once, is tried as often, and may be lost', async () => {
  await using one = rig({ batchMaxSize: 3, truncate: { eventMaxBytes: 60, batchMaxBytes: 100 } }, [
    'sent',
    'may repeat',
    'sent',
    'refused',
    ...Array.from({ length: 5 }, () => 'may repeat' as const),
  ])
  const kept: boolean[] = []
  for (let at = 0; at < 4; at++) kept.push(await one.batches.sendNow({ at }))
  assert.deepEqual(kept, [true, true, false, false])
  assert.deepEqual(
    one.bodies.map(({ items }) => items),
    [0, 1, 1, 2, 3, 3, 3, 3, 3].map((at) => [{ at }]),
  )
  assert.equal(await one.batches.sendNow({ far: 'x'.repeat(100) }), false)
  assert.equal(one.lostCount(), 3)
})

test('events go in batches of at most the size, in their order, and all of them', async () => {
  const one = rig({ batchMaxSize: 3 })
  for (let at = 0; at < 8; at++) one.batches.add({ at })
  await one[Symbol.asyncDispose]()
  const { bodies } = one
  assert.deepEqual(
    bodies.flatMap(({ items }) => items.map(({ at }) => at)),
    [0, 1, 2, 3, 4, 5, 6, 7],
  )
  assert.ok(bodies.every(({ items }) => items.length <= 3))
})

test('a batch is tried five times, with longer and longer waits, where the other side may get well', async () => {
  const one = rig({ batchMaxSize: 1, initialBackoffMs: 100 }, ['may repeat', 'may repeat', 'sent'])
  one.batches.add({ at: 1 })
  for (let turn = 0; turn < 20; turn++) await new Promise((resolve) => setImmediate(resolve))
  assert.deepEqual([one.bodies.length, one.clock.waitedMs, one.lostCount()], [3, 250, 0])
  await one[Symbol.asyncDispose]()
  const dead = rig(
    { batchMaxSize: 1 },
    Array.from({ length: 9 }, () => 'may repeat' as const),
  )
  dead.batches.add({ at: 1 })
  for (let turn = 0; turn < 20; turn++) await new Promise((resolve) => setImmediate(resolve))
  assert.deepEqual([dead.bodies.length, dead.lostCount()], [5, 1])
  await dead[Symbol.asyncDispose]()
})

test('what was refused is not sent again, and what does not fit in the buffer is counted', async () => {
  const one = rig({ batchMaxSize: 10, bufferSize: 2 }, ['refused'])
  for (let at = 0; at < 5; at++) one.batches.add({ at })
  await one[Symbol.asyncDispose]()
  assert.deepEqual([one.bodies.length, one.lostCount()], [1, 5])
})

test('an event that is too large loses its bodies and says so; one that is too large without them is lost', async () => {
  const one = rig({ truncate: { eventMaxBytes: 200, batchMaxBytes: 1000 } })
  one.batches.add({ verb: 'create', requestObject: 'x'.repeat(300), annotations: { a: 'b' } })
  one.batches.add({ verb: 'x'.repeat(300) })
  await one[Symbol.asyncDispose]()
  assert.deepEqual(one.bodies[0]!.items, [
    { verb: 'create', annotations: { a: 'b', 'audit.k8s.io/truncated': 'true' } },
  ])
  assert.equal(one.lostCount(), 1)
})

test('batches keep to their pace', async () => {
  const one = rig({ batchMaxSize: 1, throttleQps: 2, throttleBurst: 1 })
  for (let at = 0; at < 5; at++) one.batches.add({ at })
  for (let turn = 0; turn < 30; turn++) await new Promise((resolve) => setImmediate(resolve))
  assert.equal(one.bodies.length, 5)
  assert.ok(one.clock.waitedMs >= 2000, String(one.clock.waitedMs))
  await one[Symbol.asyncDispose]()
})

test('a webhook that hangs is given up after half a minute, and others’ batches go meanwhile', async () => {
  const clock = hastyClock()
  const sent: string[] = []
  const gaveUpAtMs: number[] = []
  const batches = new AuditBatches({
    clock,
    log: logTo(() => {}),
    options: { ...defaultAuditBatches, batchMaxSize: 1, initialBackoffMs: 1 },
    send: (body, signal) => {
      const text = Buffer.from(body).toString()
      if (!text.includes('"hangs"') || gaveUpAtMs.length > 0) {
        sent.push(text)
        return Promise.resolve('sent')
      }
      return new Promise((resolve) =>
        signal.addEventListener('abort', () => {
          gaveUpAtMs.push(clock.waitedMs)
          resolve('may repeat')
        }),
      )
    },
  })
  batches.add({ what: 'hangs' })
  batches.add({ what: 'goes' })
  for (let turn = 0; turn < 20; turn++) await new Promise((resolve) => setImmediate(resolve))
  await batches[Symbol.asyncDispose]()
  assert.equal(gaveUpAtMs.length, 1)
  assert.ok(gaveUpAtMs[0]! >= 30_000, String(gaveUpAtMs[0]))
  assert.deepEqual([sent.length, sent[0]!.includes('goes')], [2, true])
})

test('the end does not wait for a webhook that hangs: what it was to get is counted as lost', async () => {
  const clock = hastyClock()
  const lost = new Counter()
  const batches = new AuditBatches({
    clock: { ...clock, after: (delayMs, fire) => clock.after(delayMs, delayMs === 5_000 ? fire : () => {}) },
    log: logTo(() => {}),
    options: { ...defaultAuditBatches, batchMaxSize: 2 },
    lost,
    send: (_body, signal) =>
      new Promise((resolve) => signal.addEventListener('abort', () => resolve('may repeat'), { once: true })),
  })
  for (let at = 0; at < 101; at++) batches.add({ at })
  await batches[Symbol.asyncDispose]()
  assert.deepEqual(lost.lines('lost'), ['lost{plugin="webhook"} 101'])
})
