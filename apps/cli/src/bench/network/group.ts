// Group `network`: services in the kernel beside iptables-restore, packets beside the same packets without what is measured, a new
// pod's way to its name, and DNS beside an echo.

import type { Scope } from '@aksel/base/scope'
import { CommandError } from '../../command-error.ts'
import type { BenchRequest } from '../group.ts'
import { openOneNode } from '../node/one-node.ts'
import { median, rowOf, type BenchRow } from '../row.ts'
import { noStages } from '../stages.ts'
import { dnsRows } from './dns.ts'
import { measureCosts, measureFirstPackets, measureThroughput, openWorld, type CostReport } from './packets.ts'
import { measureReach } from './reach.ts'
import { measureServices } from './services.ts'

const sizes = {
  look: { seconds: 2, services: 1000, changes: 200, packets: 1000, few: 100, many: 3000, pods: 5 },
  full: { seconds: 10, services: 10_000, changes: 1000, packets: 5000, few: 100, many: 30_000, pods: 50 },
} as const

type Size = (typeof sizes)[keyof typeof sizes]

const stages = noStages('packets and tables of the kernel meet no API server')

export async function networkGroup(scope: Scope, request: BenchRequest): Promise<readonly BenchRow[]> {
  const size = request.full || request.tenth ? sizes.full : sizes.look
  const isRoot = process.getuid?.() === 0
  if (!isRoot) request.say('network: D1 to D4 and the costs of packets need root and are left out')
  return eachMeasured(request, [
    ['D5', () => dnsRows(request, size.seconds)],
    ...(isRoot
      ? ([
          ['D1, D2', () => servicesRows(scope, request, size)],
          ['D3', async () => [await firstPacketRow(request, size)]],
          ['D4', () => reachRows(scope, request, size)],
          ['D9 to D11', () => packetRows(request, size)],
        ] as const)
      : []),
  ])
}

type Part = readonly [names: string, measure: () => Promise<readonly BenchRow[]>]

/** Minutes of measuring are not lost because one part, on a busy machine, could not be taken: it is said, and the others go on. */
export async function eachMeasured(
  { say }: Pick<BenchRequest, 'say'>,
  parts: readonly Part[],
): Promise<readonly BenchRow[]> {
  const rows: BenchRow[] = []
  const failures: Error[] = []
  for (const [names, measure] of parts) {
    try {
      rows.push(...(await measure()))
    } catch (error) {
      failures.push(error as Error)
      say(`network: ${names} could not be measured: ${(error as Error).message}`)
    }
  }
  if (rows.length === 0) throw failures[0] ?? new CommandError('Nothing was measured.')
  return rows
}

async function servicesRows(scope: Scope, { runs, say }: BenchRequest, size: Size): Promise<readonly BenchRow[]> {
  const { services, changes } = size
  say(`network: ${services} services beside iptables-restore, ${runs} times, and ${changes} changes`)
  const report = await measureServices(scope, { services, changes, runs })
  const details = { services, endpoints: 2 * services }
  const bare = report.bareChanges
  return [
    rowOf({
      name: 'D1 services in force',
      unit: 's',
      runs: report.loads,
      probe: { of: 'iptables-restore of as many', before: report.peers[0]!, after: report.peers.at(-1)! },
      stages,
      details: { ...details, peers: report.peers },
    }),
    rowOf({
      name: 'D2.p99 one endpoint changed',
      unit: 's',
      runs: [p99(report.changes)],
      probe: {
        of: 'one element added by the same nft, p99',
        before: p99(bare.slice(0, changes / 2)),
        after: p99(bare.slice(changes / 2)),
      },
      stages,
      details: { ...details, changes, p50: median(report.changes) },
    }),
  ]
}

async function firstPacketRow({ say }: BenchRequest, size: Size): Promise<BenchRow> {
  const { few, many, packets } = size
  say(`network: the first packet of ${packets} conversations among ${many} services, and among ${few}`)
  const report = await measureFirstPackets({ few, many, packets })
  const half = Math.floor(report.few.length / 2)
  return rowOf({
    name: `D3 first packet among ${many} services, p50`,
    unit: 's',
    runs: [median(report.many)],
    probe: {
      of: `the same among ${few}, in turn`,
      before: median(report.few.slice(0, half)),
      after: median(report.few.slice(half)),
    },
    stages,
    details: { packets, p99: p99(report.many), p99Few: p99(report.few) },
  })
}

async function reachRows(scope: Scope, request: BenchRequest, size: Size): Promise<readonly BenchRow[]> {
  await using node = await openOneNode(scope, request, 'network')
  request.say(`network: ${size.pods} pods from Ready to reached by name`)
  const { waits, calm } = await measureReach(node.scope, node.rig, size.pods)
  const half = Math.ceil(calm.length / 2)
  return [
    rowOf({
      name: 'D4.p99 pod Ready to reached by name',
      unit: 's',
      runs: [p99(waits)],
      probe: {
        of: 'the same question and connection later on, p50',
        before: median(calm.slice(0, half)),
        after: median(calm.slice(-half)),
      },
      stages: node.stages,
      details: { pods: size.pods, waits, calm },
    }),
  ]
}

async function packetRows({ runs, say }: BenchRequest, size: Size): Promise<readonly BenchRow[]> {
  const { seconds } = size
  await using world = await openWorld(size.services)
  say(`network: a stream from pod to pod beside a bare pair of links, ${runs} times ${seconds} s each`)
  const { pods, bare } = await measureThroughput(world, { seconds, runs })
  say(`network: packets with policies and with the flow log read, ${runs} times ${seconds} s each`)
  const costs = await measureCosts(world, { seconds, runs, packets: size.packets })
  if (costs.seen < (runs * size.packets) / 2) {
    throw new CommandError(`The reader saw ${costs.seen} flows of ${runs * size.packets}: nothing was measured.`)
  }
  return [
    rowOf({
      name: 'D9 stream from pod to pod',
      unit: 'bytes/s',
      runs: pods,
      probe: { of: 'the same over a bare pair of links', before: bare[0]!, after: bare.at(-1)! },
      stages,
      details: { bare },
    }),
    ...costRows(costs, 'policies'),
    ...costRows(costs, 'flows'),
  ]
}

/** What is plain was taken before and after, and between. */
function costRows(report: CostReport, kind: 'policies' | 'flows'): readonly BenchRow[] {
  const what = kind === 'policies' ? 'policies in force' : 'flow log read besides'
  const { plain, seen } = report
  const { rates, firsts } = report[kind]
  return [
    rowOf({
      name: `D10.${kind} packets of a conversation, ${what}`,
      unit: '/s',
      runs: rates,
      probe: { of: 'without either', before: plain.rates[0]!, after: plain.rates.at(-1)! },
      stages,
      details: { plain: plain.rates },
    }),
    rowOf({
      name: `D11.${kind} first packet, ${what}, p50`,
      unit: 's',
      runs: firsts,
      probe: { of: 'without either', before: plain.firsts[0]!, after: plain.firsts.at(-1)! },
      stages,
      details: { plain: plain.firsts, ...(kind === 'flows' ? { seen } : {}) },
    }),
  ]
}

function p99(values: readonly number[]): number {
  return values.toSorted((left, right) => left - right)[Math.floor(values.length * 0.99)]!
}
