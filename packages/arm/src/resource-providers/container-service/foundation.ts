// What a cluster stands on: its own resource group, the network, the control plane, and what every cluster has inside.

import { isDeepStrictEqual } from 'node:util'
import { noRotations, type ControlPlaneSpec, type ControlPlaneStatus } from '@aksel/provider/cluster-engine'
import { AksError } from '../../azure-errors.ts'
import { networkOf, hasFlowLogs, policyEngineOf, virtualNetworkType, type ClusterNetwork } from '../../machine-spec.ts'
import { groupId, sameId } from '../../resource-id.ts'
import { keys } from '../../store-keyspace.ts'
import type { ClusterRecord, DocumentRecord, GroupRecord } from '../../records.ts'
import { fabricNetwork } from '../network/fabric-plan.ts'
import { readWorld } from '../network/network-world.ts'
import { groupType } from '../resources/groups.ts'
import { ensureMadeResources } from './made-networks.ts'
import { kubeletIdentity } from './cluster-writes.ts'
import { ipv6RangeOf } from './address-families.ts'
import { accessOf, privateNameOf } from './api-access.ts'
import { isFork } from './copies.ts'
import { ensureAdmins, entraOf } from './entra.ts'
import { engineId, subscriptionOf, type Pass } from './pass.ts'

/** Every step is idempotent; resolves when the API server answers. */
export async function ensureFoundation(pass: Pass, cluster: ClusterRecord): Promise<ControlPlaneStatus> {
  const { engine } = pass.suppliers
  const id = engineId(cluster)
  const running = engine.status(id)
  const isSound = running?.state === 'Running' && running.failure === undefined && pass.seen.prepared.has(id)
  if (isSound && isWanted(running, cluster)) {
    await ensureAdmins(engine.client(id), cluster)
    return running
  }
  const network = networkOf(cluster, subscriptionOf(cluster.id))
  pass.tell(id, `Preparing the network of ${cluster.name}`)
  await ensureNodeGroup(pass, cluster, network)
  const fabricAddress = isFork(cluster) ? undefined : await ensureNetwork(pass, cluster, network)
  pass.tell(id, `Starting the control plane of ${cluster.name}`)
  const { dnsServiceIP, serviceCidr, podCidr } = cluster.properties.networkProfile
  const privateName = privateNameOf(cluster)
  const secondaryPodCidr = ipv6RangeOf(cluster.properties.networkProfile, 'podCidrs')
  const secondaryServiceCidr = ipv6RangeOf(cluster.properties.networkProfile, 'serviceCidrs')
  const started = await ensureControlPlane(pass, cluster, {
    id,
    name: cluster.name,
    kubernetesVersion: cluster.version,
    serviceCidr,
    dnsServiceIp: dnsServiceIP,
    ...(podCidr === undefined ? {} : { podCidr }),
    ...(secondaryPodCidr === undefined ? {} : { secondaryPodCidr }),
    ...(secondaryServiceCidr === undefined ? {} : { secondaryServiceCidr }),
    fqdn: cluster.fqdn,
    ...(privateName === undefined ? {} : { aliases: [privateName] }),
    ...(fabricAddress === undefined ? {} : { fabricAddress }),
  })
  const withKeys = await ensureKeys(pass, cluster, await ensureVersion(pass, cluster, started))
  const restricted = isDeepStrictEqual(withKeys.access, accessOf(cluster))
    ? withKeys
    : await engine.restrictAccess(pass.scope, id, accessOf(cluster))
  const entra = entraOf(cluster)
  const status = isDeepStrictEqual(restricted.entra, entra)
    ? restricted
    : await engine.configureEntra(pass.scope, id, entra)
  pass.tell(id, `Installing what every cluster has in ${cluster.name}`)
  const networkPolicy = policyEngineOf(cluster)
  await pass.suppliers.prepareCluster(pass.scope, {
    ...(networkPolicy === undefined ? {} : { networkPolicy }),
    ...(hasFlowLogs(cluster) ? { flowLogs: true } : {}),
    id,
    client: engine.client(id),
    dnsServiceIp: dnsServiceIP,
    virtualNetworkId: network.virtualNetworkId.toLowerCase(),
  })
  await ensureAdmins(engine.client(id), cluster)
  await pass.store.update<ClusterRecord>(keys.resource(cluster.id), (current) =>
    current.kubeletIdentity === undefined
      ? { ...current, kubeletIdentity: kubeletIdentity(cluster, subscriptionOf(cluster.id)) }
      : undefined,
  )
  pass.seen.prepared.add(id)
  return status
}

function isWanted(status: ControlPlaneStatus, cluster: ClusterRecord): boolean {
  return (
    isOfVersion(status, cluster) &&
    hasKeys(status, cluster) &&
    isDeepStrictEqual(status.access, accessOf(cluster)) &&
    isDeepStrictEqual(status.entra, entraOf(cluster))
  )
}

function isOfVersion({ kubernetesVersion }: ControlPlaneStatus, { version, progress }: ClusterRecord): boolean {
  return kubernetesVersion === version || progress.canceling === true
}

function hasKeys(
  { rotations: had }: ControlPlaneStatus,
  { rotations = noRotations, progress }: ClusterRecord,
): boolean {
  const isSame = had.certificates === rotations.certificates && had.signingKeys === rotations.signingKeys
  return isSame || progress.canceling === true
}

