// Whole clusters in files and copies of clusters, as actions of our own on a managed cluster: Azure has none like them.

import { existsSync } from 'node:fs'
import { isAbsolute } from 'node:path'
import { uuid } from '@aksel/base/ids'
import type { ClusterArchives } from '@aksel/provider/cluster-archives'
import { AksError, badRequest, invalidParameter, notAllowed } from '../../azure-errors.ts'
import { ok, param, type ArmRequest, type ArmResponse, type Route } from '../../front-door/route.ts'
import type { Hub } from '../../hub.ts'
import { newOperation, operationHeaders, startOf } from '../../operations.ts'
import type { ClusterOrigin, ClusterRecord, Json, MachineRecord, PoolRecord } from '../../records.ts'
import { clusterId, poolId, type ClusterRef } from '../../resource-id.ts'
import { keys, type Change } from '../../store-keyspace.ts'
import { isObject, readObject } from '../body.ts'
import { readLiveGroup } from '../resources/groups.ts'
import { clusterBody, simulatedTag } from './bodies.ts'
import { judgeClusterName } from './cluster-properties.ts'
import { findCluster, judgeIdle, machinesOf, poolsOf, readCluster } from './cluster-store.ts'
import { putCluster } from './cluster-writes.ts'
import { engineId } from './pass.ts'

const CLOCK_AHEAD_SECONDS_MAX = 365 * 86_400

export function copyRoutes(hub: Hub, clusterPath: string): readonly Route[] {
  return [
    { method: 'POST', path: `${clusterPath}/akselSnapshot`, handle: (request) => snapshot(hub, request) },
    { method: 'POST', path: `${clusterPath}/akselRestore`, handle: (request) => restore(hub, request) },
    { method: 'POST', path: `${clusterPath}/akselFork`, handle: (request) => fork(hub, request) },
  ]
}

function refOf(request: ArmRequest): ClusterRef {
  return {
    subscriptionId: param(request, 'subscription'),
    resourceGroup: param(request, 'group'),
    cluster: param(request, 'cluster'),
  }
}

function archivesOf(hub: Hub): ClusterArchives {
  const { archives } = hub.suppliers
  if (archives === undefined) throw notAllowed('The engine of this server cannot copy clusters.')
  return archives
}

function fileOf(body: Json): string {
  const file = body['file']
  if (typeof file !== 'string' || !isAbsolute(file)) throw invalidParameter('file', 'an absolute path is wanted')
  return file
}

/** Answers when the file is complete and durable. */
async function snapshot(hub: Hub, request: ArmRequest): Promise<ArmResponse> {
  const { value } = await readCluster(hub.store, refOf(request))
  const body = readObject(request.body)
  const file = fileOf(body)
  if (existsSync(file) && body['replace'] !== true)
    throw new AksError(409, 'FileExists', `The file '${file}' exists already.`, { target: 'file' })
  if (hub.suppliers.engine.status(engineId(value)) === undefined)
    throw notAllowed(
      `The control plane of managed cluster '${value.name}' is not there yet: its provisioning state is ${value.progress.provisioningState}.`,
    )
  try {
    return ok({ file, ...(await archivesOf(hub).snapshot(request.scope, engineId(value), file)) })
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException
    if (code === undefined) throw error
    throw badRequest(`The file '${file}' cannot be written: ${message}`)
  }
}

/** Makes a cluster of a file. The body has the properties and pools of a PUT; what the objects depend on comes from the file. */
async function restore(hub: Hub, request: ArmRequest): Promise<ArmResponse> {
  const ref = refOf(request)
  const body = readObject(request.body)
  const file = fileOf(body)
  if ((await findCluster(hub.store, ref)) !== undefined) throw existing(ref)
  const { cluster } = await readable(hub, file)
  const { file: _, properties, ...envelope } = body
  const given: Json = isObject(properties) ? properties : {}
  const network: Json = isObject(given['networkProfile']) ? given['networkProfile'] : {}
  const same: Json =
    cluster === undefined ? {} : { serviceCidr: cluster.serviceCidr, dnsServiceIP: cluster.dnsServiceIp }
  const putBody = {
    ...envelope,
    properties: {
      ...(cluster === undefined ? {} : { kubernetesVersion: minorOf(cluster.kubernetesVersion) }),
      ...given,
      networkProfile: { ...network, ...same },
    },
  }
  const origin: ClusterOrigin = { kind: 'archive', file }
  const written = await putCluster(hub, { ...request, body: putBody }, ref, origin)
  hub.wake(written.cluster.id)
  return begun(request, written)
}

async function readable(hub: Hub, file: string): ReturnType<ClusterArchives['readArchive']> {
  try {
    return await archivesOf(hub).readArchive(file)
  } catch (error) {
    const message = error instanceof Error ? error.message : String(error)
    throw new AksError(400, 'ArchiveNotReadable', message, { target: 'file', cause: error })
  }
}

