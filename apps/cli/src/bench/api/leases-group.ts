// Group `leases`: the heartbeat of nodes beside an echo of the same bytes, and what a small read and a small write cost.

import type { Scope } from '@aksel/base/scope'
import type { BenchRequest } from '../group.ts'
import type { Child } from '../load/orders.ts'
import type { PeerOrders } from '../load/peer-main.ts'
import { versionMark, type LoadResult, type RequestLoad } from '../load/requests.ts'
import { microTimeMark, numberMark } from '../load/template.ts'
import { costOf } from '../process-cost.ts'
import { rowOf, type BenchRow } from '../row.ts'
import { rate } from './create-group.ts'
import { base64, costDetails, json, peerTls, requests, startPeer, startRig, watched, type Rig } from './rig.ts'

const LEASES = 1_000
const CONNECTIONS = 64

export async function leasesGroup(scope: Scope, request: BenchRequest): Promise<readonly BenchRow[]> {
  await using rig = await startRig(scope)
  await using peer = await startPeer()
  const tls = await peerTls(scope)
  const echo: Echo = { peer, target: { host: '127.0.0.1', port: await peer.ask('echo', tls), caPem: tls.caPem } }
  await requests(rig.load, { ...jobOf(rig, 'POST'), protocol: 'h1', requestsMax: LEASES })
  const rows: BenchRow[] = []
  for (const protocol of ['h1', 'h2'] as const) {
    request.say(`leases: updates, ${protocol}`)
    rows.push(...(await updates(rig, echo, request, protocol)))
  }
  request.say('leases: reads')
  rows.push(await reads(rig, echo, request))
  return rows
}

interface Echo {
  readonly peer: Child<PeerOrders>
  readonly target: Pick<RequestLoad, 'host' | 'port' | 'caPem'>
}

function leaseBody(version: { readonly resourceVersion?: string } = {}): string {
  return base64({
    kind: 'Lease',
    apiVersion: 'coordination.k8s.io/v1',
    metadata: { name: `node-${numberMark}`, ...version },
    spec: { holderIdentity: `node-${numberMark}`, leaseDurationSeconds: 40, renewTime: microTimeMark },
  })
}

function jobOf(rig: Rig, method: 'POST' | 'PUT' | 'GET') {
  const path = `/apis/coordination.k8s.io/v1/namespaces/${rig.user.namespace}/leases`
  return {
    ...rig.target,
    headers: { ...rig.target.headers, ...(method === 'GET' ? {} : json) },
    connections: CONNECTIONS,
    streams: 1,
    method,
    path: method === 'POST' ? path : `${path}/node-${numberMark}`,
    bodyBase64: method === 'GET' ? '' : leaseBody(),
    firstNumber: 0,
    numbers: LEASES,
  }
}

/** As kubelets renew: the version that was read last, and another time. What changes nothing is written nowhere. */
function renewal(rig: Rig): ReturnType<typeof jobOf> & { readonly versions: true } {
  return { ...jobOf(rig, 'PUT'), bodyBase64: leaseBody({ resourceVersion: versionMark }), versions: true }
}

async function updates(
  rig: Rig,
  echo: Echo,
  request: BenchRequest,
  protocol: 'h1' | 'h2',
): Promise<readonly BenchRow[]> {
  const durationMs = request.full ? 15_000 : 4_000
  const job: RequestLoad = { ...renewal(rig), protocol, durationMs }
  const peerRun = async (): Promise<Cost> => {
    const before = costOf(echo.peer.pid)!.cpuSeconds
    const result = await requests(rig.load, { ...job, ...echo.target })
    return { result, cpuSeconds: costOf(echo.peer.pid)!.cpuSeconds - before }
  }
  await requests(rig.load, { ...job, durationMs: 1_000 })
  const before = await peerRun()
  const revision = await rig.engine.ask('revision', null)
  const one = await watched(rig, () => requests(rig.load, job))
  const written = (await rig.engine.ask('revision', null)) - revision
  const after = await peerRun()
  const details = {
    ...costDetails(one),
    p50Ms: one.result.p50Ms,
    p99Ms: one.result.p99Ms,
    slowestCallMs: one.result.maxMs,
    durableWrites: written,
  }
  const name = protocol === 'h1' ? 'HTTP/1.1' : 'HTTP/2'
  return [
    rowOf({
      name: `A10.${protocol} lease updates, ${CONNECTIONS} connections, ${name}`,
      unit: '/s',
      runs: [rate(one.result)],
      probe: {
        of: 'an echo of the same bytes over the same connections',
        before: rate(before.result),
        after: rate(after.result),
      },
      stages: rig.stages,
      details,
    }),
    rowOf({
      name: `A12.write.${protocol} CPU per lease update, ${name}`,
      unit: 's',
      runs: [one.server.cpuSeconds / one.result.answered],
      probe: { of: 'CPU per echo', before: perCall(before), after: perCall(after) },
      stages: rig.stages,
      details,
    }),
  ]
}

interface Cost {
  readonly result: LoadResult
  readonly cpuSeconds: number
}

function perCall({ result, cpuSeconds }: Cost): number {
  return cpuSeconds / result.answered
}

async function reads(rig: Rig, echo: Echo, request: BenchRequest): Promise<BenchRow> {
  const durationMs = request.full ? 15_000 : 4_000
  const job: RequestLoad = { ...jobOf(rig, 'GET'), protocol: 'h1', durationMs }
  const trial = await requests(rig.load, { ...job, requestsMax: 1, durationMs: 1_000 })
  await echo.peer.ask('setBody', trial.bodyBytes)
  const peerRun = async (): Promise<Cost> => {
    const before = costOf(echo.peer.pid)!.cpuSeconds
    const result = await requests(rig.load, { ...job, ...echo.target })
    return { result, cpuSeconds: costOf(echo.peer.pid)!.cpuSeconds - before }
  }
  const before = await peerRun()
  const one = await watched(rig, () => requests(rig.load, job))
  const after = await peerRun()
  return rowOf({
    name: 'A12.read CPU per small read',
    unit: 's',
    runs: [one.server.cpuSeconds / one.result.answered],
    probe: { of: 'CPU per static answer of as many bytes', before: perCall(before), after: perCall(after) },
    stages: rig.stages,
    details: { ...costDetails(one), readsPerSecond: rate(one.result), peerPerSecond: rate(after.result) },
  })
}
