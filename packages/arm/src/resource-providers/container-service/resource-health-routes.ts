// Resource Health of a managed cluster, as Azure's own service tells it: whether it is available, and since when it is not. The
// managed API server guard has no shape of its own in ARM; that it throttles clients is seen here.

import { flowSchemas } from '@aksel/api/resources'
import type { FlowSchemaCondition } from '@aksel/api/types/flowcontrol-v1'
import { formatTime } from '@aksel/base/clock'
import { ignoreReason } from '@aksel/base/errors'
import { ok, type ArmRequest, type ArmResponse, type Route } from '../../front-door/route.ts'
import type { Hub } from '../../hub.ts'
import type { ClusterRecord } from '../../records.ts'
import { groupOfId } from '../../resource-id.ts'
import { clusterPath, clusterRef } from './cluster-routes.ts'
import { readCluster } from './cluster-store.ts'
import { engineId } from './pass.ts'

const statuses = `${clusterPath}/providers/Microsoft.ResourceHealth/availabilityStatuses`
/** AKS' name for the guard's objects. */
const guardName = 'aks-managed-apiserver-guard'
const guardCondition = 'Throttling'

interface Health {
  readonly availabilityState: 'Available' | 'Degraded' | 'Unavailable' | 'Unknown'
  readonly title: string
  readonly summary: string
  readonly reasonType: '' | 'Unplanned' | 'UserInitiated'
  /** RFC 3339; since when it is so, where that is known. */
  readonly occuredTime?: string
  readonly recommendedActions?: readonly { readonly action: string }[]
}

export function resourceHealthRoutes(hub: Hub): readonly Route[] {
  return [
    { method: 'GET', path: `${statuses}/current`, handle: async (request) => ok(await current(hub, request)) },
    { method: 'GET', path: statuses, handle: (request) => list(hub, request) },
  ]
}

async function list(hub: Hub, request: ArmRequest): Promise<ArmResponse> {
  return ok({ value: [await current(hub, request)] })
}

async function current(hub: Hub, request: ArmRequest): Promise<unknown> {
  const { value: cluster } = await readCluster(hub.store, clusterRef(request))
  const reportedTime = formatTime(request.scope.clock.now())
  const { recommendedActions = [], ...health } = await healthOf(hub, cluster)
  return {
    id: `${cluster.id}/providers/Microsoft.ResourceHealth/availabilityStatuses/current`,
    name: 'current',
    type: 'Microsoft.ResourceHealth/AvailabilityStatuses',
    location: cluster.location,
    properties: { ...health, reasonChronicity: 'Persistent', reportedTime, recommendedActions },
  }
}

async function healthOf(hub: Hub, cluster: ClusterRecord): Promise<Health> {
  const { engine } = hub.suppliers
  const plane = engine.status(engineId(cluster))
  if (plane?.state === 'Stopped')
    return {
      availabilityState: 'Unavailable',
      title: 'Stopped by user or process',
      summary: 'This managed cluster is not available because it was stopped by an authorized user or process.',
      reasonType: 'UserInitiated',
      recommendedActions: [{ action: `az aks start -g ${groupOfId(cluster.id)!.resourceGroup} -n ${cluster.name}` }],
    }
  if (plane === undefined || plane.failure !== undefined)
    return {
      availabilityState: plane === undefined ? 'Unknown' : 'Unavailable',
      title: plane === undefined ? 'Unknown' : 'API server unavailable',
      summary: plane?.failure ?? `The control plane of managed cluster '${cluster.name}' is not there yet.`,
      reasonType: 'Unplanned',
    }
  const guard = await guardOf(hub, cluster)
  if (guard !== undefined)
    return {
      availabilityState: 'Degraded',
      title: 'Managed API server guard is active',
      summary: guard.message ?? '',
      reasonType: 'Unplanned',
      ...(guard.lastTransitionTime === undefined ? {} : { occuredTime: guard.lastTransitionTime }),
      recommendedActions: [
        { action: 'Find the clients that send expensive LIST requests, and let them watch or read in pages' },
        { action: `kubectl get flowschema ${guardName} -o yaml` },
      ],
    }
  return {
    availabilityState: 'Available',
    title: 'Available',
    summary: "There aren't any known problems affecting this managed cluster.",
    reasonType: '',
  }
}

async function guardOf(hub: Hub, cluster: ClusterRecord): Promise<FlowSchemaCondition | undefined> {
  const client = hub.suppliers.engine.client(engineId(cluster))
  const schema = await ignoreReason('NotFound', client.get(flowSchemas, { name: guardName }))
  return schema?.status?.conditions?.find(({ type, status }) => type === guardCondition && status === 'True')
}
