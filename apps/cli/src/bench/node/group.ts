// Group `node`: how soon a pod runs on a real node beside the bare calls that cannot be spared, how many start in a second, and
// what an agent costs that holds many.

import type { Scope } from '@aksel/base/scope'
import { sleep } from '@aksel/base/clock'
import { CommandError } from '../../command-error.ts'
import type { BenchRequest } from '../group.ts'
import { costOf } from '../process-cost.ts'
import { median, rowOf, type BenchRow } from '../row.ts'
import type { StageReport } from '../stages.ts'
import { probeNode } from '../up/node-probe.ts'
import { countFsyncs } from './fsyncs.ts'
import { openOneNode } from './one-node.ts'
import { agentOf, removePods, timeBarePods, timePods, type NodeRig } from './rig.ts'

/** A node of AKS's overlay network has 250 pods at most. */
const sizes = {
  look: { lone: 20, together: 20, held: 40, idleSeconds: 10 },
  full: { lone: 200, together: 100, held: 240, idleSeconds: 60 },
} as const

/** Needs root and containerd. */
export async function nodeGroup(outer: Scope, request: BenchRequest): Promise<readonly BenchRow[]> {
  const { say } = request
  const size = request.full || request.tenth ? sizes.full : sizes.look
  await using node = await openOneNode(outer, request, 'node')
  const { scope, rig, stages } = node
  request.found(await lonePods(scope, rig, { ...size, stages, say }))
  request.found([await together(scope, rig, { ...size, stages, say })])
  return held(scope, rig, { ...size, stages, say })
}

interface Facts {
  readonly lone: number
  readonly together: number
  readonly held: number
  readonly idleSeconds: number
  readonly stages: StageReport
  readonly say: (line: string) => void
}

/** D6: pods one after the other, each beside the same one by bare calls. */
async function lonePods(scope: Scope, rig: NodeRig, { lone, stages, say }: Facts): Promise<readonly BenchRow[]> {
  say(`node: ${lone} lone pods, each beside bare calls`)
  const [bare, ours]: [number[], number[]] = [[], []]
  // The first of each warms what both need.
  for (let n = 0; n <= lone; n += 1) {
    const bareSeconds = await timeBarePods(rig, [`lone-${n}`])
    const seconds = await timePods(scope, rig, [`lone-${n}`])
    await removePods(scope, rig, [`lone-${n}`])
    if (n === 0) continue
    bare.push(bareSeconds)
    ours.push(seconds)
  }
  const of = 'the same pod by bare CRI calls, in turn'
  const common = { unit: 's', stages, details: { pods: lone, bare } } as const
  const half = Math.ceil(bare.length / 2)
  const probe = { of: `${of}, p50`, before: median(bare.slice(0, half)), after: median(bare.slice(-half)) }
  const tail = { of: `${of}, p99`, before: p99(bare), after: p99(bare) }
  return [
    rowOf({ ...common, name: 'D6 create to Running, p50', runs: ours, probe }),
    rowOf({ ...common, name: 'D6.p99 create to Running, p99', runs: [p99(ours)], probe: tail }),
  ]
}

/** D7: many at once. */
async function together(scope: Scope, rig: NodeRig, { together: count, stages, say }: Facts): Promise<BenchRow> {
  say(`node: ${count} pods at once, bare calls before and after`)
  const names = (what: string): readonly string[] => Array.from({ length: count }, (_, n) => `${what}-${n}`)
  const before = count / (await timeBarePods(rig, names('before')))
  const own = names('together')
  const seconds = await timePods(scope, rig, own)
  await removePods(scope, rig, own)
  const after = count / (await timeBarePods(rig, names('after')))
  const probe = { of: 'as many by bare CRI calls', before, after }
  return rowOf({ name: 'D7 pod starts', unit: '/s', runs: [count / seconds], probe, stages, details: { pods: count } })
}

/** D8: what an agent costs that holds many pods, and how often it makes the disk wait for one. */
async function held(scope: Scope, rig: NodeRig, facts: Facts): Promise<readonly BenchRow[]> {
  const { held: count, idleSeconds, stages, say } = facts
  say(`node: ${count} pods held`)
  const names = Array.from({ length: count }, (_, n) => `held-${n}`)
  const floor = await probeNode()
  const pid = await agentOf(rig.folder)
  const fsyncs = await countFsyncs(scope, [pid], async () => void (await timePods(scope, rig, names)))
  // Let what follows a start come to rest.
  await sleep(scope.clock, 3000, scope.signal)
  const first = costOf(pid)
  await sleep(scope.clock, idleSeconds * 1000, scope.signal)
  const last = costOf(pid)
  await removePods(scope, rig, names)
  if (first === undefined || last === undefined) throw new CommandError('The agent ended while its cost was measured.')
  const details = { pods: count, agent: last }
  const one = { of: '1', before: 1, after: 1 }
  const node = floor.rssAnonBytes
  return [
    rowOf({
      name: 'D8 RssAnon of an agent with its pods',
      unit: 'bytes',
      runs: [last.rssAnonBytes],
      probe: { of: "Node's own memory, doing nothing", before: node, after: node },
      stages,
      details,
    }),
    rowOf({
      name: 'D8.idle CPU-seconds a second of that agent',
      unit: 's',
      runs: [(last.cpuSeconds - first.cpuSeconds) / idleSeconds],
      probe: { ...one, of: 'one core' },
      stages,
      details,
    }),
    ...(fsyncs === undefined
      ? []
      : [
          rowOf({
            name: 'D8.fsync fsyncs of the agent per pod start',
            unit: '×',
            runs: [fsyncs / count],
            probe: one,
            stages,
            details,
          }),
        ]),
  ]
}

function p99(values: readonly number[]): number {
  const sorted = values.toSorted((left, right) => left - right)
  return sorted[Math.min(sorted.length - 1, Math.ceil(sorted.length * 0.99) - 1)]!
}
