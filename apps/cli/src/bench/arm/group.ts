// Group `arm`: what users of the Azure front door wait for: a cluster with a real node, another node, a thousand simulated ones, an
// upgrade, lists of many clusters, many clusters made side by side.

import { anySignal } from '@aksel/base/any-signal'
import type { Scope } from '@aksel/base/scope'
import { createClient } from '@aksel/client/typed-client'
import { createHttpsTransport } from '@aksel/runtime/https-transport'
import { ArmClient } from '../../arm-client.ts'
import { CommandError } from '../../command-error.ts'
import { connectionFile, readJsonFile, type ConnectionFile } from '../../files.ts'
import { prepareBenchUser } from '../bench-user.ts'
import type { BenchRequest } from '../group.ts'
import { rowOf, type BenchRow, type ProbeSpan } from '../row.ts'
import { assertWholePath, type StageReport } from '../stages.ts'
import { startInstance } from '../up/instance.ts'
import { apiAnswers, stagesOf } from '../up/timed-run.ts'
import { ArmLoad } from './load.ts'

const sizes = {
  look: { pool: 100, upgraded: 20, listed: 20, lists: 50, together: 10 },
  full: { pool: 1000, upgraded: 100, listed: 500, lists: 200, together: 100 },
} as const

/** Needs root and containerd for its two rows with real nodes. */
export async function armGroup(outer: Scope, request: BenchRequest): Promise<readonly BenchRow[]> {
  const { options, say } = request
  if (!options.isRoot) throw new CommandError('Group "arm" makes real nodes and needs root.')
  const { ensureSystemPackages } = await import('../../system-packages.ts')
  const support = ensureSystemPackages({ isRoot: true, say })
  if (!support.realNodes) throw new CommandError(`Group "arm" makes real nodes, and this host cannot: ${support.why}.`)
  const size = request.full || request.tenth ? sizes.full : sizes.look
  say('arm: a server with one real node')
  await using instance = await startInstance(options, { nodes: 1 })
  const scope = { ...outer, signal: anySignal([outer.signal, instance.failed]) }
  const access = await apiAnswers(scope, instance)
  await instance.upEnded
  await using admin = createHttpsTransport(access)
  const user = await prepareBenchUser(createClient(admin))
  const { server, caPem, serverName } = access
  const own = { server, caPem, token: user.token, ...(serverName === undefined ? {} : { serverName }) }
  const stages = await stagesOf(scope, instance, own, user)
  assertWholePath(stages)
  const connection = readJsonFile<ConnectionFile>(connectionFile(instance.dataDir))
  if (connection === undefined) throw new CommandError('The server has not written how to reach it.')
  return await measure(new ArmLoad(new ArmClient(connection), connection.subscriptionId), {
    size,
    stages,
    say,
    request,
  })
}

interface Facts {
  readonly size: (typeof sizes)['look' | 'full']
  readonly stages: StageReport
  readonly say: (line: string) => void
  readonly request: BenchRequest
}

async function measure(load: ArmLoad, { size, stages, say, request }: Facts): Promise<readonly BenchRow[]> {
  await load.makeGroup()
  const before = await load.readSeconds()
  const runs = { cluster: [] as number[], node: [] as number[] }
  for (let run = 0; run <= request.runs; run += 1) {
    say(run === 0 ? 'arm: a real cluster to warm the caches' : `arm: a real cluster, run ${run} of ${request.runs}`)
    const [cluster, node] = await load.realCluster(`real${run}`)
    if (run === 0) continue
    runs.cluster.push(cluster)
    runs.node.push(node)
  }
  say(`arm: a simulated pool of ${size.pool} nodes`)
  const pool = await load.simulatedPool(size.pool)
  say(`arm: the upgrade of a simulated pool of ${size.upgraded} nodes, surge 33 %`)
  const upgrade = await load.upgrade(size.upgraded)
  say(`arm: ${size.together} clusters side by side`)
  const together = await load.together(size.together)
  say(`arm: lists of ${size.listed} clusters`)
  const list = await load.lists({ clusters: size.listed, lists: size.lists })
  const after = await load.readSeconds()
  const probe: ProbeSpan = { of: 'one read of a resource group', before, after }
  const row = (name: string, values: readonly number[], details: Readonly<Record<string, unknown>> = {}): BenchRow =>
    rowOf({ name, unit: 's', runs: values, probe, stages, details: { sizes: size, ...details } })
  return [
    row('C5 cluster PUT to Succeeded with one real node', runs.cluster),
    row('C5.node one more real node', runs.node),
    row('C5.pool simulated pool', [pool], { nodes: size.pool }),
    row('C5.upgrade simulated pool with surge 33 %', [upgrade], { nodes: size.upgraded }),
    row('C5.together clusters created side by side', [together], { clusters: size.together }),
    row('C5.list list of clusters, p99', [list.p99Seconds], { clusters: list.clusters, bytes: list.bytes }),
  ]
}
