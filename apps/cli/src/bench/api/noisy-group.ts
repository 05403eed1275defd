// Group `noisy`: what everyone else notices of one client that asks for ten times its share with lists of the whole cluster, and of
// one that sends bombs.

import type { Scope } from '@aksel/base/scope'
import { readBody } from '@aksel/client/response-body'
import { CommandError } from '../../command-error.ts'
import type { BenchRequest } from '../group.ts'
import type { Child } from '../load/orders.ts'
import type { LoadOrders } from '../load/load-main.ts'
import type { LoadResult, RequestLoad } from '../load/requests.ts'
import { rowOf, type BenchRow, type Unit } from '../row.ts'
import { everyoneElse, nodeLeases, prepareNeighbours, type Beside, type Neighbours } from './noisy-rig.ts'
import { fillPods } from './pods.ts'
import { costDetails, requests, startLoad, startRig, watched, type Rig, type Watched } from './rig.ts'

/** Beyond what flow control lets it have at once. */
const TIMES_ITS_SHARE = 10
const CONNECTIONS = 10
/** What the sampler of the event loop's delay waits by itself: `engine-main.ts`. */
const SAMPLED_EVERY_MS = 5

export async function noisyGroup(scope: Scope, request: BenchRequest): Promise<readonly BenchRow[]> {
  const pods = request.full ? 10_000 : 2_000
  const durationMs = request.full ? 60_000 : 10_000
  await using rig = await startRig(scope)
  request.say(`noisy: ${pods} pods are made`)
  await fillPods(rig, rig.load, { from: 0, count: pods })
  const neighbours = await prepareNeighbours(rig)
  await requests(rig.load, nodeLeases(neighbours, 'POST', durationMs))
  await using loud = await startLoad()
  const share = await shareOf(rig, loud, neighbours)
  let firstNumber = 0
  const beside = (ms: number): Promise<Watched<Beside>> => {
    firstNumber += 1_000_000
    return watched(rig, () => everyoneElse(rig, neighbours, { firstNumber, durationMs: ms }))
  }
  await beside(2_000)
  request.say('noisy: everyone else alone')
  const before = await beside(durationMs)
  request.say(
    `noisy: beside ${TIMES_ITS_SHARE * share.lists} lists of all pods under way, of which ${share.lists} may run`,
  )
  const listing = loud.ask('requests', listsOf(neighbours, durationMs + 1_000, TIMES_ITS_SHARE * share.lists))
  const during = await beside(durationMs)
  const guardThrottles = await metricOf(rig, 'aksel_apiserver_guard_throttled_clients ')
  const lists = await listing
  if (lists.answered === 0) throw new CommandError(`no list was answered: ${lists.firstFailure}`)
  request.say('noisy: everyone else alone again')
  const after = await beside(durationMs)
  const runs = { before, during, after }
  const noise = {
    answered: lists.answered,
    turnedAway: lists.failed,
    listP50Ms: lists.p50Ms,
    listBytesPerSecond: lists.bodyBytes / lists.seconds,
    underWay: TIMES_ITS_SHARE * share.lists,
    guardThrottles,
    ...share,
  }
  const rows = measures.map((measure) => rowFor(rig, runs, { noise }, measure))
  request.say('noisy: beside bombs, one after the other')
  const throwing = loud.ask('throwBombs', { access: neighbours.bomber, durationMs: durationMs + 1_000 })
  const besideBombs = await beside(durationMs)
  const bombs = await throwing
  if (bombs.sent === 0) throw new CommandError('no bomb was sent')
  const last = { before: after, during: besideBombs, after: await beside(durationMs) }
  return [...rows, ...bombMeasures.map((measure) => rowFor(rig, last, { bombs }, measure))]
}

function listsOf({ greedy }: Neighbours, durationMs: number, atOnce: number): RequestLoad {
  const { authorization } = greedy.headers
  return {
    ...greedy,
    headers: { authorization: authorization!, accept: 'application/json', 'user-agent': 'greedy' },
    protocol: 'h2',
    connections: CONNECTIONS,
    streams: Math.ceil(atOnce / CONNECTIONS),
    method: 'GET',
    path: '/api/v1/pods',
    bodyBase64: '',
    firstNumber: 0,
    durationMs,
  }
}

interface Share {
  /** Lists of everything that its level lets run at once. */
  readonly lists: number
  readonly seatsOfList: number
  readonly seatsOfLevel: number
}

