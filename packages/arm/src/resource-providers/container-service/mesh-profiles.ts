// The revisions of the Istio add-on: those on offer, and where a cluster that asked for one may go from there. The add-on itself is recorded.

import { AksError, resourceNotFound } from '../../azure-errors.ts'
import { page } from '../../front-door/pages.ts'
import { ok, param, type ArmRequest, type ArmResponse, type Route } from '../../front-door/route.ts'
import type { Hub } from '../../hub.ts'
import type { ClusterRecord, Json } from '../../records.ts'
import { objectAt } from '../body.ts'
import { clusterPath, clusterRef } from './cluster-routes.ts'
import { readCluster } from './cluster-store.ts'

interface MeshRevision {
  readonly revision: string
  readonly upgrades?: readonly string[]
  readonly compatibleWith: readonly { readonly name: string; readonly versions: readonly string[] }[]
}

/** Istio's mode is the only one. */
const mode = 'istio'

const revision = (
  name: string,
  upgrades: readonly string[],
  official: readonly string[],
  longTerm: readonly string[],
): MeshRevision => ({
  revision: name,
  ...(upgrades.length === 0 ? {} : { upgrades }),
  compatibleWith: [
    { name: 'KubernetesOfficial', versions: official },
    { name: 'AKSLongTermSupport', versions: longTerm },
  ],
})

/** Oldest first. An upgrade goes to one of the next two. */
export const meshRevisions: readonly MeshRevision[] = [
  revision('asm-1-28', ['asm-1-29', 'asm-1-30'], ['1.34', '1.35'], ['1.34', '1.35']),
  revision('asm-1-29', ['asm-1-30'], ['1.34', '1.35', '1.36'], ['1.34', '1.35', '1.36']),
  revision('asm-1-30', [], ['1.34', '1.35', '1.36'], ['1.34', '1.35', '1.36']),
]

/** The revision that a cluster without one of its own choice has: the newest that can still be upgraded. */
const defaultRevision = 'asm-1-29'

export function meshProfileRoutes(hub: Hub): readonly Route[] {
  const location = '/subscriptions/:subscription/providers/Microsoft.ContainerService/locations/:location'
  const revisions = `${location}/meshRevisionProfiles`
  const upgrades = `${clusterPath}/meshUpgradeProfiles`
  return [
    { method: 'GET', path: revisions, handle: async (request) => page(request, [revisionProfile(request)]) },
    {
      method: 'GET',
      path: `${revisions}/:mode`,
      handle: async (request) => {
        judgeMode(request)
        return ok(revisionProfile(request))
      },
    },
    { method: 'GET', path: upgrades, handle: (request) => listUpgrades(hub, request) },
    { method: 'GET', path: `${upgrades}/:mode`, handle: (request) => upgradeProfile(hub, request) },
  ]
}

function judgeMode(request: ArmRequest): void {
  const asked = param(request, 'mode')
  if (asked.toLowerCase() === mode) return
  throw new AksError(404, 'NotFound', `The service mesh mode '${asked}' is not known: '${mode}' is.`)
}

function revisionProfile(request: ArmRequest): Json {
  const id = `/subscriptions/${param(request, 'subscription')}/providers/Microsoft.ContainerService/locations/${param(request, 'location')}/meshRevisionProfiles/${mode}`
  return {
    id,
    name: mode,
    type: 'Microsoft.ContainerService/locations/meshRevisionProfiles',
    properties: { meshRevisions },
  }
}

/** What a cluster with a mesh has and may go to; undefined without one. Pure. */
export function meshUpgradeOf({ properties }: Pick<ClusterRecord, 'properties'>): MeshRevision | undefined {
  const profile = objectAt(properties, 'serviceMeshProfile')
  if (String(profile['mode']).toLowerCase() !== mode) return undefined
  const given = objectAt(profile, 'istio')['revisions']
  const [first = defaultRevision] = Array.isArray(given) ? given.map(String) : []
  return meshRevisions.find((one) => one.revision === first) ?? { revision: first, compatibleWith: [] }
}

function bodyOf(cluster: ClusterRecord, properties: MeshRevision): Json {
  return {
    id: `${cluster.id}/meshUpgradeProfiles/${mode}`,
    name: mode,
    type: 'Microsoft.ContainerService/managedClusters/meshUpgradeProfiles',
    properties,
  }
}

async function listUpgrades(hub: Hub, request: ArmRequest): Promise<ArmResponse> {
  const { value: cluster } = await readCluster(hub.store, clusterRef(request))
  const found = meshUpgradeOf(cluster)
  return page(request, found === undefined ? [] : [bodyOf(cluster, found)])
}

async function upgradeProfile(hub: Hub, request: ArmRequest): Promise<ArmResponse> {
  const ref = clusterRef(request)
  const { value: cluster } = await readCluster(hub.store, ref)
  judgeMode(request)
  const found = meshUpgradeOf(cluster)
  if (found !== undefined) return ok(bodyOf(cluster, found))
  const name = `Microsoft.ContainerService/managedClusters/${cluster.name}/meshUpgradeProfiles/${mode}`
  throw resourceNotFound(name, ref.resourceGroup)
}
