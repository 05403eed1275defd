// What every new cluster finds in itself: storage classes, disk driver, and the names that people know cluster DNS by.

import {
  clusterRoleBindings,
  clusterRoles,
  configMaps,
  csiDrivers,
  customResourceDefinitions,
  roleBindings,
  roles,
  services,
  storageClasses,
} from '@aksel/api/resources'
import type { KubernetesObject, ResourceType } from '@aksel/api/resource'
import { isReason } from '@aksel/base/errors'
import type { ConfigMap } from '@aksel/api/types/core-v1'
import type { Scope } from '@aksel/base/scope'
import type { Client } from '@aksel/client/client'
import { kubeDnsObjects } from '@aksel/network/dns/kube-dns'
import { builtInCsiDrivers, builtInStorageClasses } from '@aksel/storage/storage-classes'
import { flowLogAccess, flowLogDefinitions } from '@aksel/network/flows/objects'
import { policyAgentObjects } from '@aksel/network/policy/policy-agent'
import type { Fabric } from '@aksel/provider/fabric'
import type { NetworkPolicyEngine } from '@aksel/provider/machine-provider'
import { TUNNEL_PORT } from './control-plane.ts'
import type { EmbeddedEngine } from './embedded-engine.ts'
import { joinObjects } from './join-objects.ts'

export interface NewCluster {
  readonly id: string
  readonly client: Client
  readonly dnsServiceIp: string
  readonly networkPolicy?: NetworkPolicyEngine
  readonly flowLogs?: boolean
  readonly virtualNetworkId: string
}

/** Idempotent: what is there already, changed by its owner or not, is left as it is. */
export async function prepareCluster(
  _scope: Scope,
  engine: EmbeddedEngine,
  cluster: NewCluster,
  fabric?: Pick<Fabric, 'overlayOf'>,
): Promise<void> {
  await engine.useVirtualNetwork(cluster.id, cluster.virtualNetworkId)
  await prepareJoining(engine, cluster, fabric)
  const kubernetesVersion = engine.status(cluster.id)!.kubernetesVersion
  const dns = kubeDnsObjects({ address: cluster.dnsServiceIp, clusterDomain: 'cluster.local' })
  const agent = cluster.networkPolicy === undefined ? undefined : policyAgentObjects(cluster.networkPolicy)
  const access = cluster.flowLogs === true ? [flowLogAccess()] : []
  const definitions = cluster.flowLogs === true ? flowLogDefinitions() : []
  await Promise.all([
    ...definitions.map((object) => create(cluster.client, customResourceDefinitions, object)),
    ...access.map(({ role }) => create(cluster.client, clusterRoles, role)),
    ...access.map(({ binding }) => create(cluster.client, clusterRoleBindings, binding)),
    ...(agent === undefined ? [] : [create(cluster.client, clusterRoles, agent.role)]),
    ...(agent === undefined ? [] : [create(cluster.client, clusterRoleBindings, agent.binding)]),
    create(cluster.client, services, dns.service),
    create(cluster.client, roles, dns.role),
    create(cluster.client, roleBindings, dns.binding),
    ...builtInCsiDrivers().map((object) => create(cluster.client, csiDrivers, object)),
    ...dns.configMaps.map((object) => create(cluster.client, configMaps, object)),
    ...builtInStorageClasses({ kubernetesVersion }).map((object) => create(cluster.client, storageClasses, object)),
  ])
}

/** Other hosts read what is true now: keys are rotated. */
async function prepareJoining(
  engine: EmbeddedEngine,
  { id, client, networkPolicy, virtualNetworkId }: NewCluster,
  fabric: Pick<Fabric, 'overlayOf'> | undefined,
): Promise<void> {
  const { nodeUrl, certificateAuthority: authority } = engine.status(id)!
  const { fabricAddress, podCidr, serviceCidr, dnsServiceIp } = engine.recordOf(id).spec
  const overlay =
    fabricAddress === undefined ? undefined : fabric?.overlayOf({ virtualNetworkId, hostAddress: fabricAddress })
  const objects = joinObjects({
    nodeUrl,
    authority,
    ...(fabricAddress === undefined ? {} : { tunnelAddress: `${fabricAddress}:${TUNNEL_PORT}` }),
    clusterDns: dnsServiceIp,
    clusterDomain: 'cluster.local',
    serviceCidr,
    ...(podCidr === undefined ? {} : { podCidr }),
    ...(networkPolicy === undefined ? {} : { networkPolicy }),
    ...(overlay === undefined ? {} : { overlay }),
  })
  await Promise.all([
    ...objects.roles.map((object) => create(client, roles, object)),
    ...objects.roleBindings.map((object) => create(client, roleBindings, object)),
    create(client, clusterRoles, objects.clusterRole),
    create(client, clusterRoleBindings, objects.clusterRoleBinding),
    ...objects.configMaps.map((object) => put(client, object)),
  ])
}

async function put(client: Client, object: ConfigMap): Promise<void> {
  try {
    await client.create(configMaps, object)
  } catch (error) {
    if (!isReason(error, 'AlreadyExists')) throw error
    // Signatures beside it are the signer's.
    const body = { data: object.data }
    const { namespace, name } = object.metadata
    await client.patch(configMaps, { namespace: namespace!, name }, { kind: 'merge', body })
  }
}

async function create<T extends KubernetesObject>(client: Client, type: ResourceType<T>, object: T): Promise<void> {
  try {
    await client.create(type, object)
  } catch (error) {
    if (!isReason(error, 'AlreadyExists')) throw error
  }
}
