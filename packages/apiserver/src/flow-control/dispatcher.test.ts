// The dispatcher of flow control against upstream's rules: dealing, fairness, widths, borrowing, matching and estimates.

import assert from 'node:assert/strict'
import { suite, test } from 'node:test'
import type { FlowSchema } from '@aksel/api/types/flowcontrol-v1'
import { flowControlObjects } from '../bootstrap/flow-control.ts'
import { requestInfoOf } from '../request-info.ts'
import { allot, boundsOf, SeatDemand } from './borrowing.ts'
import { deal, flowHash } from './dealer.ts'
import { byPrecedence, distinguisherOf, schemaMatches } from './matching.ts'
import type { FlowRequest } from './flow-request.ts'
import { QueueSet } from './queue-set.ts'
import { seatsOf } from './work-estimate.ts'

function lottery(seed: number): () => number {
  let state = seed
  return () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0
    return state / 2 ** 32
  }
}

void suite('dealing', () => {
  void test('deals different cards, the same for the same flow, and every card about as often', () => {
    const counts = Array.from({ length: 16 }, () => 0)
    for (let flow = 0; flow < 4000; flow++) {
      const hand = deal(flowHash('schema', `user-${flow}`), { deckSize: 16, handSize: 4 })
      assert.equal(new Set(hand).size, 4)
      assert.ok(hand.every((card) => card >= 0 && card < 16))
      for (const card of hand) counts[card]! += 1
    }
    for (const count of counts) assert.ok(Math.abs(count - 1000) < 150, String(counts))
    assert.deepEqual(
      deal(flowHash('a', 'b'), { deckSize: 64, handSize: 8 }),
      deal(flowHash('a', 'b'), { deckSize: 64, handSize: 8 }),
    )
  })

  void test('deals every hand of a small deck from the hashes 0 to their number, once', () => {
    const hands = new Set<string>()
    for (let hash = 0; hash < 5 * 4 * 3; hash++) hands.add(deal(BigInt(hash), { deckSize: 5, handSize: 3 }).join(' '))
    assert.equal(hands.size, 60)
  })
})

interface Running {
  readonly request: FlowRequest
  readonly flow: number
  startedMs?: number
}

/** Flows that always have a request ready; every request lasts as long as is said. Returns the seat-seconds that each flow got. */
function contest(options: {
  readonly flows: readonly { readonly clients: number; readonly seats: number; readonly lastsMs: number }[]
  readonly limit: number
  readonly untilMs: number
}): readonly number[] {
  const { flows, limit, untilMs } = options
  const set = new QueueSet({ queues: 64, handSize: 6, queueLengthLimit: 50 }, limit, 0)
  const got = flows.map(() => 0)
  const ends: { readonly atMs: number; readonly running: Running }[] = []
  let nowMs = 0
  const begin = (running: Running): void => {
    running.startedMs = nowMs
    ends.push({ atMs: nowMs + flows[running.flow]!.lastsMs, running })
    ends.sort((a, b) => a.atMs - b.atMs)
  }
  const arrive = (flow: number): void => {
    const running: Running = {
      flow,
      request: { hash: flowHash('schema', String(flow)), seats: flows[flow]!.seats, start: () => begin(running) },
    }
    if (set.arrive(running.request, nowMs) === 'executing') begin(running)
  }
  for (const [flow, { clients }] of flows.entries()) for (let at = 0; at < clients; at++) arrive(flow)
  while (ends.length > 0 && nowMs < untilMs) {
    const { atMs, running } = ends.shift()!
    nowMs = atMs
    assert.ok(set.seatsInUse <= Math.max(limit, ...flows.map(({ seats }) => seats)))
    got[running.flow]! += (flows[running.flow]!.seats * flows[running.flow]!.lastsMs) / 1000
    set.leave(running.request, nowMs)
    arrive(running.flow)
  }
  return got
}

