// What is ordered of a whole cluster: start, stop, new keys, abort. Each is one transaction that starts its operation.

import { noRotations, type KeyRotations } from '@aksel/provider/cluster-engine'
import { notAllowed } from '../../azure-errors.ts'
import { param, type ArmRequest, type ArmResponse, type Route } from '../../front-door/route.ts'
import type { Hub } from '../../hub.ts'
import { newOperation, operationHeaders, startOf } from '../../operations.ts'
import { clusterId } from '../../resource-id.ts'
import { keys, type Change } from '../../store-keyspace.ts'
import type { ClusterRecord, OperationRecord, PoolRecord } from '../../records.ts'
import { abortChanges, abortable } from './abort.ts'
import { judgeStop } from './automatic.ts'
import { clusterPath, clusterRef } from './cluster-routes.ts'
import { judgeIdle, poolsOf, readCluster } from './cluster-store.ts'

export function clusterActionRoutes(hub: Hub): readonly Route[] {
  return [
    { method: 'POST', path: `${clusterPath}/start`, handle: (request) => start(hub, request) },
    { method: 'POST', path: `${clusterPath}/stop`, handle: (request) => stop(hub, request) },
    {
      method: 'POST',
      path: `${clusterPath}/rotateClusterCertificates`,
      handle: (request) => rotate(hub, request, 'certificates'),
    },
    {
      method: 'POST',
      path: `${clusterPath}/rotateServiceAccountSigningKeys`,
      handle: (request) => rotate(hub, request, 'signingKeys'),
    },
    { method: 'POST', path: `${clusterPath}/abort`, handle: (request) => abort(hub, request) },
  ]
}

interface ActionChange {
  readonly cluster: ClusterRecord
  readonly pools: readonly PoolRecord[]
  /** Changes beside the resources themselves. */
  readonly more?: readonly Change[]
}

type Action = (
  cluster: ClusterRecord,
  pools: readonly PoolRecord[],
  operation: OperationRecord,
) => ActionChange | Promise<ActionChange>

/** Reads the cluster and its pools, and writes what the action makes of them with a new operation. */
export async function act(
  hub: Hub,
  request: ArmRequest,
  action: Action,
  outcome: OperationRecord['outcome'] = 'nothing',
): Promise<ArmResponse> {
  const ref = clusterRef(request)
  const operation = await hub.store.decide(async () => {
    const current = await readCluster(hub.store, ref)
    const standing = await poolsOf(hub.store, current.value.id)
    const fresh = newOperation(request.scope, {
      subscriptionId: param(request, 'subscription'),
      location: current.value.location,
      resourceId: current.value.id,
      outcome,
    })
    const next = await action(
      current.value,
      standing.map(({ value }) => value),
      fresh,
    )
    const changes: Change[] = [
      startOf(fresh),
      { kind: 'put', key: current.key, value: next.cluster, expected: current.modRevision },
      ...next.pools.map((pool) => {
        const key = keys.resource(pool.id)
        const expected = standing.find((stored) => stored.key === key)?.modRevision ?? 0
        return { kind: 'put' as const, key, value: pool, expected }
      }),
      ...(next.more ?? []),
    ]
    return { changes, result: fresh }
  })
  hub.wake(clusterId(ref))
  return { status: 202, headers: operationHeaders(operation, request.origin) }
}

function stop(hub: Hub, request: ArmRequest): Promise<ArmResponse> {
  return act(hub, request, (cluster, pools, { id: operationId }) => {
    judgeIdle(cluster, pools, true)
    judgeStop(cluster)
    if (cluster.power === 'Stopped') {
      throw notAllowed(
        `The managed cluster '${cluster.name}' is not currently running, stopping cannot be performed: its power state is Stopped.`,
      )
    }
    const progress = { provisioningState: 'Stopping', operationId }
    return {
      cluster: { ...cluster, power: 'Stopped', progress },
      pools: pools.map((pool) => ({ ...pool, progress })),
    }
  })
}

function start(hub: Hub, request: ArmRequest): Promise<ArmResponse> {
  return act(hub, request, (cluster, pools, { id: operationId }) => {
    judgeIdle(cluster, pools, true)
    const { power, ...running } = cluster
    if (power !== 'Stopped') {
      throw notAllowed(
        `The managed cluster '${cluster.name}' is not currently stopped, starting cannot be performed: its power state is Running.`,
      )
    }
    const progress = { provisioningState: 'Starting', operationId }
    return { cluster: { ...running, progress }, pools: pools.map((pool) => ({ ...pool, progress })) }
  })
}

/** New keys: the control plane's first, then every node is made anew with certificates that the new authority signed. */
function rotate(hub: Hub, request: ArmRequest, which: keyof KeyRotations): Promise<ArmResponse> {
  return act(hub, request, (cluster, pools, { id: operationId }) => {
    judgeIdle(cluster, pools)
    const before = cluster.rotations ?? noRotations
    const rotations = { ...before, [which]: before[which] + 1 }
    const provisioningState = which === 'certificates' ? 'RotatingClusterCertificates' : 'Updating'
    return { cluster: { ...cluster, rotations, progress: { provisioningState, operationId } }, pools: [] }
  })
}

/** Ends the operation on the cluster, wherever it is; nothing is rolled back. */
function abort(hub: Hub, request: ArmRequest): Promise<ArmResponse> {
  return act(hub, request, async (cluster, pools, operation) => {
    const aborted = abortable(cluster.progress, `managed cluster '${cluster.name}'`)
    const own = pools.filter(({ progress }) => progress.operationId === aborted)
    return abortChanges(hub, request.scope, { cluster, pools: own, aborted, operation })
  })
}
