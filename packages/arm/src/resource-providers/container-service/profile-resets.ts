// `resetServicePrincipalProfile` and `resetAADProfile`: the two profiles of a cluster that are written by orders of their own.

import { uuid } from '@aksel/base/ids'
import { badRequest, missingParameter } from '../../azure-errors.ts'
import { callerOf, type ArmRequest, type ArmResponse, type Route } from '../../front-door/route.ts'
import type { Hub } from '../../hub.ts'
import type { ClusterProperties, ClusterRecord, Json } from '../../records.ts'
import { objectAt, readObject, textAt } from '../body.ts'
import { recordedHeaders } from './bodies.ts'
import { act } from './cluster-actions.ts'
import { clusterDefaults } from './cluster-properties.ts'
import { clusterPath } from './cluster-routes.ts'
import { judgeIdle } from './cluster-store.ts'
import { isStrict } from './cluster-writes.ts'
import { judgeEntra, withTenant } from './entra.ts'
import { judgeStrict, recordedOfCluster } from './recorded.ts'
import { readShape } from './shape.ts'
import { clusterShape } from './cluster-shape.ts'

export function profileResetRoutes(hub: Hub): readonly Route[] {
  return [
    {
      method: 'POST',
      path: `${clusterPath}/resetServicePrincipalProfile`,
      handle: (request) => reset(hub, request, 'servicePrincipalProfile', judgePrincipal),
    },
    {
      method: 'POST',
      path: `${clusterPath}/resetAADProfile`,
      handle: (request) => reset(hub, request, 'aadProfile', () => {}),
    },
  ]
}

type Profile = 'servicePrincipalProfile' | 'aadProfile'

/** Throws what Azure would refuse. */
function judgePrincipal(cluster: ClusterRecord, given: Json): void {
  if ((textAt(given, 'clientId') ?? '') === '') throw missingParameter('clientId')
  if (objectAt(cluster.properties, 'servicePrincipalProfile')['clientId'] !== 'msi') return
  throw badRequest('Updating service principal profile is not allowed on MSI cluster.', 'servicePrincipalProfile')
}

/** The profile is replaced as a whole, and the cluster is brought to what it says. */
async function reset(
  hub: Hub,
  request: ArmRequest,
  profile: Profile,
  judge: (cluster: ClusterRecord, given: Json) => void,
): Promise<ArmResponse> {
  const given = readProfile(request, profile)
  const { tenantId } = callerOf(request)
  let recorded: readonly string[] = []
  const answer = await act(
    hub,
    request,
    (cluster, pools, { id: operationId }) => {
      judgeIdle(cluster, pools)
      judge(cluster, given)
      const next: ClusterProperties = { ...cluster.properties, [profile]: given }
      const properties = profile === 'aadProfile' ? withTenant(next, tenantId) : next
      judgeEntra(properties, cluster.properties, tenantId)
      const all = recordedOfCluster(properties, clusterDefaults(namesOf(cluster)))
      recorded = all.filter((path) => path.startsWith(profile))
      judgeStrict(isStrict(hub, request), recorded)
      const progress = { provisioningState: 'Updating', operationId }
      const eTag = uuid(request.scope.random)
      return { cluster: { ...cluster, properties, eTag, recorded: all, progress }, pools: [] }
    },
    'resource',
  )
  return { ...answer, headers: { ...answer.headers, ...recordedHeaders(recorded) } }
}

function readProfile(request: ArmRequest, profile: Profile): Json {
  const body = readObject(request.body)
  const read = readShape({ [profile]: body }, clusterShape, 'ManagedCluster.properties') as Json
  return objectAt(read, profile)
}

function namesOf(cluster: ClusterRecord): Parameters<typeof clusterDefaults>[0] {
  return {
    cluster: cluster.name,
    resourceGroup: cluster.id.split('/')[4]!,
    location: cluster.location,
    ownNetwork: cluster.subnetId !== undefined,
  }
}
