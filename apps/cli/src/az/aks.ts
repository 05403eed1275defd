// `az aks`: managed clusters.

import type { Command } from 'commander'
import { ArmError } from '@aksel/base/errors'
import { addApprouting } from './approuting.ts'
import { AzError } from './az-error.ts'
import { addLeaf, parseCount, required } from './command.ts'
import { clusterPath, groupPath, named, provider, type ClusterFlags } from './cluster-path.ts'
import { clusterBody, createFlags, type CreateFlags } from './cluster-body.ts'
import { addCommandInvoke } from './command-invoke.ts'
import { addCredentials, forgetCurrent } from './credentials.ts'
import { addJwtAuthenticator } from './jwt-authenticator.ts'
import { addClusterOrders, addPoolOrders, addRotations } from './cluster-orders.ts'
import { addPoolUpgrade, addUpgrade } from './upgrade.ts'
import { addManualScale } from './manual-scale.ts'
import { addUpdate } from './update.ts'
import { addNodepool } from './nodepool.ts'
import { flatten, resourceGroupOf, type ArmResource, type FlatResource } from './resources.ts'
import { confirm, follow, get, listAll, subscriptionPath, type CommonFlags, type Session } from './session.ts'

interface ScaleFlags extends ClusterFlags {
  readonly nodeCount: number
  readonly nodepoolName?: string
}

const row = (cluster: Readonly<Record<string, unknown>>): Readonly<Record<string, unknown>> => ({
  Name: cluster['name'],
  Location: cluster['location'],
  ResourceGroup: cluster['resourceGroup'],
  KubernetesVersion: cluster['kubernetesVersion'],
  CurrentKubernetesVersion: cluster['currentKubernetesVersion'],
  ProvisioningState: cluster['provisioningState'],
  Fqdn: cluster['fqdn'],
})

const waiting = (command: Command): Command => command.option('--no-wait', 'do not wait for the end')

export function addAks(az: Command, session: Session): void {
  const aks = az.command('aks').description('Manage Azure Kubernetes Services.')
  addCreate(aks, session)
  addReads(aks, session)
  addScale(aks, session)
  addDelete(aks, session)
  addVersions(aks, session)
  addCredentials(aks, session)
  addUpdate(aks, session)
  addUpgrade(aks, session)
  addClusterOrders(aks, session)
  addRotations(aks, session)
  const nodepool = addNodepool(aks, session)
  addPoolUpgrade(nodepool, session)
  addPoolOrders(nodepool, session)
  addManualScale(nodepool, session)
  addJwtAuthenticator(aks, session)
  addCommandInvoke(aks, session)
  addApprouting(aks, session)
}

async function put(session: Session, flags: ClusterFlags, body: unknown): Promise<FlatResource | undefined> {
  const path = clusterPath(session, flags)
  const started = await session.arm().send<ArmResource>({ method: 'PUT', path, body })
  if (flags.wait === false) return undefined
  await follow(session, started, flags)
  return flatten(await get<ArmResource>(session, path))
}

function addCreate(aks: Command, session: Session): void {
  addLeaf<CreateFlags>(aks, session, 'create', {
    description: 'Create a new managed Kubernetes cluster.',
    flags: (command) => createFlags(waiting(named(command))),
    row,
    run: async (_, flags) => {
      if ((await find(session, clusterPath(session, flags))) !== undefined) {
        throw new AzError(
          `The cluster '${flags.name}' under resource group '${flags.resourceGroup}' already exists. Please use command 'az aks update' to update the existing cluster, or select a different cluster name to create a new cluster.`,
        )
      }
      const location = flags.location ?? (await get<ArmResource>(session, groupPath(session, flags))).location
      const subscription = flags.subscription ?? session.arm().connection.subscriptionId
      return put(session, flags, clusterBody(flags, { location: location ?? '', subscription }))
    },
  })
}

/** The resource, or undefined where it (or its group) does not exist. */
async function find(session: Session, path: string): Promise<ArmResource | undefined> {
  try {
    return await get<ArmResource>(session, path)
  } catch (error) {
    if (error instanceof ArmError && error.code === 'ResourceNotFound') return undefined
    throw error
  }
}

function addReads(aks: Command, session: Session): void {
  addLeaf<ClusterFlags>(aks, session, 'show', {
    description: 'Show the details of a managed Kubernetes cluster.',
    flags: named,
    row,
    run: async (_, flags) => flatten(await get<ArmResource>(session, clusterPath(session, flags))),
  })
  addLeaf<CommonFlags & { readonly resourceGroup?: string }>(aks, session, 'list', {
    description: 'List managed Kubernetes clusters.',
    flags: (command) => command.option('-g, --resource-group <name>', 'name of the resource group'),
    row,
    run: async (_, flags) => {
      const { resourceGroup } = flags
      const scope =
        resourceGroup === undefined ? subscriptionPath(session, flags) : groupPath(session, { ...flags, resourceGroup })
      return (await listAll<ArmResource>(session, `${scope}/${provider}`)).map(flatten)
    },
  })
}

