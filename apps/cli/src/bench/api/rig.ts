// What the groups that measure one API server share: the server's engine in a process of its own, one cluster, a user with no
// more rights than it needs, proof of the stages, a load process, and peers to compare with.

import { mkdtemp, rm } from 'node:fs/promises'
import { availableParallelism, tmpdir } from 'node:os'
import { join } from 'node:path'
import { nameSuffix } from '@aksel/base/ids'
import type { Scope } from '@aksel/base/scope'
import type { Client } from '@aksel/client/client'
import { createClient } from '@aksel/client/typed-client'
import { createHttpsTransport } from '@aksel/runtime/https-transport'
import { parseKubeconfig, type ClusterAccess } from '@aksel/runtime/kubeconfig'
import { createAuthority, issue } from '@aksel/runtime/pki'
import { CommandError } from '../../command-error.ts'
import { prepareBenchUser, type BenchUser } from '../bench-user.ts'
import type { LoadOrders } from '../load/load-main.ts'
import { startChild, type Child } from '../load/orders.ts'
import type { PeerOrders, PeerTls } from '../load/peer-main.ts'
import type { LoadResult, RequestLoad } from '../load/requests.ts'
import { costOf, type ProcessCost } from '../process-cost.ts'
import { assertWholePath, proveStages, type StageReport } from '../stages.ts'
import { readAuditLog, storeHolds } from '../up/instance.ts'

/** What `apps/server/src/engine-main.ts` can be asked. */
export type EngineOrders = {
  readonly create: (name: string) => Promise<string>
  readonly kubeconfig: (name: string) => Promise<string>
  readonly name: (_: null) => Promise<string>
  readonly measureDelay: (_: null) => Promise<undefined>
  readonly delay: (_: null) => Promise<{ readonly p99Ms: number; readonly maxMs: number }>
  readonly collectGarbage: (_: null) => Promise<NodeJS.MemoryUsage>
  readonly revision: (_: null) => Promise<number>
  readonly stop: (_: null) => Promise<undefined>
}

const program = (name: string): string => join(import.meta.dirname, '..', 'load', `${name}.ts`)
const engineProgram = join(import.meta.dirname, '..', '..', '..', '..', 'server', 'src', 'engine-main.ts')

export function startLoad(): Promise<Child<LoadOrders>> {
  return startChild<LoadOrders>({ program: program('load-main') })
}

export function startPeer(): Promise<Child<PeerOrders>> {
  return startChild<PeerOrders>({ program: program('peer-main') })
}

export function startEngine(dataDir: string, args: readonly string[] = []): Promise<Child<EngineOrders>> {
  return startChild<EngineOrders>({
    program: engineProgram,
    args: ['--data', dataDir, '--loops', 'off', ...args],
    execArgv: ['--expose-gc'],
  })
}

export interface Rig extends AsyncDisposable {
  readonly dataDir: string
  engine: Child<EngineOrders>
  readonly load: Child<LoadOrders>
  readonly access: ClusterAccess
  readonly admin: Client
  readonly user: BenchUser
  readonly stages: StageReport
  /** Where load goes, and as whom. */
  readonly target: Pick<RequestLoad, 'host' | 'port' | 'caPem' | 'headers'>
}

/** A cluster without nodes whose loops run nowhere: what is measured is the API server. */
export async function startRig(scope: Scope, args: readonly string[] = []): Promise<Rig> {
  await using started = new AsyncDisposableStack()
  const dataDir = await mkdtemp(join(tmpdir(), 'aksel-bench-'))
  started.defer(() => rm(dataDir, { recursive: true, force: true }))
  const engine = await startEngine(dataDir, args)
  const rig: { engine: Child<EngineOrders> } = { engine }
  started.defer(() => rig.engine.kill())
  const load = started.use(await startLoad())
  const access = await parseKubeconfig(await engine.ask('create', 'bench'))
  const transport = started.use(createHttpsTransport(access))
  const admin = createClient(transport)
  const user = await prepareBenchUser(admin)
  const stages = await stagesOf(scope, dataDir, access, user)
  const resources = started.move()
  return Object.assign(rig, {
    dataDir,
    load,
    access,
    admin,
    user,
    stages,
    target: targetOf(access, user.token),
    [Symbol.asyncDispose]: () => resources.disposeAsync(),
  })
}