void suite('queues', () => {
  void test('share seats among flows, however many requests one of them has', () => {
    const [greedy, ...modest] = contest({
      flows: [
        { clients: 40, seats: 1, lastsMs: 10 },
        { clients: 4, seats: 1, lastsMs: 10 },
        { clients: 4, seats: 1, lastsMs: 10 },
      ],
      limit: 6,
      untilMs: 20_000,
    })
    // Queues share alike; the greedy one fills all six of its hand, the others four of theirs.
    for (const one of modest) assert.ok(one / greedy! > 0.6, `${one} of ${greedy}`)
  })

  void test('count wide and long requests for what they are', () => {
    const [wide, narrow] = contest({
      flows: [
        { clients: 20, seats: 5, lastsMs: 40 },
        { clients: 20, seats: 1, lastsMs: 10 },
      ],
      limit: 10,
      untilMs: 40_000,
    })
    assert.ok(Math.abs(wide! - narrow!) / (wide! + narrow!) < 0.2, `${wide} and ${narrow}`)
  })

  void test('let a narrow request by where a wide one waits for room, which it does no longer than without it', () => {
    const set = new QueueSet({ queues: 64, handSize: 6, queueLengthLimit: 50 }, 100, 0)
    const started: string[] = []
    const come = (flow: string, seats: number, nowMs: number): FlowRequest => {
      const start = (): void => void started.push(`${flow} ${nowMs}`)
      const request = { hash: flowHash('schema', flow), seats, start }
      if (set.arrive(request, nowMs) === 'executing') start()
      return request
    }
    const lists = Array.from({ length: 30 }, () => come('greedy', 15, 0))
    // Six of them would be in their seats; the tenth that is left is for narrow requests.
    assert.equal(started.length, 6)
    // The lists that run are charged for when they are over, so that the next of them is the first in line all the while.
    const narrow = Array.from({ length: 40 }, (_, at) => come('modest', 1, 5000 + at))
    assert.equal(set.seatsInUse, 100)
    assert.equal(started.filter((one) => one.startsWith('modest')).length, 10)
    // One list ends: the next begins, although ten that passed it are still there.
    set.leave(lists[0]!, 6000)
    assert.equal(started.filter((one) => one.startsWith('greedy')).length, 7)
    assert.equal(set.seatsInUse, 100)
    set.leave(narrow[0]!, 6001)
    assert.equal(started.filter((one) => one.startsWith('modest')).length, 11)
    for (const one of [...lists, ...narrow]) set.leave(one, 7000)
    assert.deepEqual([set.seatsInUse, set.waiting, set.executing], [0, 0, 0])
  })

  void test('let nobody wait while seats are free, and nobody in over the limit', () => {
    const random = lottery(7)
    for (let round = 0; round < 200; round++) {
      const limit = 1 + Math.floor(random() * 8)
      const set = new QueueSet({ queues: 8, handSize: 2, queueLengthLimit: 5 }, limit, 0)
      const alive = new Map<FlowRequest, 'waiting' | 'executing'>()
      let nowMs = 0
      for (let step = 0; step < 200; step++) {
        nowMs += Math.floor(random() * 20)
        if (random() < 0.6) {
          const seats = 1 + Math.floor(random() * 3)
          const request: FlowRequest = {
            hash: flowHash('s', String(Math.floor(random() * 5))),
            seats,
            start: () => {
              assert.equal(alive.get(request), 'waiting')
              alive.set(request, 'executing')
            },
          }
          alive.set(request, 'waiting')
          const arrival = set.arrive(request, nowMs)
          if (arrival === 'executing') alive.set(request, 'executing')
          if (arrival === 'queue-full') alive.delete(request)
        } else {
          const all = [...alive.keys()]
          const leaving = all[Math.floor(random() * all.length)]
          if (leaving !== undefined) {
            alive.delete(leaving)
            set.leave(leaving, nowMs)
          }
        }
        const executing = [...alive].filter(([, state]) => state === 'executing').map(([request]) => request.seats)
        const waiting = [...alive].filter(([, state]) => state === 'waiting')
        const used = executing.reduce((sum, seats) => sum + seats, 0)
        assert.deepEqual([set.seatsInUse, set.executing, set.waiting], [used, executing.length, waiting.length])
        assert.ok(used <= limit || executing.length === 1)
        if (waiting.length > 0) assert.ok(used > 0 && used + 3 > limit, 'a seat was free for whoever waits')
      }
      for (const request of alive.keys()) set.leave(request, nowMs)
      assert.deepEqual([set.seatsInUse, set.seatsWaiting, set.waiting], [0, 0, 0])
    }
  })

  void test('refuse what does not fit, and what need not wait where nobody may', () => {
    const request = (): FlowRequest => ({ hash: 1n, seats: 1, start: () => {} })
    const set = new QueueSet({ queues: 1, handSize: 1, queueLengthLimit: 2 }, 1, 0)
    assert.deepEqual(
      [request(), request(), request(), request()].map((one) => set.arrive(one, 0)),
      ['executing', 'queued', 'queued', 'queue-full'],
    )
    const none = new QueueSet({ queues: 0, handSize: 0, queueLengthLimit: 0 }, 1, 0)
    assert.deepEqual([none.arrive(request(), 0), none.arrive(request(), 0)], ['executing', 'concurrency-limit'])
  })

  void test('keep those that wait when their number changes', () => {
    const started: number[] = []
    const set = new QueueSet({ queues: 4, handSize: 2, queueLengthLimit: 50 }, 1, 0)
    const all = Array.from({ length: 6 }, (_, at) => ({
      hash: flowHash('s', String(at)),
      seats: 1,
      start: () => void started.push(at),
    }))
    for (const one of all) set.arrive(one, 0)
    set.configure({ queues: 8, handSize: 3, queueLengthLimit: 50 }, 1)
    set.configure({ queues: 0, handSize: 0, queueLengthLimit: 0 }, 2)
    for (const one of all) set.leave(one, 3)
    assert.deepEqual(
      started.toSorted((a, b) => a - b),
      [1, 2, 3, 4, 5],
    )
  })
})

