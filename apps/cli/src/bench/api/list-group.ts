// Group `list`: whole lists beside a static body, what they and the objects take in memory, selectors, and a restart.

import type { Scope } from '@aksel/base/scope'
import { CommandError } from '../../command-error.ts'
import type { BenchRequest } from '../group.ts'
import { median, rowOf, type BenchRow } from '../row.ts'
import { costOf } from '../process-cost.ts'
import { fillPods, podsPath } from './pods.ts'
import {
  costDetails,
  peerTls,
  requests,
  startEngine,
  startPeer,
  startRig,
  watched,
  type Rig,
  type Watched,
} from './rig.ts'
import type { Child } from '../load/orders.ts'
import type { LoadResult, RequestLoad } from '../load/requests.ts'
import type { PeerOrders } from '../load/peer-main.ts'

interface Form {
  readonly name: string
  readonly headers: Readonly<Record<string, string>>
}

const forms: readonly Form[] = [
  { name: 'JSON', headers: { accept: 'application/json' } },
  { name: 'JSON, gzip', headers: { accept: 'application/json', 'accept-encoding': 'gzip' } },
  { name: 'Table', headers: { accept: 'application/json;as=Table;v=v1;g=meta.k8s.io' } },
  { name: 'protobuf', headers: { accept: 'application/vnd.kubernetes.protobuf' } },
]

export async function listGroup(scope: Scope, request: BenchRequest): Promise<readonly BenchRow[]> {
  const pods = request.full ? 150_000 : 5_000
  await using rig = await startRig(scope)
  await using peer = await startPeer()
  const tls = await peerTls(scope)
  const port = await peer.ask('echo', tls)
  const still: Still = { peer, target: { host: '127.0.0.1', port, caPem: tls.caPem } }
  await rig.engine.ask('collectGarbage', null)
  const empty = costOf(rig.engine.pid)!
  request.say(`list: ${pods} pods are made`)
  await fillPods(rig, rig.load, { from: 0, count: pods })
  const rows: BenchRow[] = [await memoryRow(rig, empty, pods)]
  for (const form of forms) {
    request.say(`list: ${form.name}`)
    rows.push(...(await listRow(rig, form, { still, request, pods })))
  }
  request.say('list: slow readers')
  rows.push(await slowReaders(rig, still, request))
  request.say('list: a selector that matches nothing')
  if (request.full) await fillPods(rig, rig.load, { from: pods, count: pods })
  for (const selector of selectors)
    rows.push(await selectorRow(rig, still, request, { ...selector, pods: request.full ? 2 * pods : pods }))
  request.say('list: a restart')
  rows.push(await restartRow(rig, still, request.full ? 2 * pods : pods))
  return rows
}

interface Still {
  readonly peer: Child<PeerOrders>
  readonly target: Pick<RequestLoad, 'host' | 'port' | 'caPem'>
}

function reading(rig: Rig, headers: Readonly<Record<string, string>>, query = ''): Omit<RequestLoad, 'requestsMax'> {
  const { authorization } = rig.target.headers
  return {
    ...rig.target,
    headers: { authorization: authorization!, 'user-agent': 'aksel-bench', ...headers },
    protocol: 'h2',
    connections: 1,
    streams: 1,
    method: 'GET',
    path: `${podsPath(rig)}${query}`,
    bodyBase64: '',
    firstNumber: 0,
  }
}

interface ListQuestion {
  readonly still: Still
  readonly request: BenchRequest
  readonly pods: number
}

/** A form that is not offered gives no row and says so. */
async function listRow(rig: Rig, form: Form, { still, request, pods }: ListQuestion): Promise<readonly BenchRow[]> {
  const times = Math.max(3, request.runs)
  const trial = await rig.load.ask('requests', { ...reading(rig, form.headers), requestsMax: 1 })
  if (trial.failed > 0) {
    request.say(`list: ${form.name} is not offered (${trial.firstFailure})`)
    return []
  }
  const before = await staticBody(rig, still, trial.bodyBytes, times)
  const results: LoadResult[] = []
  const one = await watched(rig, async () => {
    for (let i = 0; i < times; i++)
      results.push(await requests(rig.load, { ...reading(rig, form.headers), requestsMax: 1 }))
  })
  const after = await staticBody(rig, still, trial.bodyBytes, times)
  return [
    rowOf({
      name: `A3 list of ${pods} pods, ${form.name}`,
      unit: 'bytes/s',
      runs: results.map(throughput),
      probe: { of: `a static body of ${trial.bodyBytes} bytes over the same TLS`, before, after },
      stages: rig.stages,
      details: { ...costDetails(one), bodyBytes: trial.bodyBytes, seconds: results.map(({ seconds }) => seconds) },
    }),
  ]
}

function throughput({ bodyBytes, maxMs }: LoadResult): number {
  return bodyBytes / (maxMs / 1000)
}

/** The best of some; bytes a second. */
async function staticBody(rig: Rig, still: Still, bytes: number, times: number): Promise<number> {
  await still.peer.ask('setBody', bytes)
  const job: RequestLoad = { ...reading(rig, {}), ...still.target, path: '/', requestsMax: 1 }
  const results: number[] = []
  for (let i = 0; i < times; i++) results.push(throughput(await requests(rig.load, job)))
  return Math.max(...results)
}