export function targetOf(access: ClusterAccess, token: string): Rig['target'] {
  const url = new URL(access.server)
  return {
    host: url.hostname,
    port: Number(url.port || 443),
    caPem: access.caPem,
    headers: { authorization: `Bearer ${token}`, accept: 'application/json', 'user-agent': 'aksel-bench' },
  }
}

async function stagesOf(scope: Scope, dataDir: string, access: ClusterAccess, user: BenchUser): Promise<StageReport> {
  const { server, caPem, serverName } = access
  const stages = await proveStages(scope, {
    access: { server, caPem, token: user.token, ...(serverName === undefined ? {} : { serverName }) },
    namespace: user.namespace,
    serviceAccount: user.serviceAccount,
    mark: `bench-${nameSuffix(scope.random)}`,
    auditLog: () => readAuditLog(dataDir),
    auditPatienceMs: 5_000,
    isStored: (text) => storeHolds(dataDir, text),
  })
  assertWholePath(stages)
  return stages
}

/** A certificate for 127.0.0.1 of the same kind as the server's, for its peers. */
export async function peerTls(scope: Scope): Promise<PeerTls & { readonly caPem: string }> {
  const authority = await createAuthority(scope, { commonName: 'bench', years: 1 })
  const pair = await issue(scope, authority, {
    commonName: 'peer',
    ipAddresses: ['127.0.0.1'],
    usages: ['server'],
    days: 1,
  })
  return { cert: pair.certificatePem, key: pair.keyPem, caPem: authority.certificatePem }
}

/** Throws where a request failed: what was refused was not measured. */
export async function requests(load: Child<LoadOrders>, job: RequestLoad): Promise<LoadResult> {
  const result = await load.ask('requests', job)
  if (result.failed > 0) {
    throw new CommandError(
      `${result.failed} of ${result.failed + result.answered} requests to ${job.path} failed; the first: ${result.firstFailure}`,
    )
  }
  return result
}

export const json = { 'content-type': 'application/json' }

export function base64(value: unknown): string {
  return Buffer.from(typeof value === 'string' ? value : JSON.stringify(value)).toString('base64')
}

export interface Watched<T> {
  readonly result: T
  /** Of the server, while the work went on. */
  readonly server: ProcessCost
  readonly load: ProcessCost
  readonly serverLoopDelayMs: { readonly p99Ms: number; readonly maxMs: number }
  readonly cores: number
}

/** Does the work and says what it cost the processes meanwhile. */
export async function watched<T>(rig: Rig, work: () => Promise<T>): Promise<Watched<T>> {
  await rig.engine.ask('measureDelay', null)
  const before = [costOf(rig.engine.pid)!, costOf(rig.load.pid)!] as const
  const result = await work()
  const after = [costOf(rig.engine.pid)!, costOf(rig.load.pid)!] as const
  const spent = (i: 0 | 1): ProcessCost => ({ ...after[i], cpuSeconds: after[i].cpuSeconds - before[i].cpuSeconds })
  const serverLoopDelayMs = await rig.engine.ask('delay', null)
  return { result, server: spent(0), load: spent(1), serverLoopDelayMs, cores: availableParallelism() }
}

/** The part of a row's details that every row of these groups has. */
export function costDetails(one: Watched<unknown>): Readonly<Record<string, unknown>> {
  const role = (name: string, { cpuSeconds, rssAnonBytes, rssFileBytes }: ProcessCost): object => ({
    role: name,
    count: 1,
    cpuSeconds,
    rssAnonBytes,
    rssFileBytes,
  })
  return {
    processes: [role('server', one.server), role('load', one.load)],
    eventLoopDelayMs: { server: one.serverLoopDelayMs },
    cores: one.cores,
    loops: 'off: controllers and scheduler run nowhere',
  }
}
