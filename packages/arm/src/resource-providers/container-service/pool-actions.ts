// What is ordered of a pool: abort, the newest node image, the end of a blue-green soak, machines that go by name.

import { uuid } from '@aksel/base/ids'
import { AksError, badRequest, notAllowed } from '../../azure-errors.ts'
import { param, type ArmRequest, type ArmResponse, type Route } from '../../front-door/route.ts'
import type { Hub } from '../../hub.ts'
import { newOperation, operationHeaders, startOf } from '../../operations.ts'
import { poolId, type PoolRef } from '../../resource-id.ts'
import { keys, type Change, type Stored } from '../../store-keyspace.ts'
import type { ClusterRecord, MachineRecord, OperationRecord, PoolRecord } from '../../records.ts'
import { isBlueGreen } from '../../upgrade-plan.ts'
import { readObject } from '../body.ts'
import { abortable, abortChanges } from './abort.ts'
import { poolBody } from './bodies.ts'
import { clusterRef } from './cluster-routes.ts'
import { judgeIdle, machinesOf, readParent, readPoolRecord } from './cluster-store.ts'
import { nodeImageOf } from './node-images.ts'
import { poolPath } from './pool-routes.ts'
import { withoutMachines } from './virtual-machines-pool.ts'
import { upgradeAfter } from './pool-versions.ts'
import { clusterUnchanged, putChange } from './pool-writes.ts'

export function poolActionRoutes(hub: Hub): readonly Route[] {
  return [
    { method: 'POST', path: `${poolPath}/abort`, handle: (request) => abort(hub, request) },
    { method: 'POST', path: `${poolPath}/upgradeNodeImageVersion`, handle: (request) => newestImage(hub, request) },
    { method: 'POST', path: `${poolPath}/completeUpgrade`, handle: (request) => completeUpgrade(hub, request) },
    { method: 'POST', path: `${poolPath}/deleteMachines`, handle: (request) => deleteMachines(hub, request) },
  ]
}

interface Standing {
  readonly cluster: Stored<ClusterRecord>
  readonly pool: Stored<PoolRecord>
  readonly operation: OperationRecord
}

interface Ordered {
  readonly pool: PoolRecord
  /** Where the operation is over already. */
  readonly operation?: OperationRecord
  readonly more?: readonly Change[]
}

async function order(
  hub: Hub,
  request: ArmRequest,
  outcome: OperationRecord['outcome'],
  decide: (standing: Standing) => Ordered | Promise<Ordered>,
): Promise<ArmResponse> {
  const ref: PoolRef = { ...clusterRef(request), pool: param(request, 'pool') }
  const result = await hub.store.decide(async () => {
    const cluster = await readParent(hub.store, ref, 'write')
    const pool = await readPoolRecord(hub.store, ref)
    const operation = newOperation(request.scope, {
      subscriptionId: ref.subscriptionId,
      location: cluster.value.location,
      resourceId: poolId(ref),
      outcome,
    })
    const ordered = await decide({ cluster, pool, operation })
    const changes: Change[] = [
      startOf(ordered.operation ?? operation),
      putChange(ordered.pool, pool),
      clusterUnchanged(cluster),
      ...(ordered.more ?? []),
    ]
    return { changes, result: { operation, pool: ordered.pool } }
  })
  hub.wake(result.pool.clusterId)
  return {
    status: 202,
    ...(outcome === 'resource' ? { body: poolBody(result.pool) } : {}),
    headers: operationHeaders(result.operation, request.origin),
  }
}

function abort(hub: Hub, request: ArmRequest): Promise<ArmResponse> {
  return order(hub, request, 'nothing', async ({ cluster, pool, operation }) => {
    const aborted = abortable(pool.value.progress, `agent pool '${pool.value.name}'`)
    if (cluster.value.progress.operationId === aborted) {
      throw notAllowed(
        `The operation on agent pool '${pool.value.name}' belongs to its managed cluster: abort that of the cluster.`,
      )
    }
    const changes = await abortChanges(hub, request.scope, {
      cluster: cluster.value,
      pools: [pool.value],
      aborted,
      operation,
    })
    return { pool: changes.pools[0]!, more: changes.more }
  })
}