async function memoryRow(
  rig: Rig,
  empty: { readonly rssAnonBytes: number; readonly rssFileBytes: number },
  pods: number,
): Promise<BenchRow> {
  const one: Watched<NodeJS.MemoryUsage> = await watched(rig, () => rig.engine.ask('collectGarbage', null))
  const list = await requests(rig.load, {
    ...reading(rig, { accept: 'application/json' }, '?limit=50'),
    requestsMax: 1,
  })
  const storedBytes = (list.bodyBytes / 50) * pods
  const grown = one.server.rssAnonBytes + one.server.rssFileBytes - empty.rssAnonBytes - empty.rssFileBytes
  return rowOf({
    name: `A5 memory per stored byte, ${pods} pods`,
    unit: '×',
    runs: [grown / storedBytes],
    probe: { of: 'the bytes of the objects as they are sent', before: 1, after: 1 },
    stages: rig.stages,
    details: { ...costDetails(one), storedBytes, grownBytes: grown, heap: one.result },
  })
}

/** Ten who read a megabyte a second: what the server grows by meanwhile. */
async function slowReaders(rig: Rig, still: Still, request: BenchRequest): Promise<BenchRow> {
  const readers = 10
  await rig.engine.ask('collectGarbage', null)
  const before = costOf(rig.engine.pid)!.rssAnonBytes
  const { authorization } = rig.target.headers
  let largest = before
  const one = await watched(rig, async () => {
    const timer = setInterval(() => (largest = Math.max(largest, costOf(rig.engine.pid)!.rssAnonBytes)), 50)
    try {
      return await rig.load.ask('readSlowly', {
        ...rig.target,
        path: podsPath(rig),
        headers: { authorization: authorization!, accept: 'application/json' },
        readers,
        bytesPerSecond: 1 << 20,
        durationMs: request.full ? 20_000 : 4_000,
      })
    } finally {
      clearInterval(timer)
    }
  })
  const list = await requests(rig.load, { ...reading(rig, {}), requestsMax: 1 })
  void still
  return rowOf({
    name: `A4 memory added by ${readers} slow readers of whole lists`,
    unit: 'bytes',
    runs: [largest - before],
    probe: {
      of: 'the bytes of their lists together',
      before: readers * list.bodyBytes,
      after: readers * list.bodyBytes,
    },
    stages: rig.stages,
    details: { ...costDetails(one), readBytes: one.result },
  })
}

interface Selector {
  readonly id: string
  readonly what: string
  readonly query: string
}

const selectors: readonly Selector[] = [
  { id: 'A8', what: 'a label selector', query: '?labelSelector=app%3Dnone%2Ctier%3Dfront' },
  { id: 'A8.field', what: 'a field selector', query: '?fieldSelector=spec.nodeName%3Dnone' },
]

async function selectorRow(
  rig: Rig,
  still: Still,
  request: BenchRequest,
  { id, what, query, pods }: Selector & { readonly pods: number },
): Promise<BenchRow> {
  const count = request.full ? 1_000 : 200
  await requests(rig.load, { ...reading(rig, {}, query), requestsMax: 20 })
  await still.peer.ask('setBody', 120)
  const probe = async (): Promise<number> =>
    (await requests(rig.load, { ...reading(rig, {}), ...still.target, path: '/', requestsMax: count })).p99Ms / 1000
  const before = await probe()
  const one = await watched(rig, () => requests(rig.load, { ...reading(rig, {}, query), requestsMax: count }))
  return rowOf({
    name: `${id} p99 of ${what} that matches nothing among ${pods}`,
    unit: 's',
    runs: [one.result.p99Ms / 1000],
    probe: { of: 'p99 of a static answer as small', before, after: await probe() },
    stages: rig.stages,
    details: { ...costDetails(one), p50Ms: one.result.p50Ms, slowestCallMs: one.result.maxMs },
  })
}

async function restartRow(rig: Rig, still: Still, pods: number): Promise<BenchRow> {
  const probe = async (): Promise<number> => {
    const startedMs = performance.now()
    await using other = await startPeer()
    await other.ask('setBody', 1)
    return (performance.now() - startedMs) / 1000
  }
  void still
  const before = await probe()
  await rig.engine.kill()
  const startedMs = performance.now()
  rig.engine = await startEngine(rig.dataDir)
  const readyMs = performance.now()
  const one = await watched(rig, () => requests(rig.load, { ...reading(rig, {}, '?limit=500'), requestsMax: 1 }))
  const seconds = (performance.now() - startedMs) / 1000
  const total = await requests(rig.load, { ...reading(rig, {}), requestsMax: 1 })
  if (total.bodyBytes < pods * 1_000)
    throw new CommandError(`after the restart a list has ${total.bodyBytes} bytes only`)
  return rowOf({
    name: `A13 restart after kill -9 with ${pods} pods to the first consistent list`,
    unit: 's',
    runs: [seconds],
    probe: { of: "a Node process's own start", before, after: await probe() },
    stages: rig.stages,
    details: {
      ...costDetails(one),
      serving: (readyMs - startedMs) / 1000,
      firstListSeconds: median([one.result.maxMs / 1000]),
    },
  })
}
