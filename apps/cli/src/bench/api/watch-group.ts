// Group `watch`: events to many watchers beside raw TLS sockets, and a list that comes as a watch.

import { availableParallelism } from 'node:os'
import type { Scope } from '@aksel/base/scope'
import { CommandError } from '../../command-error.ts'
import type { BenchRequest } from '../group.ts'
import type { Child } from '../load/orders.ts'
import type { LoadOrders } from '../load/load-main.ts'
import { numberMark, timeMark } from '../load/template.ts'
import type { WatchCount } from '../load/watchers.ts'
import { rowOf, type BenchRow } from '../row.ts'
import { fillPods, podsPath } from './pods.ts'
import {
  base64,
  costDetails,
  json,
  peerTls,
  requests,
  startLoad,
  startPeer,
  startRig,
  watched,
  type Rig,
} from './rig.ts'

export async function watchGroup(scope: Scope, request: BenchRequest): Promise<readonly BenchRow[]> {
  const rows: BenchRow[] = []
  await using rig = await startRig(scope)
  await write(rig, OBJECTS, { method: 'POST' })
  for (const watchers of [25, 500, 2_000]) {
    request.say(`watch: ${watchers} watchers`)
    rows.push(...(await fanOutRows(scope, rig, request, watchers)))
  }
  request.say('watch: a list as a watch')
  rows.push(await watchList(scope, rig, request))
  return rows
}

/** Deliveries are what is counted, so that more watchers see fewer events. */
function eventsFor(watchers: number, request: BenchRequest): number {
  return Math.max(100, Math.round((request.full ? 1_000_000 : 150_000) / watchers))
}

async function fanOutRows(
  scope: Scope,
  rig: Rig,
  request: BenchRequest,
  watchers: number,
): Promise<readonly BenchRow[]> {
  const events = eventsFor(watchers, request)
  await using readers = await startLoad()
  const eventBytes = await openAndMeasure(rig, readers, watchers)
  const before = await rawFanOut(scope, { watchers, events, eventBytes })
  const full = await watched(rig, () => deliveries(rig, readers, { watchers, events }))
  const perSecond = full.result.events / full.result.seconds
  const after = await rawFanOut(scope, { watchers, events, eventBytes })
  const writes = perSecond / watchers / 2
  const half = await watched(rig, () =>
    deliveries(rig, readers, { watchers, events: Math.ceil(Math.min(events, writes * 5)), perSecond: writes }),
  )
  await readers.ask('closeWatchers', undefined)
  const probe = { of: `raw TLS sockets, events of ${eventBytes} bytes`, before, after }
  const lags = ({ lagP50Ms, lagP99Ms, lagMaxMs }: WatchCount): object => ({ lagP50Ms, lagP99Ms, lagMaxMs })
  return [
    rowOf({
      name: `A6.${watchers} deliveries to ${watchers} watchers`,
      unit: '/s',
      runs: [perSecond],
      probe,
      stages: rig.stages,
      details: { ...costDetails(full), ...lags(full.result), writesPerSecond: perSecond / watchers },
    }),
    rowOf({
      name: `A6.${watchers}.lag p99 from write to delivery at half that load`,
      unit: 's',
      runs: [half.result.lagP99Ms / 1000],
      probe: { of: 'the target, 50 ms', before: 0.05, after: 0.05 },
      stages: rig.stages,
      details: { ...costDetails(half), ...lags(half.result), writesPerSecond: writes, cores: availableParallelism() },
    }),
  ]
}

function configMapsPath(rig: Rig): string {
  return `/api/v1/namespaces/${rig.user.namespace}/configmaps`
}

const OBJECTS = 64

/** Opens the watches; returns the bytes that one event takes on the wire. */
async function openAndMeasure(rig: Rig, readers: Child<LoadOrders>, watchers: number): Promise<number> {
  const list = await requests(rig.load, {
    ...job(rig),
    method: 'GET',
    path: `${configMapsPath(rig)}?limit=1`,
    bodyBase64: '',
    requestsMax: 1,
  })
  if (list.bodyBytes === 0) throw new CommandError('An empty list came back')
  await readers.ask('openWatchers', {
    ...rig.target,
    path: `${configMapsPath(rig)}?watch=1&resourceVersion=${await rig.engine.ask('revision', null)}&timeoutSeconds=3600`,
    watchers,
  })
  await readers.ask('resetWatchers', undefined)
  await write(rig, 1, {})
  const count = await readers.ask('untilEvents', { events: watchers, deadlineMs: 20_000 })
  if (count.events !== watchers) throw new CommandError(`${count.events} of ${watchers} watchers saw the first event`)
  return Math.round(count.bytes / count.events)
}

