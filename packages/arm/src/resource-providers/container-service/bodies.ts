// Clusters and pools as clients read them: what was written, and what the service tells of its own.

import type { ControlPlaneStatus } from '@aksel/provider/cluster-engine'
import { namesOf } from './api-access.ts'
import { shownLocalDns } from './local-dns.ts'
import { nodesStatus } from './virtual-machines-pool.ts'
import type { ClusterRecord, Json, PoolRecord, Progress, Tags } from '../../records.ts'
import { objectAt } from '../body.ts'
import { isIssuer, issuerUrlOf } from './token-issuers.ts'

/** Read by people and tools in the resource itself: hollow nodes stand behind it. */
export const simulatedTag = 'aksel.simulated'

/** What its control plane says of itself at this moment. */
export type Seen = Partial<Pick<ControlPlaneStatus, 'failure' | 'kubernetesVersion'>>

export function clusterBody(cluster: ClusterRecord, pools: readonly PoolRecord[], seen: Seen = {}): Json {
  const { failure } = seen
  const { properties } = cluster
  const progress = failure === undefined ? cluster.progress : failed(cluster.progress, failure)
  const simulated = pools.length > 0 && pools.every((pool) => pool.simulated)
  const tags = withSimulatedTag(cluster.tags, simulated)
  return {
    id: cluster.id,
    name: cluster.name,
    type: 'Microsoft.ContainerService/ManagedClusters',
    location: cluster.location,
    ...(tags === undefined ? {} : { tags }),
    ...cluster.envelope,
    eTag: cluster.eTag,
    sku: cluster.sku,
    ...(cluster.identity === undefined ? {} : { identity: cluster.identity }),
    properties: {
      provisioningState: progress.provisioningState,
      powerState: { code: cluster.power ?? 'Running' },
      ...withoutSecrets(properties),
      currentKubernetesVersion: seen.kubernetesVersion ?? cluster.version,
      ...namesOf(cluster),
      ...issuerOf(cluster),
      agentPoolProfiles: pools.map((pool) => ({ name: pool.name, ...poolProperties(pool) })),
      maxAgentPools: 100,
      ...(cluster.kubeletIdentity === undefined
        ? {}
        : { identityProfile: { kubeletidentity: cluster.kubeletIdentity } }),
      resourceUID: cluster.uid,
      ...(progress.error === undefined ? {} : { status: { provisioningError: progress.error } }),
      aksel: { simulated, recorded: cluster.recorded },
    },
    systemData: cluster.systemData,
  }
}

/** Whom the tokens of the cluster's service accounts name as their issuer. */
function issuerOf(cluster: ClusterRecord): Json {
  const { properties } = cluster
  if (!isIssuer(properties)) return {}
  return { oidcIssuerProfile: { ...objectAt(properties, 'oidcIssuerProfile'), issuerURL: issuerUrlOf(cluster) } }
}

/** Nothing that was asked for is under way: what is shown is that it does not run, until it does again. */
function failed(progress: Progress, message: string): Progress {
  if (progress.operationId !== undefined) return progress
  return { ...progress, provisioningState: 'Failed', error: { code: 'ControlPlaneNotRunning', message } }
}

export function poolBody(pool: PoolRecord): Json {
  return {
    id: pool.id,
    name: pool.name,
    type: 'Microsoft.ContainerService/managedClusters/agentPools',
    properties: poolProperties(pool),
  }
}

function poolProperties(pool: PoolRecord): Json {
  const { properties, progress } = pool
  const tags = withSimulatedTag(pool.tags, pool.simulated)
  return {
    ...properties,
    ...shownLocalDns(properties),
    ...nodesStatus(properties),
    ...(tags === undefined ? {} : { tags }),
    provisioningState: progress.provisioningState,
    powerState: { code: pool.power ?? 'Running' },
    currentOrchestratorVersion: pool.upgrade?.from.kubernetes ?? pool.version,
    nodeImageVersion: pool.upgrade?.from.image ?? pool.nodeImageVersion,
    eTag: pool.eTag,
    ...(progress.error === undefined ? {} : { status: { provisioningError: progress.error } }),
    aksel: { simulated: pool.simulated, recorded: pool.recorded },
  }
}

function withSimulatedTag(tags: Tags | undefined, simulated: boolean): Tags | undefined {
  return simulated ? { ...tags, [simulatedTag]: 'true' } : tags
}

/** Secrets are written, never read. */
function withoutSecrets(properties: Json): Json {
  const { servicePrincipalProfile, windowsProfile, aadProfile, ...rest } = properties
  return {
    ...rest,
    ...hide('servicePrincipalProfile', servicePrincipalProfile, 'secret'),
    ...hide('windowsProfile', windowsProfile, 'adminPassword'),
    ...hide('aadProfile', aadProfile, 'serverAppSecret'),
  }
}

function hide(name: string, value: unknown, secret: string): Json {
  if (value === undefined) return {}
  const entries = Object.entries(value as Json).filter(([key]) => key !== secret)
  return { [name]: Object.fromEntries(entries) }
}

/** A header for people at a terminal: what was kept and changes nothing. */
export function recordedHeaders(recorded: readonly string[]): Readonly<Record<string, string>> {
  if (recorded.length === 0) return {}
  return { warning: `199 aksel "recorded without effect: ${recorded.join(', ').replaceAll(/[^ -~]|"/g, '?')}"` }
}
