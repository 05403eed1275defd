// Group `up`: what a user waits for after `./aksel up`, and what the processes then cost.

import type { Scope } from '@aksel/base/scope'
import { CommandError } from '../../command-error.ts'
import type { BenchRequest } from '../group.ts'
import type { RoleCost } from '../process-cost.ts'
import { rowOf, type BenchRow, type Measured } from '../row.ts'
import { probeCriPod } from './cri-probe.ts'
import { probeNode, type NodeFloor } from './node-probe.ts'
import { timedUp, type UpRun } from './timed-run.ts'

interface Floor {
  readonly node: NodeFloor
  readonly criPodSeconds: number
}

/** Needs root and containerd: its pods are real. Rejects with a CommandError where they are missing. */
export async function upGroup(scope: Scope, request: BenchRequest): Promise<readonly BenchRow[]> {
  const { options, say } = request
  if (!options.isRoot)
    throw new CommandError('Group "up" runs real pods and needs root; without root there are no containers to time.')
  const { ensureSystemPackages } = await import('../../system-packages.ts')
  const support = ensureSystemPackages({ isRoot: true, say })
  if (!support.realNodes) throw new CommandError(`Group "up" runs real pods, and this host cannot: ${support.why}.`)
  say('up: a run to warm the caches')
  await timedUp(scope, options, request)
  say('up: probes before')
  const before = await probe(scope)
  const runs: UpRun[] = []
  for (let run = 1; run <= request.runs; run += 1) {
    scope.signal.throwIfAborted()
    say(`up: run ${run} of ${request.runs}`)
    runs.push(await timedUp(scope, options, request))
  }
  say('up: probes after')
  return upRows(runs, { before, after: await probe(scope) })
}

async function probe(scope: Scope): Promise<Floor> {
  return { node: await probeNode(), criPodSeconds: await probeCriPod(scope) }
}

const NODE_START = "Node's own start (node -e 0)"
const NODE_MEMORY = "Node's own memory, doing nothing"
const CRI_POD = 'a bare CRI pod with CNI'

/** Five rows of the same runs. */
export function upRows(
  runs: readonly UpRun[],
  floors: { readonly before: Floor; readonly after: Floor },
): readonly BenchRow[] {
  const last = runs.at(-1)!
  const span = (of: string, pick: (floor: Floor) => number): Measured['probe'] => ({
    of,
    before: pick(floors.before),
    after: pick(floors.after),
  })
  const start = span(NODE_START, ({ node }) => node.startSeconds)
  const pod = span(CRI_POD, ({ criPodSeconds }) => criPodSeconds)
  const memory = span(NODE_MEMORY, ({ node }) => node.rssAnonBytes)
  const common = {
    stages: last.stages,
    details: {
      processes: last.processes,
      milestones: last.milestones,
      eventLoopDelayMs: { bench: last.benchLoopDelayMs, server: 'not published by the server' },
    },
  }
  const seconds = (name: string, probed: Measured['probe'], pick: (run: UpRun) => number): BenchRow =>
    rowOf({ ...common, name, unit: 's', probe: probed, runs: runs.map(pick) })
  const bytes = (name: string, role: string): BenchRow =>
    rowOf({ ...common, name, unit: 'bytes', probe: memory, runs: runs.map((run) => largest(run.processes, role)) })
  return [
    seconds('C3.api command to API answering', start, ({ apiSeconds }) => apiSeconds),
    seconds('C3.pod command to first pod Running', pod, ({ podSeconds }) => podSeconds),
    seconds('C3.dns command to DNS answering in a pod', pod, ({ dnsSeconds }) => dnsSeconds),
    bytes('C3.server RssAnon of the server', 'server'),
    bytes('C3.agent RssAnon of the largest agent', 'agent'),
  ]
}

function largest(processes: readonly RoleCost[], role: string): number {
  const found = processes.find((cost) => cost.role === role)
  if (found === undefined) throw new CommandError(`No process of role "${role}" was seen: nothing was measured.`)
  return found.rssAnonMaxBytes
}