function addScale(aks: Command, session: Session): void {
  addLeaf<ScaleFlags>(aks, session, 'scale', {
    description: 'Scale the node pool in a managed Kubernetes cluster.',
    flags: (command) =>
      waiting(named(command))
        .addOption(required('-c, --node-count <count>', 'number of nodes').argParser(parseCount))
        .option('--nodepool-name <name>', 'name of the node pool'),
    row,
    run: async (_, flags) => {
      const cluster = await get<ArmResource>(session, clusterPath(session, flags))
      return put(session, flags, {
        ...cluster,
        properties: { ...cluster.properties, agentPoolProfiles: scaledPools(cluster, flags) },
      })
    },
  })
}

function scaledPools(cluster: ArmResource, flags: ScaleFlags): readonly unknown[] {
  const pools = cluster.properties['agentPoolProfiles'] as readonly (Readonly<Record<string, unknown>> & {
    readonly name: string
  })[]
  if (pools.length > 1 && flags.nodepoolName === undefined) {
    throw new AzError(
      'There are more than one node pool in the cluster. Please specify nodepool name or use az aks nodepool command to scale node pool',
      2,
    )
  }
  const wanted = flags.nodepoolName ?? pools[0]?.name
  const pool = pools.find(({ name }) => name === wanted)
  if (pool === undefined) throw new AzError(`The nodepool "${wanted}" was not found.`, 2)
  if (pool['enableAutoScaling'] === true) throw new AzError('Cannot scale cluster autoscaler enabled node pool.')
  return pools.map((other) => (other === pool ? { ...pool, count: flags.nodeCount } : other))
}

function addDelete(aks: Command, session: Session): void {
  addLeaf<ClusterFlags & { readonly yes?: boolean }>(aks, session, 'delete', {
    description: 'Delete a managed Kubernetes cluster.',
    flags: (command) => waiting(named(command)).option('-y, --yes', 'do not prompt for confirmation'),
    run: async (_, flags) => {
      await confirm(session, flags.yes, 'Are you sure you want to perform this operation?')
      const started = await session.arm().send({ method: 'DELETE', path: clusterPath(session, flags) })
      forgetCurrent(session, flags)
      if (flags.wait !== false) await follow(session, started, flags)
      return undefined
    },
  })
}

interface Versions {
  readonly values: readonly {
    readonly version: string
    readonly capabilities: { readonly supportPlan: readonly string[] }
    readonly patchVersions: Readonly<Record<string, { readonly upgrades: readonly string[] }>>
  }[]
}

function addVersions(aks: Command, session: Session): void {
  addLeaf<CommonFlags & { readonly location: string }>(aks, session, 'get-versions', {
    description: 'Get the versions available for creating a managed Kubernetes cluster.',
    flags: (command) => command.addOption(required('-l, --location <location>', 'location, such as eastus')),
    row: undefined,
    run: async (_, flags) => {
      const path = `${subscriptionPath(session, flags)}/providers/Microsoft.ContainerService/locations/${encodeURIComponent(flags.location)}/kubernetesVersions`
      const versions = await get<Versions>(session, path)
      return flags.output === 'table' && flags.query === undefined ? versionRows(versions) : versions
    },
  })
  addLeaf<ClusterFlags>(aks, session, 'get-upgrades', {
    description: 'Get the upgrade versions available for a managed Kubernetes cluster.',
    flags: named,
    row: upgradesRow,
    run: async (_, flags) => {
      const { properties, ...rest } = await get<ArmResource>(
        session,
        `${clusterPath(session, flags)}/upgradeProfiles/default`,
      )
      return { ...rest, ...properties, resourceGroup: resourceGroupOf(rest.id) }
    },
  })
}

function versionRows({ values }: Versions): readonly unknown[] {
  return values
    .flatMap(({ patchVersions, capabilities }) =>
      Object.entries(patchVersions).map(([version, { upgrades }]) => ({
        KubernetesVersion: version,
        Upgrades: upgrades.length === 0 ? 'None available' : upgrades.join(', '),
        SupportPlan: capabilities.supportPlan.join(', '),
      })),
    )
    .toReversed()
}

interface UpgradesShown {
  readonly name: string
  readonly resourceGroup: string
  readonly controlPlaneProfile: {
    readonly kubernetesVersion: string
    readonly upgrades?: readonly { readonly kubernetesVersion: string }[]
  }
}

function upgradesRow(shown: object): Readonly<Record<string, unknown>> {
  const { name, resourceGroup, controlPlaneProfile } = shown as UpgradesShown
  const { kubernetesVersion, upgrades = [] } = controlPlaneProfile
  return {
    Name: name,
    ResourceGroup: resourceGroup,
    MasterVersion: kubernetesVersion,
    Upgrades: upgrades.length === 0 ? 'None available' : upgrades.map((each) => each.kubernetesVersion).join(', '),
  }
}