/** Copies a running cluster, in the group and under the name that the body says, with simulated machines of the same names. */
async function fork(hub: Hub, request: ArmRequest): Promise<ArmResponse> {
  archivesOf(hub)
  const body = readObject(request.body)
  const name = body['name']
  if (typeof name !== 'string') throw invalidParameter('name', 'the name of the new cluster is wanted')
  judgeClusterName(name)
  const group = body['resourceGroup']
  const seconds = body['clockAheadSeconds'] ?? 0
  if (typeof seconds !== 'number' || !(seconds >= 0 && seconds <= CLOCK_AHEAD_SECONDS_MAX))
    throw invalidParameter('clockAheadSeconds', `a number from 0 to ${CLOCK_AHEAD_SECONDS_MAX} is wanted`)
  const from = refOf(request)
  const ref = { ...from, cluster: name, resourceGroup: typeof group === 'string' ? group : from.resourceGroup }
  const written = await hub.store.decide(async () => {
    const source = (await readCluster(hub.store, from)).value
    const liveGroup = await readLiveGroup(hub.store, ref)
    const pools = (await poolsOf(hub.store, source.id)).map(({ value }) => value)
    judgeIdle(source, pools)
    if ((await findCluster(hub.store, ref)) !== undefined) throw existing(ref)
    const target = { ...ref, resourceGroup: liveGroup.name }
    const operation = newOperation(request.scope, {
      subscriptionId: ref.subscriptionId,
      location: source.location,
      resourceId: clusterId(target),
      outcome: 'resource',
    })
    const cluster = forkOf(request, source, target, {
      operationId: operation.id,
      origin: { kind: 'fork', of: engineId(source), clockOffsetMs: seconds * 1_000 },
    })
    const copied = pools.map((pool): PoolRecord => ({
      ...pool,
      id: poolId({ ...target, pool: pool.name }),
      clusterId: cluster.id,
      simulated: true,
      eTag: uuid(request.scope.random),
      progress: { provisioningState: 'Creating', operationId: operation.id },
    }))
    const machines = (await machinesOf(hub.store, source.id)).map(({ value }): MachineRecord => ({
      ...value,
      clusterId: cluster.id.toLowerCase(),
    }))
    const changes: Change[] = [
      startOf(operation),
      { kind: 'put', key: keys.resource(cluster.id), value: cluster, expected: 0 },
      ...copied.map((pool) => ({ kind: 'put' as const, key: keys.resource(pool.id), value: pool, expected: 0 })),
      ...machines.map((one) => ({
        kind: 'put' as const,
        key: keys.machine(cluster.id, one.name),
        value: one,
        expected: 0,
      })),
    ]
    return { changes, result: { cluster, pools: copied, operation } }
  })
  hub.wake(written.cluster.id)
  return begun(request, written)
}

function forkOf(
  { scope }: ArmRequest,
  source: ClusterRecord,
  ref: ClusterRef,
  own: { readonly operationId: string; readonly origin: ClusterOrigin },
): ClusterRecord {
  const uid = Buffer.from(scope.random.nextBytes(12)).toString('hex')
  const { kubeletIdentity: _, tags, ...kept } = source
  return {
    ...kept,
    id: clusterId(ref),
    name: ref.cluster,
    uid,
    fqdn: `${ref.cluster}-${uid.slice(0, 8)}.hcp.${source.location}.azmk8s.io`.toLowerCase(),
    eTag: uuid(scope.random),
    tags: { ...tags, [simulatedTag]: 'true' },
    properties: {
      ...source.properties,
      dnsPrefix: ref.cluster,
      nodeResourceGroup: `MC_${ref.resourceGroup}_${ref.cluster}_${source.location}`.slice(0, 80),
    },
    origin: own.origin,
    progress: { provisioningState: 'Creating', operationId: own.operationId },
  }
}

function begun(
  request: ArmRequest,
  written: Pick<Awaited<ReturnType<typeof putCluster>>, 'cluster' | 'pools' | 'operation'>,
): ArmResponse {
  const { cluster, pools, operation } = written
  return { status: 201, body: clusterBody(cluster, pools), headers: operationHeaders(operation, request.origin) }
}

function existing(ref: ClusterRef): AksError {
  return new AksError(409, 'ClusterExists', `The managed cluster '${ref.cluster}' exists already.`, { target: 'name' })
}

/** Whether the cluster stands on nothing of this host: its machines are simulated, whatever its original's are. */
export function isFork(cluster: Pick<ClusterRecord, 'origin'>): boolean {
  return cluster.origin?.kind === 'fork'
}

/** `1.35` of `1.35.7`: the newest patch that is offered now, whichever it was. */
function minorOf(version: string): string {
  return version.split('.').slice(0, 2).join('.')
}
