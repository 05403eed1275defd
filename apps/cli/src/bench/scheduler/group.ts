// Group `scheduler`: pods a second through the whole path and in the solver alone, by the cases that upstream publishes.

import type { Scope } from '@aksel/base/scope'
import type { BenchRequest } from '../group.ts'
import { rowOf, type BenchRow } from '../row.ts'
import { lonePods } from './lone-pod.ts'
import { runWorkload, type Outcome, type Sizes } from './run.ts'
import { solve } from './solver.ts'
import { basic, workloads } from './workloads.ts'

const CREATE_AND_BIND = 'creating and binding without a scheduler'

/** Upstream's sizes with `--full`; else a tenth of the nodes and fewer pods. */
function sizesOf(row: string, full: boolean): Sizes {
  if (row.startsWith('S1'))
    return full ? { nodes: 5000, initial: 0, pods: 50_000 } : { nodes: 500, initial: 0, pods: 3000 }
  if (row.startsWith('S7'))
    return full ? { nodes: 5000, initial: 0, pods: 5000 } : { nodes: 500, initial: 0, pods: 400 }
  // One pod a node at most, whichever namespace it is in.
  if (/^S3\.(ns-)?anti /.test(row))
    return full ? { nodes: 5000, initial: 1000, pods: 2000 } : { nodes: 1000, initial: 100, pods: 500 }
  return full ? { nodes: 5000, initial: 5000, pods: 5000 } : { nodes: 500, initial: 500, pods: 1000 }
}

export async function schedulerGroup(scope: Scope, request: BenchRequest): Promise<readonly BenchRow[]> {
  const { full, say } = request
  const rows: BenchRow[] = []
  for (const workload of [basic, ...workloads]) {
    const sizes = sizesOf(workload.row, full)
    say(`scheduler: ${workload.row}, ${sizes.nodes} nodes, ${sizes.pods} pods`)
    const probe = async (): Promise<number> => {
      const plain = { nodes: sizes.nodes, initial: 0, pods: Math.min(sizes.pods, full ? 10_000 : 1000) }
      return (await runWorkload(scope, basic, { sizes: plain, scheduler: false })).podsPerSecond
    }
    const before = await probe()
    const outcomes: Outcome[] = []
    for (let run = 0; run < request.runs; run += 1) {
      scope.signal.throwIfAborted()
      outcomes.push(await runWorkload(scope, workload, { sizes, scheduler: true }))
    }
    const last = outcomes.at(-1)!
    rows.push(
      rowOf({
        name: workload.row,
        unit: '/s',
        runs: outcomes.map(({ podsPerSecond }) => podsPerSecond),
        probe: { of: CREATE_AND_BIND, before, after: await probe() },
        stages: last.stages,
        details: {
          sizes,
          podsPerCpuSecond: sizes.pods / last.cost.cpuSeconds,
          eventLoopDelayMs: last.loopDelayMs,
          processes: [{ role: 'bench', count: 1, ...last.cost }],
        },
      }),
    )
  }
  say('scheduler: S8 a lone pod')
  const lone = await lonePods(scope, full ? { nodes: 5000, pods: 500 } : { nodes: 500, pods: 100 })
  rows.push(solverRow(request, lone.stages), lone.row)
  return rows
}

function solverRow({ full, runs, say }: BenchRequest, stages: Outcome['stages']): BenchRow {
  const [nodes, pods] = full ? [5000, 50_000] : [5000, 5000]
  say(`scheduler: S2 the solver alone, ${nodes} nodes, ${pods} pods`)
  solve(nodes, 1000)
  const before = scan(nodes)
  const values = Array.from({ length: runs }, () => solve(nodes, pods))
  return rowOf({
    name: 'S2 solver alone, all nodes scored',
    unit: '/s',
    runs: values,
    probe: { of: 'reading two numbers of every node', before, after: scan(nodes) },
    stages,
    details: { nodes, pods, note: 'no request is made: no stage runs' },
  })
}

/** How often a second two columns can be read through: what a decision that looks at every node cannot be quicker than. */
function scan(nodes: number): number {
  const columns = [new Float64Array(nodes).fill(1), new Float64Array(nodes).fill(2)] as const
  const rounds = 20_000
  let sum = 0
  const startedMs = performance.now()
  for (let round = 0; round < rounds; round += 1)
    for (let index = 0; index < nodes; index += 1) sum += columns[0][index]! + columns[1][index]!
  const seconds = (performance.now() - startedMs) / 1000
  return sum > 0 ? rounds / seconds : 0
}
