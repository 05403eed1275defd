// The load of a benchmark, in a process of its own: it takes orders from the benchmark and sends back what it counted.

import { throwBombs, type BombLoad } from './bombs.ts'
import { runElection, type ElectionLoad } from './election.ts'
import { runRequests, type RequestLoad } from './requests.ts'
import { Watchers, type WatchLoad } from './watchers.ts'
import { serveOrders } from './orders.ts'
import { readSlowly, type SlowReading } from './slow-readers.ts'

const watchers = new Watchers()

const orders = {
  requests: (load: RequestLoad) => runRequests(load),
  async openWatchers(load: WatchLoad) {
    await watchers.open(load)
    return true
  },
  async resetWatchers() {
    watchers.reset()
    return true
  },
  untilEvents: ({ events, deadlineMs }: { readonly events: number; readonly deadlineMs: number }) =>
    watchers.until(events, deadlineMs),
  async closeWatchers() {
    watchers.close()
    return true
  },
  elect: (load: ElectionLoad) => runElection(load),
  throwBombs: (load: BombLoad) => throwBombs(load),
  readSlowly: (reading: SlowReading) => readSlowly(reading),
} as const

export type LoadOrders = typeof orders

serveOrders(orders)
