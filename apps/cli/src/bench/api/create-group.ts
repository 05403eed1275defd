// Group `create`: pods per second beside etcd's puts, and the wait of a lone writer beside the disk's.

import { open, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { startEtcd, type EtcdServer } from '@aksel/host/etcd-server'
import type { Scope } from '@aksel/base/scope'
import { readFile } from 'node:fs/promises'
import { CommandError } from '../../command-error.ts'
import type { BenchRequest } from '../group.ts'
import type { LoadResult, RequestLoad } from '../load/requests.ts'
import { etcdPut } from '../load/template.ts'
import { rowOf, type BenchRow, type ProbeSpan } from '../row.ts'
import { benchPod, podsPath } from './pods.ts'
import { base64, costDetails, json, requests, startRig, watched, type Rig } from './rig.ts'

interface Shape {
  readonly id: string
  readonly what: string
  readonly protocol: 'h1' | 'h2'
  readonly connections: number
  readonly streams: number
}

const shapes: readonly Shape[] = [
  { id: 'A1.64', what: '64 HTTP/1.1 connections', protocol: 'h1', connections: 64, streams: 1 },
  { id: 'A1.1000', what: '1,000 HTTP/1.1 connections', protocol: 'h1', connections: 1_000, streams: 1 },
  { id: 'A1.h2', what: '4 × 64 HTTP/2 streams', protocol: 'h2', connections: 4, streams: 64 },
]

export async function createGroup(scope: Scope, request: BenchRequest): Promise<readonly BenchRow[]> {
  const durationMs = request.full ? 20_000 : 4_000
  await using rig = await startRig(scope)
  // at 5,000 puts a second for 20 s of each shape, etcd's default of 2 GB would end the run
  await using etcd = await startEtcd({ tls: true, flags: ['--quota-backend-bytes=8589934592'] })
  const peer = await etcdTarget(etcd)
  const state = { number: 0 }
  await creates(rig, shapes[0]!, state, 1_500)
  const valueBytes = await storedBytes(rig)
  const rows: BenchRow[] = []
  for (const shape of shapes) {
    request.say(`create: ${shape.what}`)
    const before = await puts(rig, peer, shape, { valueBytes, durationMs, state })
    const runs: LoadResult[] = []
    let last: Awaited<ReturnType<typeof creates>> | undefined
    for (let run = 0; run < request.runs; run++) {
      last = await creates(rig, shape, state, durationMs)
      runs.push(last.result)
    }
    const after = await puts(rig, peer, shape, { valueBytes, durationMs, state })
    await assertReadable(rig, state.number)
    rows.push(
      rowOf({
        name: `${shape.id} pod creates, ${shape.what}`,
        unit: '/s',
        runs: runs.map(rate),
        probe: {
          of: `bare etcd 3.4 puts of ${valueBytes} bytes over TLS, same shape`,
          before: rate(before),
          after: rate(after),
        },
        stages: rig.stages,
        details: {
          ...costDetails(last!),
          slowestCallMs: Math.max(...runs.map(({ maxMs }) => maxMs)),
          p50Ms: runs.at(-1)!.p50Ms,
          p99Ms: runs.at(-1)!.p99Ms,
          peer: { p50Ms: after.p50Ms, p99Ms: after.p99Ms, slowestCallMs: after.maxMs },
          readable: 'every acknowledged pod was counted by a list afterwards',
        },
      }),
    )
  }
  rows.push(await loneCreate(rig, request, { valueBytes, state }))
  return rows
}

export function rate({ answered, seconds }: LoadResult): number {
  return answered / seconds
}

interface Counter {
  number: number
}

async function creates(rig: Rig, shape: Shape, state: Counter, durationMs: number) {
  const one = await watched(rig, () =>
    requests(rig.load, {
      ...createJob(rig, shape, state),
      durationMs,
    }),
  )
  state.number += one.result.answered
  return one
}

function createJob(rig: Rig, shape: Pick<Shape, 'protocol' | 'connections' | 'streams'>, state: Counter): RequestLoad {
  const { protocol, connections, streams } = shape
  return {
    ...rig.target,
    headers: { ...rig.target.headers, ...json },
    protocol,
    connections,
    streams,
    method: 'POST',
    path: podsPath(rig),
    bodyBase64: base64(benchPod(rig.user.serviceAccount)),
    firstNumber: state.number,
  }
}

type Peer = Pick<RequestLoad, 'host' | 'port' | 'caPem' | 'serverName'>

async function etcdTarget(etcd: EtcdServer): Promise<Peer> {
  const caPem = await readFile(join(etcd.directory, 'ca.crt'), 'utf8')
  return { host: '127.0.0.1', port: etcd.members[0]!.clientPort, caPem, serverName: 'localhost' }
}

/** etcd speaks HTTP/2 alone: a connection of HTTP/1.1 becomes one with a single stream. */
async function puts(
  rig: Rig,
  peer: Peer,
  shape: Shape,
  how: { readonly valueBytes: number; readonly durationMs: number; readonly state: Counter },
): Promise<LoadResult> {
  return await requests(rig.load, {
    ...peer,
    protocol: 'h2',
    connections: shape.connections,
    streams: shape.streams,
    method: 'POST',
    path: '/etcdserverpb.KV/Put',
    headers: { 'content-type': 'application/grpc', te: 'trailers' },
    bodyBase64: etcdPut('/registry/pods/aksel-bench/web-', Buffer.alloc(how.valueBytes, 'x')).toString('base64'),
    firstNumber: how.state.number,
    durationMs: how.durationMs,
  })
}

/** What one pod of ours takes in the store, nearly: what a read of it shows. */
async function storedBytes(rig: Rig): Promise<number> {
  const [item] = (await rawList(rig, 'limit=1')).items
  return Buffer.byteLength(JSON.stringify(item))
}

async function assertReadable(rig: Rig, wanted: number): Promise<void> {
  const list = await rawList(rig, 'limit=1')
  const found = list.items.length + (list.metadata.remainingItemCount ?? 0)
  if (found < wanted) throw new CommandError(`${wanted} pods were acknowledged and ${found} can be read`)
}

interface RawList {
  readonly metadata: { readonly remainingItemCount?: number }
  readonly items: readonly unknown[]
}

async function rawList(rig: Rig, query: string): Promise<RawList> {
  const { createHttpsTransport } = await import('@aksel/runtime/https-transport')
  const { readBody } = await import('@aksel/client/response-body')
  await using transport = createHttpsTransport(rig.access)
  const response = await transport.send({ method: 'GET', path: `${podsPath(rig)}?${query}`, headers: {} })
  return JSON.parse(Buffer.from(await readBody(response.body)).toString()) as RawList
}

async function loneCreate(
  rig: Rig,
  request: BenchRequest,
  { valueBytes, state }: { readonly valueBytes: number; readonly state: Counter },
): Promise<BenchRow> {
  request.say('create: one at a time')
  const count = request.full ? 3_000 : 400
  const before = await syncedWrites(rig.dataDir, valueBytes, count)
  const job = createJob(rig, { protocol: 'h1', connections: 1, streams: 1 }, state)
  const one = await watched(rig, () => requests(rig.load, { ...job, requestsMax: count }))
  state.number += one.result.answered
  const after = await syncedWrites(rig.dataDir, valueBytes, count)
  const probe: ProbeSpan = { of: 'p99 of write + fdatasync of as many bytes', before: before.p99, after: after.p99 }
  return rowOf({
    name: 'A2 p99 of a lone create',
    unit: 's',
    runs: [one.result.p99Ms / 1000],
    probe,
    stages: rig.stages,
    details: {
      ...costDetails(one),
      p50Ms: one.result.p50Ms,
      slowestCallMs: one.result.maxMs,
      probeP50Ms: { before: before.p50 * 1000, after: after.p50 * 1000 },
    },
  })
}

/** Appends and syncs, one after the other, in the folder of the store; seconds. */
async function syncedWrites(
  directory: string,
  bytes: number,
  count: number,
): Promise<{ readonly p50: number; readonly p99: number }> {
  const path = join(directory, 'probe')
  const file = await open(path, 'w')
  const block = Buffer.alloc(bytes, 'x')
  const times: number[] = []
  for (let i = 0; i < count; i++) {
    const startedMs = performance.now()
    await file.write(block)
    await file.datasync()
    times.push((performance.now() - startedMs) / 1000)
  }
  await file.close()
  await rm(path)
  times.sort((left, right) => left - right)
  return { p50: times[Math.floor(count / 2)]!, p99: times[Math.floor(count * 0.99)]! }
}