interface Delivering {
  readonly watchers: number
  readonly events: number
  readonly perSecond?: number
}

async function deliveries(
  rig: Rig,
  readers: Child<LoadOrders>,
  how: Delivering,
): Promise<WatchCount & { readonly seconds: number }> {
  await readers.ask('resetWatchers', undefined)
  const wanted = how.watchers * how.events
  const startedMs = performance.now()
  const writing = write(rig, how.events, how.perSecond === undefined ? {} : { perSecond: how.perSecond })
  const [count] = await Promise.all([readers.ask('untilEvents', { events: wanted, deadlineMs: 120_000 }), writing])
  const seconds = (performance.now() - startedMs) / 1000
  if (count.events !== wanted)
    throw new CommandError(`${count.events} of ${wanted} events arrived; ${count.ended} watches ended`)
  return { ...count, seconds }
}

function job(rig: Rig) {
  return {
    ...rig.target,
    headers: { ...rig.target.headers, ...json },
    protocol: 'h1',
    connections: 8,
    streams: 1,
    firstNumber: 0,
  } as const
}

/** Updates, each with the time at which it was sent, from a process that is neither server nor watcher. */
async function write(
  rig: Rig,
  count: number,
  how: { readonly perSecond?: number; readonly method?: string },
): Promise<void> {
  const object = {
    kind: 'ConfigMap',
    apiVersion: 'v1',
    metadata: { name: `watched-${numberMark}` },
    data: { sent: timeMark, order: numberMark, filler: 'x'.repeat(800) },
  }
  await requests(rig.load, {
    ...job(rig),
    method: 'PUT',
    path: how.method === 'POST' ? configMapsPath(rig) : `${configMapsPath(rig)}/watched-${numberMark}`,
    bodyBase64: base64(object),
    numbers: OBJECTS,
    requestsMax: count,
    ...how,
  })
}

async function rawFanOut(
  scope: Scope,
  { watchers, events, eventBytes }: { readonly watchers: number; readonly events: number; readonly eventBytes: number },
): Promise<number> {
  await using peer = await startPeer()
  await using readers = await startLoad()
  const tls = await peerTls(scope)
  const port = await peer.ask('accept', tls)
  await readers.ask('openWatchers', { host: '127.0.0.1', port, caPem: tls.caPem, headers: {}, watchers })
  const wanted = watchers * events
  const startedMs = performance.now()
  await peer.ask('fanOut', { watchers, events, eventBytes })
  const count = await readers.ask('untilEvents', { events: wanted, deadlineMs: 120_000 })
  if (count.events !== wanted) throw new CommandError(`${count.events} of ${wanted} raw events arrived`)
  return count.events / ((performance.now() - startedMs) / 1000)
}

async function watchList(scope: Scope, rig: Rig, request: BenchRequest): Promise<BenchRow> {
  const pods = request.full ? 150_000 : 5_000
  await fillPods(rig, rig.load, { from: 0, count: pods })
  const query =
    'watch=1&sendInitialEvents=true&resourceVersionMatch=NotOlderThan&allowWatchBookmarks=true&timeoutSeconds=600'
  const once = async (): Promise<{ readonly seconds: number; readonly bytes: number }> => {
    await using readers = await startLoad()
    const startedMs = performance.now()
    await readers.ask('openWatchers', { ...rig.target, path: `${podsPath(rig)}?${query}`, watchers: 1 })
    const count = await readers.ask('untilEvents', { events: pods + 1, deadlineMs: 120_000 })
    if (count.events < pods + 1) throw new CommandError(`${count.events} of ${pods + 1} initial events arrived`)
    return { seconds: (performance.now() - startedMs) / 1000, bytes: count.bytes }
  }
  const { bytes } = await once()
  const raw = async (): Promise<number> =>
    1 / ((await rawFanOut(scope, { watchers: 1, events: pods, eventBytes: Math.round(bytes / pods) })) / pods)
  const before = await raw()
  const runs: number[] = []
  const one = await watched(rig, async () => {
    for (let run = 0; run < Math.max(3, request.runs); run++) runs.push((await once()).seconds)
  })
  return rowOf({
    name: `A7 a WatchList of ${pods} pods`,
    unit: 's',
    runs,
    probe: { of: 'as many bytes over one raw TLS socket, event by event', before, after: await raw() },
    stages: rig.stages,
    details: { ...costDetails(one), bytes },
  })
}