void suite('seats of levels', () => {
  const shares = new Map([
    ['exempt', { shares: 0, lendablePercent: 0, borrowingLimitPercent: undefined }],
    ['a', { shares: 30, lendablePercent: 50, borrowingLimitPercent: undefined }],
    ['b', { shares: 10, lendablePercent: 0, borrowingLimitPercent: 0 }],
    ['c', { shares: 60, lendablePercent: 90, borrowingLimitPercent: 50 }],
  ])

  void test('follow their shares, and bounds follow what they lend and borrow', () => {
    assert.deepEqual(Object.fromEntries(boundsOf(shares, 600)), {
      exempt: { nominal: 0, min: 0, max: 600 },
      a: { nominal: 180, min: 90, max: 780 },
      b: { nominal: 60, min: 60, max: 60 },
      c: { nominal: 360, min: 36, max: 540 },
    })
  })

  void test('go to whoever wants them, within the bounds, and no seat is made', () => {
    const bounds = boundsOf(shares, 600)
    const given = (demand: Readonly<Record<string, number>>): Readonly<Record<string, number>> =>
      Object.fromEntries(
        allot(
          new Map(
            Object.entries(demand).map(([name, wanted]) => [name, { bounds: bounds.get(name)!, demand: wanted }]),
          ),
          600,
        ).seats,
      )
    const busy = given({ a: 500, b: 500, c: 0 })
    assert.deepEqual([busy['b'], busy['c']], [60, 36])
    assert.ok(busy['a']! >= 500 && busy['a']! <= 504, JSON.stringify(busy))
    const random = lottery(11)
    for (let round = 0; round < 500; round++) {
      const seats = given({ a: random() * 900, b: random() * 900, c: random() * 900 })
      for (const [name, one] of Object.entries(seats)) {
        assert.ok(one >= bounds.get(name)!.min && one <= bounds.get(name)!.max)
      }
      assert.ok(Object.values(seats).reduce((sum, one) => sum + one, 0) <= 602)
    }
  })

  void test('remember a peak, and forget it slowly', () => {
    const demand = new SeatDemand(0)
    demand.want(100, 0)
    demand.want(0, 5_000)
    const peak = demand.close(10_000)
    assert.ok(peak > 90 && peak <= 100, String(peak))
    const later = demand.close(20_000)
    assert.ok(later < peak && later > 0.95 * peak)
  })
})