async function ensureKeys(
  pass: Pass,
  cluster: ClusterRecord,
  running: ControlPlaneStatus,
): Promise<ControlPlaneStatus> {
  if (hasKeys(running, cluster)) return running
  pass.tell(cluster.id, `Making the keys of ${cluster.name} anew`)
  return pass.suppliers.engine.rotateKeys(pass.scope, running.id, cluster.rotations ?? noRotations)
}

/** The control plane goes first: nodes are never newer. */
async function ensureVersion(
  pass: Pass,
  cluster: ClusterRecord,
  running: ControlPlaneStatus,
): Promise<ControlPlaneStatus> {
  if (isOfVersion(running, cluster)) return running
  pass.tell(cluster.id, `Upgrading the control plane from ${running.kubernetesVersion} to ${cluster.version}`)
  return pass.suppliers.engine.upgrade(pass.scope, running.id, cluster.version)
}

/** Begins with what the cluster was made of; afterwards it is like any other. */
async function ensureControlPlane(
  { scope, suppliers }: Pass,
  { origin, name }: ClusterRecord,
  spec: ControlPlaneSpec,
): Promise<ControlPlaneStatus> {
  const { engine, archives } = suppliers
  if (engine.status(spec.id)?.state === 'Stopped') return engine.start(scope, spec.id)
  if (origin === undefined || engine.status(spec.id) !== undefined) return engine.create(scope, spec)
  if (archives === undefined) throw new Error(`Cluster "${name}" is a copy, and this engine makes none`)
  switch (origin.kind) {
    case 'archive':
      return archives.restore(scope, spec, origin.file)
    case 'fork':
      return archives.fork(scope, origin.of, spec, { clockOffsetMs: origin.clockOffsetMs })
    default:
      return origin satisfies never
  }
}

/** The address where nodes and pods reach the API server; undefined without a fabric. */
async function ensureNetwork(pass: Pass, cluster: ClusterRecord, network: ClusterNetwork): Promise<string | undefined> {
  const { fabric } = pass.suppliers
  if (fabric === undefined) return undefined
  const id = network.virtualNetworkId.toLowerCase()
  await ensureMadeResources(pass, cluster, network)
  const world = await readWorld(pass, subscriptionOf(cluster.id))
  const document = world.documents.get(id)
  if (document === undefined) throw new Error(`The virtual network ${network.virtualNetworkId} of the cluster is gone`)
  await fabric.ensureVirtualNetwork(pass.scope, fabricNetwork(document, world))
  return fabric.hostAddress(pass.scope, { virtualNetworkId: id, name: hostAddressName(cluster) })
}

/** One network may have several clusters, each with an API server. */
export function hostAddressName(cluster: ClusterRecord): string {
  return cluster.subnetId === undefined ? 'api-server' : `api-server ${cluster.uid}`
}

async function ensureNodeGroup(pass: Pass, cluster: ClusterRecord, network: ClusterNetwork): Promise<void> {
  const ref = { subscriptionId: subscriptionOf(cluster.id), resourceGroup: cluster.properties.nodeResourceGroup }
  const key = keys.resource(groupId(ref))
  const standing = await pass.store.get<GroupRecord>(key)
  if (standing !== undefined && !sameId(standing.value.managedBy ?? '', cluster.id)) {
    throw new AksError(
      409,
      'NodeResourceGroupAlreadyExists',
      `The node resource group '${ref.resourceGroup}' exists already and is not managed by this cluster.`,
    )
  }
  if (standing === undefined) {
    const group: GroupRecord = {
      kind: 'group',
      id: groupId(ref),
      name: ref.resourceGroup,
      type: groupType,
      location: cluster.location,
      managedBy: cluster.id,
      tags: {
        'aks-managed-cluster-name': cluster.name,
        'aks-managed-cluster-rg': cluster.id.split('/')[4]!,
      },
      progress: { provisioningState: 'Succeeded' },
    }
    await pass.store.commit([{ kind: 'put', key, value: group, expected: 0 }])
  }
  if (network.made !== undefined) await ensureMadeNetwork(pass, cluster, network, network.made)
}

async function ensureMadeNetwork(
  pass: Pass,
  cluster: ClusterRecord,
  network: ClusterNetwork,
  { addressPrefix, subnetPrefix, ipv6 }: NonNullable<ClusterNetwork['made']>,
): Promise<void> {
  const document: DocumentRecord = {
    kind: 'document',
    id: network.virtualNetworkId,
    name: network.virtualNetworkName,
    type: virtualNetworkType,
    location: cluster.location,
    properties: {
      addressSpace: { addressPrefixes: [addressPrefix, ...(ipv6 === undefined ? [] : [ipv6.addressPrefix])] },
      enableDdosProtection: false,
      subnets: [
        {
          name: 'aks-subnet',
          properties: {
            addressPrefix: subnetPrefix,
            ...(ipv6 === undefined ? {} : { addressPrefixes: [subnetPrefix, ipv6.subnetPrefix] }),
            delegations: [],
          },
        },
      ],
      virtualNetworkPeerings: [],
    },
  }
  const documentKey = keys.resource(document.id)
  if ((await pass.store.get(documentKey)) !== undefined) return
  await pass.store.commit([{ kind: 'put', key: documentKey, value: document, expected: 0 }])
}
