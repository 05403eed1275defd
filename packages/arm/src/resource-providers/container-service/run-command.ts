// `runCommand`: a command line run inside the cluster, for people who cannot reach its API server. What the pod says is the truth;
// who asks for the result moves it on, so that a killed server loses nothing.

import { pods } from '@aksel/api/resources'
import type { Pod } from '@aksel/api/types/core-v1'
import { ignoreReason } from '@aksel/base/errors'
import { readBody } from '@aksel/client/response-body'
import type { Client } from '@aksel/client/client'
import { AksError, badRequest, missingParameter, notAllowed } from '../../azure-errors.ts'
import { param, type ArmRequest, type ArmResponse, type Route } from '../../front-door/route.ts'
import type { Hub } from '../../hub.ts'
import { retryAfterSeconds } from '../../operations.ts'
import type { ClusterRecord, CommandRecord, CommandResult, Json, PoolRecord } from '../../records.ts'
import { keys } from '../../store-keyspace.ts'
import { objectAt, readObject } from '../body.ts'
import { clusterPath, clusterRef } from './cluster-routes.ts'
import { poolsOf, readCluster } from './cluster-store.ts'
import { engineId } from './pass.ts'
import { commandNamespace, createCommand, podNameOf, removeCommand, type CommandWish } from './run-command-objects.ts'

/** AKS cuts what a command says there. */
const logBytesMax = 512 * 1024
/** So long it may wait for a place to run. */
const startWithinMs = 60_000
/** What nobody asked about is forgotten after that. */
const keptMs = 24 * 3_600_000
/** A secret holds no more. */
const contextBytesMax = 768 * 1024

export function runCommandRoutes(hub: Hub): readonly Route[] {
  return [
    { method: 'POST', path: `${clusterPath}/runCommand`, handle: (request) => run(hub, request) },
    { method: 'GET', path: `${clusterPath}/commandResults/:command`, handle: (request) => result(hub, request) },
  ]
}

async function run(hub: Hub, request: ArmRequest): Promise<ArmResponse> {
  const wish = readWish(request.body)
  const cluster = (await readCluster(hub.store, clusterRef(request))).value
  const pools = (await poolsOf(hub.store, cluster.id)).map(({ value }) => value)
  judgeRunnable(hub, cluster, pools)
  const runtime = await hub.suppliers.commandRuntime!(request.scope, engineId(cluster))
  const id = Buffer.from(request.scope.random.nextBytes(16)).toString('hex')
  const client = hub.suppliers.engine.client(engineId(cluster))
  await forgetOld(hub, request, cluster, client)
  const record: CommandRecord = { kind: 'command', id, clusterId: cluster.id, orderedAtMs: request.scope.clock.now() }
  await hub.store.commit([{ kind: 'put', key: keyOf(cluster, id), value: record, expected: 0 }])
  await createCommand(client, id, wish, runtime)
  return running(request, cluster, id)
}

function readWish(given: unknown): CommandWish {
  const body = readObject(given)
  const [command, context, token] = [body['command'], body['context'], body['clusterToken']]
  if (typeof command !== 'string' || command.trim() === '') throw missingParameter('command')
  if (typeof context === 'string' && context.length > (contextBytesMax * 4) / 3) {
    throw badRequest(`The context of a command may have ${contextBytesMax} bytes at most.`, 'context')
  }
  return {
    command,
    ...(typeof context === 'string' && context !== '' ? { context } : {}),
    ...(typeof token === 'string' && token !== '' ? { token } : {}),
  }
}

function judgeRunnable(hub: Hub, cluster: ClusterRecord, pools: readonly PoolRecord[]): void {
  if (objectAt(cluster.properties, 'apiServerAccessProfile')['disableRunCommand'] === true) {
    throw badRequest(`The run command feature is disabled on managed cluster '${cluster.name}'.`)
  }
  if (cluster.power === 'Stopped' || hub.suppliers.engine.status(engineId(cluster)) === undefined) {
    throw notAllowed(`The managed cluster '${cluster.name}' does not run: no command can be run in it.`)
  }
  if (hub.suppliers.commandRuntime === undefined || pools.every(({ simulated }) => simulated)) {
    throw notAllowed(
      `All nodes of managed cluster '${cluster.name}' are simulated: no command can be run in it. Reach its API server directly.`,
    )
  }
}

function keyOf(cluster: ClusterRecord, commandId: string): string {
  return keys.resource(`${cluster.id}/commandResults/${commandId}`)
}