void suite('requests', () => {
  const schemas = byPrecedence(flowControlObjects().filter(({ kind }) => kind === 'FlowSchema') as FlowSchema[])
  const schemaOf = (name: string, groups: readonly string[], method: string, url: string): string => {
    const [user, info] = [{ name, groups: [...groups, 'system:authenticated'] }, requestInfoOf(method, url)]
    const schema = schemas.find((one) => schemaMatches(one, user, info))!
    return `${schema.metadata.name} ${distinguisherOf(schema, user, info)}`.trim()
  }
  const leases = '/apis/coordination.k8s.io/v1/namespaces/kube-system/leases/x'

  for (const [name, groups, method, url, expected] of [
    ['root', ['system:masters'], 'GET', '/api/v1/pods', 'exempt'],
    ['ann', [], 'GET', '/healthz', 'probes'],
    ['ann', [], 'GET', '/api/v1/namespaces/a/pods', 'global-default ann'],
    ['system:node:a', ['system:nodes'], 'PATCH', '/api/v1/nodes/a/status', 'system-node-high system:node:a'],
    ['system:node:a', ['system:nodes'], 'GET', '/api/v1/pods', 'system-nodes system:node:a'],
    ['system:kube-scheduler', [], 'PUT', leases, 'system-leader-election system:kube-scheduler'],
    ['system:kube-scheduler', [], 'GET', '/api/v1/namespaces/a/pods', 'kube-scheduler a'],
    ['system:serviceaccount:kube-system:x', [], 'GET', '/api/v1/namespaces/a/pods', 'kube-system-service-accounts a'],
    [
      'system:serviceaccount:web:x',
      ['system:serviceaccounts'],
      'GET',
      '/api/v1/pods',
      'service-accounts system:serviceaccount:web:x',
    ],
  ] as const) {
    void test(`of ${name} for ${method} ${url} belong to ${expected}`, () => {
      assert.equal(schemaOf(name, groups, method, url), expected)
    })
  }

  void test('take as many seats as the objects that they go through', () => {
    const seats = (url: string, stored: number | undefined, method = 'GET'): number =>
      seatsOf(requestInfoOf(method, url), { level: 1000, total: 600 }, () => stored)
    assert.equal(seats('/api/v1/pods', 10), 1)
    assert.equal(seats('/api/v1/pods', 1000), 10)
    assert.equal(seats('/api/v1/pods', 100_000), 100)
    assert.equal(
      seatsOf(requestInfoOf('GET', '/api/v1/pods'), { level: 40, total: 600 }, () => 100_000),
      6,
    )
    // Twenty times upstream's seats: a list takes the same share of them.
    assert.equal(
      seatsOf(requestInfoOf('GET', '/api/v1/pods'), { level: 100_000, total: 12_000 }, () => 1000),
      200,
    )
    assert.equal(seats('/api/v1/pods?limit=500', 100_000), 5)
    assert.equal(seats('/api/v1/pods?limit=500&labelSelector=a', 2000), 20)
    assert.equal(seats('/api/v1/pods?fieldSelector=metadata.name%3Da', 100_000), 1)
    assert.equal(seats('/api/v1/pods?watch=1', 100_000), 1)
    assert.equal(seats('/api/v1/pods?watch=1&sendInitialEvents=true', 1000), 10)
    assert.equal(seats('/api/v1/namespaces/a/pods/b', 100_000), 1)
    assert.equal(seats('/api/v1/pods', undefined), 1)
    assert.equal(seats('/api/v1/namespaces/a/pods', 1000, 'DELETE'), 10)
    assert.equal(seats('/api/v1/namespaces/a/pods', 1000, 'POST'), 1)
  })
})
