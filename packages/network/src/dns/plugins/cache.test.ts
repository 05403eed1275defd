// How long answers are given again, and what happens when nobody answers any more.

import assert from 'node:assert/strict'
import { decode } from 'dns-packet'
import { test } from 'node:test'
import { SimulatedClock, settled } from '@aksel/testing/simulated-clock'
import { queryFrom, rcodeOf } from '../../testing/dns-queries.ts'
import { testScope } from '../../testing/host-bench.ts'
import { reply } from '../query.ts'
import { cache, type CacheOptions } from './cache.ts'

function bench(options: Partial<CacheOptions> = {}) {
  const clock = new SimulatedClock()
  const scope = { ...testScope(), clock }
  const state = { asked: 0, ttl: 100, rcode: 0, isDown: false }
  const cached = cache(
    {
      zones: ['.'],
      capacity: 3,
      successTtlSeconds: 60,
      denialTtlSeconds: 20,
      stale: 'none',
      staleSeconds: 0,
      ...options,
    },
    (_scope, query) => {
      state.asked += 1
      if (state.isDown) throw new Error('nobody answers')
      const { name } = query.question
      if (state.rcode !== 0) {
        const soa = { mname: 'a', rname: 'b', serial: 1, refresh: 1, retry: 1, expire: 1, minimum: 900 }
        return reply(query, {
          rcode: state.rcode,
          authorities: [{ type: 'SOA', name: 'example', ttl: 900, data: soa }],
        })
      }
      return reply(query, { rcode: 0, answers: [{ type: 'A', name, ttl: state.ttl, data: `10.0.0.${state.asked}` }] })
    },
  )
  const ask = async (name = 'a.example'): Promise<string> => {
    const packet = decode(await cached.answer(scope, queryFrom('10.244.0.5', name)))
    const [answer] = packet.answers ?? []
    return answer?.type === 'A' ? `${answer.data} for ${answer.ttl}` : `code ${rcodeOf(packet)}`
  }
  return { clock, state, ask, cached }
}

test('an answer is given again, ever shorter, until its time or the most is over', async () => {
  const { clock, state, ask } = bench()
  assert.equal(await ask(), '10.0.0.1 for 100')
  clock.advance(10_000)
  assert.equal(await ask(), '10.0.0.1 for 50')
  clock.advance(50_000)
  assert.equal(await ask(), '10.0.0.2 for 100')
  assert.equal(state.asked, 2)
})

test('that there is nothing is remembered for a shorter time, and a failure is not', async () => {
  const { clock, state, ask } = bench()
  state.rcode = 3
  assert.equal(await ask(), 'code 3')
  clock.advance(19_000)
  assert.equal(await ask(), 'code 3')
  assert.equal(state.asked, 1)
  clock.advance(2000)
  state.rcode = 2
  assert.equal(await ask(), 'code 2')
  assert.equal(await ask(), 'code 2')
  assert.equal(state.asked, 3)
})

test('a full cache stays as large as it is', async () => {
  const { ask, cached } = bench()
  for (const name of ['a', 'b', 'c', 'd', 'e']) await ask(`${name}.example`)
  assert.equal(cached.size(), 3)
})

test('questions at the same time wait for one answer', async () => {
  const { state, ask } = bench()
  assert.deepEqual(await Promise.all([ask(), ask()]), ['10.0.0.1 for 100', '10.0.0.1 for 100'])
  assert.equal(state.asked, 1)
})

test('stale at once: what has run out is given while it is asked for anew', async () => {
  const { clock, state, ask, cached } = bench({ stale: 'immediate', staleSeconds: 3600 })
  await ask()
  clock.advance(61_000)
  state.isDown = true
  assert.equal(await ask(), '10.0.0.1 for 0')
  await settled()
  state.isDown = false
  assert.equal(await ask(), '10.0.0.1 for 0')
  await settled()
  assert.equal(await ask(), '10.0.0.3 for 60')
  assert.deepEqual({ ...cached.counts }, { hits: 1, misses: 1, stale: 2 })
  state.isDown = true
  clock.advance(3_661_000)
  await assert.rejects(ask(), /nobody answers/)
})

test('stale when verified: it is given only when nobody answers', async () => {
  const { clock, state, ask } = bench({ stale: 'verify', staleSeconds: 3600 })
  await ask()
  clock.advance(61_000)
  assert.equal(await ask(), '10.0.0.2 for 100')
  clock.advance(61_000)
  state.isDown = true
  assert.equal(await ask(), '10.0.0.2 for 0')
})