async function result(hub: Hub, request: ArmRequest): Promise<ArmResponse> {
  const cluster = (await readCluster(hub.store, clusterRef(request))).value
  const id = param(request, 'command').toLowerCase()
  const stored = await hub.store.get<CommandRecord>(keyOf(cluster, id))
  if (stored === undefined) {
    throw new AksError(404, 'NotFound', `There is no command '${id}' of managed cluster '${cluster.name}'.`)
  }
  const known = stored.value.result ?? (await finish(hub, request, cluster, stored.value))
  if (known === undefined) return running(request, cluster, id)
  return { status: 200, body: bodyOf(id, { ...known }) }
}

/** Undefined while it runs. */
async function finish(
  hub: Hub,
  request: ArmRequest,
  cluster: ClusterRecord,
  record: CommandRecord,
): Promise<CommandResult | undefined> {
  const client = hub.suppliers.engine.client(engineId(cluster))
  const ref = { name: podNameOf(record.id), namespace: commandNamespace }
  const pod = await ignoreReason('NotFound', client.get(pods, ref))
  const verdict = judgeCommand(pod, record.orderedAtMs, request.scope.clock.now())
  if (verdict === undefined) return undefined
  const logs = verdict.exitCode === undefined ? undefined : await logsOf(client, ref)
  const ended: CommandResult = { ...verdict, ...(logs === undefined ? {} : { logs }) }
  const written = await hub.store.update<CommandRecord>(keyOf(cluster, record.id), (current) =>
    current.result === undefined ? { ...current, result: ended } : undefined,
  )
  await removeCommand(client, record.id)
  return written?.result ?? ended
}

/** What has come of a command, as its pod shows it; undefined while it may still end well. */
export function judgeCommand(
  pod: Pick<Pod, 'status'> | undefined,
  orderedAtMs: number,
  nowMs: number,
): CommandResult | undefined {
  if (pod === undefined) {
    if (nowMs - orderedAtMs < startWithinMs) return undefined
    return { provisioningState: 'Failed', reason: 'The pod of the command is gone.' }
  }
  const [container] = pod.status?.containerStatuses ?? []
  const ended = container?.state?.terminated
  if (ended !== undefined) {
    return {
      provisioningState: 'Succeeded',
      exitCode: ended.exitCode,
      ...(ended.startedAt === undefined ? {} : { startedAt: ended.startedAt }),
      ...(ended.finishedAt === undefined ? {} : { finishedAt: ended.finishedAt }),
    }
  }
  if (pod.status?.phase === 'Failed') {
    return { provisioningState: 'Failed', reason: pod.status.message ?? pod.status.reason ?? 'The pod has failed.' }
  }
  if (container?.state?.running !== undefined || nowMs - orderedAtMs < startWithinMs) return undefined
  const scheduled = pod.status?.conditions?.find(({ type }) => type === 'PodScheduled')
  const why = scheduled?.message ?? container?.state?.waiting?.message ?? container?.state?.waiting?.reason
  return {
    provisioningState: 'Failed',
    reason: `KubernetesPerformanceError: the container of the command did not start within 60s${why === undefined ? '' : `: ${why}`}`,
  }
}

async function logsOf(client: Client, ref: { readonly name: string; readonly namespace: string }): Promise<string> {
  const path = `/api/v1/namespaces/${ref.namespace}/pods/${ref.name}/log?limitBytes=${logBytesMax}`
  const { status, body } = await client.send({ path })
  const text = Buffer.from(await readBody(body)).toString('utf8')
  return status === 200 ? text : `The output of the command could not be read: ${text}`
}

function running(request: ArmRequest, cluster: ClusterRecord, id: string): ArmResponse {
  const version = encodeURIComponent(request.query['api-version'] ?? '')
  return {
    status: 202,
    // az reads the state out of the body of every answer.
    body: bodyOf(id, { provisioningState: 'Running' }),
    headers: {
      location: `${request.origin}${cluster.id}/commandResults/${id}?api-version=${version}`,
      'retry-after': String(retryAfterSeconds),
    },
  }
}

function bodyOf(id: string, properties: Json): Json {
  return { id, properties }
}

/** Commands whose result nobody wants any more, with whatever is left of them in the cluster. */
async function forgetOld(hub: Hub, request: ArmRequest, cluster: ClusterRecord, client: Client): Promise<void> {
  const before = request.scope.clock.now() - keptMs
  for (const { key, value, modRevision } of await hub.store.list<CommandRecord>(
    keys.below(`${cluster.id}/commandResults`),
  )) {
    if (value.orderedAtMs > before) continue
    if (value.result === undefined) await removeCommand(client, value.id)
    await hub.store.commit([{ kind: 'delete', key, expected: modRevision }])
  }
}
