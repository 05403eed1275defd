// Orders on resources below a cluster: begun on a cluster whose control plane can be told, one at a time, and ended in one commit.

import type { ArmErrorBody } from '@aksel/base/errors'
import { notAllowed, operationInProgress } from '../../azure-errors.ts'
import type { ArmRequest } from '../../front-door/route.ts'
import type { Hub } from '../../hub.ts'
import { endOf, newOperation } from '../../operations.ts'
import type {
  ClusterChildRecord,
  ClusterRecord,
  JwtAuthenticatorRecord,
  OperationRecord,
  Progress,
} from '../../records.ts'
import type { Change, Stored } from '../../store-keyspace.ts'
import { clusterRef } from './cluster-routes.ts'
import { readParent } from './cluster-store.ts'
import { engineId, subscriptionOf, type Pass } from './pass.ts'

/** The cluster, where its control plane can be told of something. */
export async function readyCluster(hub: Hub, request: ArmRequest): Promise<ClusterRecord> {
  const { value } = await readParent(hub.store, clusterRef(request), 'write')
  if (value.progress.deleting === true) throw operationInProgress(value.progress.provisioningState)
  if (value.power === 'Stopped')
    throw notAllowed(
      `The managed cluster '${value.name}' is stopped: only start and delete are allowed until it is started. See https://aka.ms/aks-stopped-cluster for more details.`,
    )
  if (hub.suppliers.engine.status(engineId(value)) === undefined)
    throw notAllowed(
      `The control plane of managed cluster '${value.name}' is not there yet: its provisioning state is ${value.progress.provisioningState}.`,
    )
  return value
}

/** Throws OperationNotAllowed where an operation runs on it. */
export function judgeIdle(current: { readonly name: string; readonly progress: Progress } | undefined): void {
  if (current?.progress.operationId !== undefined)
    throw operationInProgress(`${current.name} - ${current.progress.provisioningState}`)
}

export function operationOn(
  request: ArmRequest,
  cluster: ClusterRecord,
  resourceId: string,
  outcome: OperationRecord['outcome'],
): OperationRecord {
  const { subscriptionId } = clusterRef(request)
  return newOperation(request.scope, { subscriptionId, location: cluster.location, resourceId, outcome })
}

/** Ends what runs on it, and what is deleted with it; false where it was written anew meanwhile. */
export async function endChild(
  pass: Pass,
  { key, value, modRevision }: Stored<ClusterChildRecord> | Stored<JwtAuthenticatorRecord>,
  progress: Progress,
  error?: ArmErrorBody,
): Promise<boolean> {
  const failure = error === undefined ? undefined : { error }
  const ended = await endOf(pass.scope, pass.store, subscriptionOf(value.id), value.progress.operationId!, failure)
  const isGone = value.progress.deleting === true && error === undefined
  const change: Change = isGone
    ? { kind: 'delete', key, expected: modRevision }
    : { kind: 'put', key, value: { ...value, progress }, expected: modRevision }
  return pass.store.commit(ended === undefined ? [change] : [change, ended])
}
