// Group `tenant`: what many clusters in one server cost, and what they notice of each other.

import type { Scope } from '@aksel/base/scope'
import { createClient } from '@aksel/client/typed-client'
import { configMaps } from '@aksel/api/resources'
import { createHttpsTransport } from '@aksel/runtime/https-transport'
import { parseKubeconfig, type ClusterAccess } from '@aksel/runtime/kubeconfig'
import { prepareBenchUser } from '../bench-user.ts'
import type { BenchRequest } from '../group.ts'
import type { LoadResult } from '../load/requests.ts'
import { startLoad } from './rig.ts'
import { costOf } from '../process-cost.ts'
import { median, rowOf, type BenchRow } from '../row.ts'
import { benchPod, podsPath } from './pods.ts'
import { base64, costDetails, json, requests, startPeer, startRig, targetOf, watched, type Rig } from './rig.ts'

export async function tenantGroup(scope: Scope, request: BenchRequest): Promise<readonly BenchRow[]> {
  await using rig = await startRig(scope, ['--loops', 'on'])
  const clusters = request.full ? 1_000 : 200
  request.say(`tenant: ${clusters} clusters`)
  const rows = [...(await manyClusters(rig, clusters))]
  request.say('tenant: one writes, another reads')
  rows.push(await neighbours(scope, rig, request))
  return rows
}

async function nodeStart(): Promise<number> {
  const startedMs = performance.now()
  await using _peer = await startPeer()
  return (performance.now() - startedMs) / 1000
}

async function manyClusters(rig: Rig, clusters: number): Promise<readonly BenchRow[]> {
  const probeBefore = await nodeStart()
  await rig.engine.ask('create', 'warm')
  await rig.engine.ask('collectGarbage', null)
  const empty = costOf(rig.engine.pid)!
  const seconds: number[] = []
  const startedMs = performance.now()
  const one = await watched(rig, async () => {
    for (let i = 0; i < clusters; i++) {
      const beganMs = performance.now()
      await firstAnswer(await parseKubeconfig(await rig.engine.ask('create', `c${i}`)))
      seconds.push((performance.now() - beganMs) / 1000)
    }
  })
  const perSecond = clusters / ((performance.now() - startedMs) / 1000)
  await rig.engine.ask('collectGarbage', null)
  const idle = costOf(rig.engine.pid)!
  const probe = { of: "a Node process's own start", before: probeBefore, after: await nodeStart() }
  const sorted = seconds.toSorted((left, right) => left - right)
  const details = {
    ...costDetails(one),
    loops: 'on',
    clusters,
    perSecond,
    p99Seconds: sorted[Math.floor(sorted.length * 0.99)],
  }
  return [
    rowOf({
      name: 'C1 new control plane to its first authenticated 200, p50',
      unit: 's',
      runs: [median(seconds)],
      probe,
      stages: rig.stages,
      details,
    }),
    rowOf({
      name: 'C1.rate new control planes, one after the other',
      unit: '/s',
      runs: [perSecond],
      probe: { of: "Node processes' own starts", before: 1 / probe.before, after: 1 / probe.after },
      stages: rig.stages,
      details,
    }),
    rowOf({
      name: `C2 RssAnon of an idle control plane, among ${clusters}`,
      unit: 'bytes',
      runs: [(idle.rssAnonBytes - empty.rssAnonBytes) / clusters],
      probe: { of: 'the target, 1 MiB', before: 1 << 20, after: 1 << 20 },
      stages: rig.stages,
      details: { ...details, rssFileBytes: idle.rssFileBytes - empty.rssFileBytes },
    }),
  ]
}

/** As a user does it: TLS, a client certificate, a list. */
async function firstAnswer(access: ClusterAccess): Promise<void> {
  await using transport = createHttpsTransport(access)
  await createClient(transport).list(configMaps, { namespace: 'default' })
}

async function neighbours(scope: Scope, rig: Rig, request: BenchRequest): Promise<BenchRow> {
  void scope
  const durationMs = request.full ? 20_000 : 4_000
  const access = await parseKubeconfig(await rig.engine.ask('create', 'neighbour'))
  await using transport = createHttpsTransport(access)
  const user = await prepareBenchUser(createClient(transport))
  await using reader = await startLoad()
  const target = targetOf(access, user.token)
  const read = (): Promise<LoadResult> =>
    requests(reader, {
      ...target,
      protocol: 'h1',
      connections: 4,
      streams: 1,
      method: 'GET',
      path: `/api/v1/namespaces/${user.namespace}/serviceaccounts/${user.serviceAccount}`,
      bodyBase64: '',
      firstNumber: 0,
      durationMs,
      perSecond: 100,
    })
  await read()
  const before = await read()
  const one = await watched(rig, async () => {
    const writing = requests(rig.load, {
      ...rig.target,
      headers: { ...rig.target.headers, ...json },
      protocol: 'h1',
      connections: 64,
      streams: 1,
      method: 'POST',
      path: podsPath(rig),
      bodyBase64: base64(benchPod(rig.user.serviceAccount)),
      firstNumber: 0,
      durationMs: durationMs + 500,
    })
    const [busy, written] = await Promise.all([read(), writing])
    return { busy, written }
  })
  const after = await read()
  const { busy, written } = one.result
  return rowOf({
    name: "C8 p99 of a tenant's read while another writes all it can",
    unit: 's',
    runs: [busy.p99Ms / 1000],
    probe: { of: 'the same reads while nobody writes', before: before.p99Ms / 1000, after: after.p99Ms / 1000 },
    stages: rig.stages,
    details: {
      ...costDetails(one),
      loops: 'on',
      writesPerSecond: written.answered / written.seconds,
      p50Ms: busy.p50Ms,
    },
  })
}