/** As the server counts: the seats of its level, and what one list of its takes. */
async function shareOf(rig: Rig, loud: Child<LoadOrders>, neighbours: Neighbours): Promise<Share> {
  const seats = (name: string): Promise<number> => metricOf(rig, `apiserver_flowcontrol_${name}`)
  const spent = 'work_estimated_seats_sum{flow_schema="service-accounts"'
  const before = await seats(spent)
  const one = { ...listsOf(neighbours, 60_000, 1), connections: 1, streams: 1, requestsMax: 1 }
  const { bodyBytes } = await requests(loud, one)
  const seatsOfList = (await seats(spent)) - before
  const seatsOfLevel = await seats('nominal_limit_seats{priority_level="workload-low"}')
  if (!(seatsOfList > 1 && seatsOfLevel > seatsOfList && bodyBytes > 0))
    throw new CommandError(`a list takes ${seatsOfList} of ${seatsOfLevel} seats: nothing to measure`)
  return { lists: Math.floor(seatsOfLevel / seatsOfList), seatsOfList, seatsOfLevel }
}

/** 0 where there is no such line yet. */
async function metricOf(rig: Rig, start: string): Promise<number> {
  const { body } = await rig.admin.send({ method: 'GET', path: '/metrics', headers: {} })
  const text = Buffer.from(await readBody(body)).toString()
  const line = text.split('\n').find((one) => one.startsWith(start))
  return Number(line?.split(' ').at(-1) ?? '0')
}

interface Measure {
  readonly id: string
  readonly what: string
  readonly unit: Unit
  readonly value: (one: Watched<Beside>) => number
  readonly details: (one: Watched<Beside>) => Readonly<Record<string, number>>
}

const requestDetails = (one: LoadResult): Readonly<Record<string, number>> => ({
  answered: one.answered,
  p50Ms: one.lateP50Ms,
  p99Ms: one.lateP99Ms,
  maxMs: one.lateMaxMs,
})

const bombMeasures: readonly Measure[] = (['reads', 'writes'] as const).map((kind) => ({
  id: `N4.${kind}`,
  what: `p99 of everyone else's small ${kind} beside bombs`,
  unit: 's',
  value: ({ result }) => result[kind].lateP99Ms / 1000,
  details: ({ result }) => requestDetails(result[kind]),
}))

const measures: readonly Measure[] = [
  {
    id: 'N1.read',
    what: "p99 of everyone else's small reads, from when each was due",
    unit: 's',
    value: ({ result }) => result.reads.lateP99Ms / 1000,
    details: ({ result }) => requestDetails(result.reads),
  },
  {
    id: 'N1.write',
    what: "p99 of everyone else's small writes, from when each was due",
    unit: 's',
    value: ({ result }) => result.writes.lateP99Ms / 1000,
    details: ({ result }) => requestDetails(result.writes),
  },
  {
    id: 'N2.lease',
    what: "the latest renewal of a node's lease, after it was due",
    unit: 's',
    value: ({ result }) => result.leases.lateMaxMs / 1000,
    details: ({ result }) => requestDetails(result.leases),
  },
  {
    id: 'N2.election',
    what: "the latest renewal of a leader's lease, after it was due",
    unit: 's',
    value: ({ result }) => result.election.lateMaxMs / 1000,
    details: ({ result }) => ({ ...result.election }),
  },
  {
    id: 'N3',
    what: "p99 of the server's event-loop delay",
    unit: 's',
    value: ({ serverLoopDelayMs }) => Math.max(0, serverLoopDelayMs.p99Ms - SAMPLED_EVERY_MS) / 1000,
    details: ({ serverLoopDelayMs }) => ({ maxMs: serverLoopDelayMs.maxMs - SAMPLED_EVERY_MS }),
  },
]

interface Runs {
  readonly before: Watched<Beside>
  readonly during: Watched<Beside>
  readonly after: Watched<Beside>
}

function rowFor(rig: Rig, { before, during, after }: Runs, cause: object, measure: Measure): BenchRow {
  const { id, what, unit, value, details } = measure
  return rowOf({
    name: `${id} ${what}`,
    unit,
    runs: [value(during)],
    probe: { of: 'the same without the noise', before: value(before), after: value(after) },
    stages: rig.stages,
    details: { ...costDetails(during), ...details(during), alone: [details(before), details(after)], ...cause },
  })
}