/** The newest image for the version that the pool has. */
function newestImage(hub: Hub, request: ArmRequest): Promise<ArmResponse> {
  return order(hub, request, 'resource', ({ cluster, pool, operation }) => {
    judgeIdle(cluster.value, [pool.value])
    const { version: kubernetes, properties } = pool.value
    const image = nodeImageOf(properties.osSKU, kubernetes, request.scope.clock.now())
    const upgrade = upgradeAfter(pool.value, { kubernetes, image }, properties)
    const provisioningState = upgrade === undefined ? 'Updating' : 'UpgradingNodeImageVersion'
    return {
      pool: {
        ...pool.value,
        nodeImageVersion: image,
        ...(upgrade === undefined ? {} : { upgrade }),
        eTag: uuid(request.scope.random),
        progress: { provisioningState, operationId: operation.id },
      },
    }
  })
}

/** The old nodes need not soak any longer: the operation that waits for them goes on, and this one is over at once. */
function completeUpgrade(hub: Hub, request: ArmRequest): Promise<ArmResponse> {
  return order(hub, request, 'resource', ({ cluster, pool, operation }) => {
    const { upgrade, name, progress } = pool.value
    if (upgrade?.finalSoakSinceMs === undefined || !isBlueGreen(pool.value)) {
      throw notAllowed(`Agent pool '${name}' is not in the final soak of a blue-green upgrade.`)
    }
    const ended = { ...pool.value, upgrade: { ...upgrade, finalSoakSinceMs: 0 } }
    if (progress.operationId === undefined) {
      judgeIdle(cluster.value, [pool.value])
      return { pool: { ...ended, progress: { provisioningState: 'Upgrading', operationId: operation.id } } }
    }
    const endTime = new Date(request.scope.clock.now()).toISOString()
    const over: OperationRecord = { ...operation, status: 'Succeeded', endTime }
    return { pool: ended, operation: over }
  })
}

/** Neither cordons nor drains, as Azure says. */
function deleteMachines(hub: Hub, request: ArmRequest): Promise<ArmResponse> {
  const { machineNames } = readObject(request.body) as { readonly machineNames?: unknown }
  if (!Array.isArray(machineNames) || machineNames.length === 0) {
    throw badRequest("The request needs 'machineNames': a list of at least one name.", 'machineNames')
  }
  return order(hub, request, 'nothing', async ({ cluster, pool, operation }) => {
    judgeIdle(cluster.value, [pool.value])
    const { properties, name } = pool.value
    const chosen = await chosenMachines(hub, cluster.value, pool.value, machineNames as readonly unknown[])
    const left = withoutMachines(
      properties,
      chosen.map(({ value }) => value),
    )
    if (properties.mode === 'System' && left.count < 1) {
      throw notAllowed(`Agent pool '${name}' is of mode System and needs at least one machine.`)
    }
    const nowMs = request.scope.clock.now()
    return {
      pool: {
        ...pool.value,
        properties: left,
        eTag: uuid(request.scope.random),
        progress: { provisioningState: 'Scaling', operationId: operation.id },
      },
      more: chosen.map(({ value, modRevision }) => ({
        kind: 'put',
        key: keys.machine(cluster.value.id, value.name),
        value: { ...value, leavingSinceMs: nowMs, undrained: true },
        expected: modRevision,
      })),
    }
  })
}

async function chosenMachines(
  hub: Hub,
  cluster: ClusterRecord,
  pool: PoolRecord,
  names: readonly unknown[],
): Promise<readonly Stored<MachineRecord>[]> {
  const own = (await machinesOf(hub.store, cluster.id)).filter(
    ({ value }) => value.pool === pool.name && value.leavingSinceMs === undefined,
  )
  return [...new Set(names)].map((name) => {
    const found = own.find(({ value }) => value.name === name)
    if (found !== undefined) return found
    throw new AksError(
      404,
      'NotFound',
      `Could not find machine ${JSON.stringify(name)} in agent pool '${pool.name}': nothing was deleted.`,
      { target: 'machineNames' },
    )
  })
}
