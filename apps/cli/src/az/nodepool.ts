// `az aks nodepool`: node pools of a cluster.

import type { Command } from 'commander'
import { ArmError } from '@aksel/base/errors'
import { AzError } from './az-error.ts'
import { addLeaf, parseCount, required } from './command.ts'
import { localDnsFlag, poolFlags, poolProperties, splitTaints, type PoolFlags } from './pool-body.ts'
import { flatten, parsePairs, present, type ArmResource, type FlatResource } from './resources.ts'
import { follow, get, listAll, subscriptionPath, type CommonFlags, type Session } from './session.ts'

/** Of what lies in a cluster. */
export interface ClusterFlags extends CommonFlags {
  readonly resourceGroup: string
  readonly clusterName: string
}

export interface NameFlags extends ClusterFlags {
  readonly name: string
  readonly wait?: boolean
}

interface AddFlags extends NameFlags, PoolFlags {
  readonly mode?: string
  readonly osType?: string
  readonly kubernetesVersion?: string
  readonly tags?: readonly string[]
  readonly labels?: readonly string[]
  readonly nodeTaints?: string
}

interface UpdateFlags extends NameFlags {
  readonly localdnsConfig?: Readonly<Record<string, unknown>>
  readonly mode?: string
  readonly tags?: readonly string[]
  readonly labels?: readonly string[]
  readonly nodeTaints?: string
  readonly enableClusterAutoscaler?: boolean
  readonly disableClusterAutoscaler?: boolean
  readonly updateClusterAutoscaler?: boolean
  readonly minCount?: number
  readonly maxCount?: number
}

export const poolRow = (pool: Readonly<Record<string, unknown>>): Readonly<Record<string, unknown>> => ({
  Name: pool['name'],
  OsType: pool['osType'],
  KubernetesVersion: pool['currentOrchestratorVersion'] ?? pool['orchestratorVersion'],
  VmSize: pool['vmSize'],
  Count: pool['count'],
  MaxPods: pool['maxPods'],
  ProvisioningState: pool['provisioningState'],
  Mode: pool['mode'],
})

export function poolPath(session: Session, flags: ClusterFlags, name?: string): string {
  const group = `${subscriptionPath(session, flags)}/resourceGroups/${encodeURIComponent(flags.resourceGroup)}`
  const cluster = `${group}/providers/Microsoft.ContainerService/managedClusters/${encodeURIComponent(flags.clusterName)}`
  return name === undefined ? `${cluster}/agentPools` : `${cluster}/agentPools/${encodeURIComponent(name)}`
}

export const inCluster = (command: Command): Command =>
  command
    .addOption(required('-g, --resource-group <name>', 'name of the resource group'))
    .addOption(required('--cluster-name <name>', 'name of the managed cluster'))

export const namedPool = (command: Command): Command =>
  inCluster(command).addOption(required('-n, --name <name>', 'name of the node pool'))
export const waiting = (command: Command): Command => command.option('--no-wait', 'do not wait for the end')

/** Writes the pool and waits; returns it as it is then. */
export async function putPool(
  session: Session,
  flags: NameFlags,
  properties: unknown,
): Promise<FlatResource | undefined> {
  const path = poolPath(session, flags, flags.name)
  const started = await session.arm().send<ArmResource>({ method: 'PUT', path, body: { properties } })
  if (flags.wait === false) return undefined
  await follow(session, started, flags)
  return flatten(await get<ArmResource>(session, path))
}

/** Returns the group, for verbs that stand elsewhere. */
export function addNodepool(aks: Command, session: Session): Command {
  const nodepool = aks.command('nodepool').description('Manage node pools in a managed Kubernetes cluster.')
  addReads(nodepool, session)
  addAdd(nodepool, session)
  addScale(nodepool, session)
  addUpdate(nodepool, session)
  addDelete(nodepool, session)
  return nodepool
}

function addReads(nodepool: Command, session: Session): void {
  addLeaf<ClusterFlags>(nodepool, session, 'list', {
    description: 'List the node pools of a cluster.',
    flags: inCluster,
    row: poolRow,
    run: async (_, flags) => (await listAll<ArmResource>(session, poolPath(session, flags))).map(flatten),
  })
  addLeaf<NameFlags>(nodepool, session, 'show', {
    description: 'Show the details of a node pool.',
    flags: namedPool,
    row: poolRow,
    run: async (_, flags) => flatten(await get<ArmResource>(session, poolPath(session, flags, flags.name))),
  })
}

function addAdd(nodepool: Command, session: Session): void {
  addLeaf<AddFlags>(nodepool, session, 'add', {
    description: 'Add a node pool to a cluster.',
    flags: (command) =>
      waiting(poolFlags(namedPool(command)))
        .option('--mode <mode>', 'System or User', 'User')
        .option('--os-type <type>', 'Linux')
        .option('-k, --kubernetes-version <version>', 'Kubernetes version of the nodes')
        .option('--tags <key=value...>', 'tags of the node pool')
        .option('--labels <key=value...>', 'labels of the nodes')
        .option('--node-taints <taints>', 'taints of the nodes, joined by commas'),
    row: poolRow,
    run: async (_, flags) => {
      const existing = await listAll<ArmResource>(session, poolPath(session, flags))
      if (existing.some(({ name }) => name === flags.name)) {
        throw new AzError(
          `Node pool ${flags.name} already exists, please try a different name, use 'aks nodepool list' to get current list of node pool`,
        )
      }
      const asked = poolProperties(flags, { tags: flags.tags, labels: flags.labels, taints: flags.nodeTaints })
      const more = present({
        mode: flags.mode,
        osType: flags.osType,
        orchestratorVersion: flags.kubernetesVersion,
      })
      return putPool(session, flags, { count: 3, ...more, ...asked })
    },
  })
}

function addScale(nodepool: Command, session: Session): void {
  addLeaf<NameFlags & { readonly nodeCount: number }>(nodepool, session, 'scale', {
    description: 'Scale a node pool.',
    flags: (command) =>
      waiting(namedPool(command)).option('-c, --node-count <count>', 'number of nodes', parseCount, 3),
    row: poolRow,
    run: async (_, flags) => {
      const { properties } = await get<ArmResource>(session, poolPath(session, flags, flags.name))
      if (properties['enableAutoScaling'] === true)
        throw new AzError('Cannot scale cluster autoscaler enabled node pool.')
      if (properties['count'] === flags.nodeCount) {
        throw new AzError('The new node count is the same as the current node count.')
      }
      return putPool(session, flags, { ...properties, count: flags.nodeCount })
    },
  })
}

function addUpdate(nodepool: Command, session: Session): void {
  addLeaf<UpdateFlags>(nodepool, session, 'update', {
    description: 'Update properties of a node pool.',
    flags: (command) =>
      waiting(namedPool(command))
        .option('--mode <mode>', 'System or User')
        .option('--tags <key=value...>', 'tags of the node pool')
        .option('--labels <key=value...>', 'labels of the nodes')
        .option('--node-taints <taints>', 'taints of the nodes, joined by commas; empty removes them')
        .option(...localDnsFlag)
        .option('-e, --enable-cluster-autoscaler', 'enable the cluster autoscaler')
        .option('-d, --disable-cluster-autoscaler', 'disable the cluster autoscaler')
        .option('-u, --update-cluster-autoscaler', 'change the counts of the cluster autoscaler')
        .option('--min-count <count>', 'least number of nodes for the autoscaler', parseCount)
        .option('--max-count <count>', 'greatest number of nodes for the autoscaler', parseCount),
    row: poolRow,
    run: async (_, flags) => {
      const changes = updateOf(flags)
      if (Object.keys(changes).length === 0) {
        throw new AzError(
          'Please specify one or more of "--enable-cluster-autoscaler" or "--disable-cluster-autoscaler" or "--update-cluster-autoscaler" or "--tags" or "--mode" or "--labels" or "--node-taints" or "--localdns-config"',
          2,
        )
      }
      const { properties } = await get<ArmResource>(session, poolPath(session, flags, flags.name))
      return putPool(session, flags, { ...properties, ...changes })
    },
  })
}

function updateOf(flags: UpdateFlags): Readonly<Record<string, unknown>> {
  const scaled = flags.enableClusterAutoscaler === true || flags.updateClusterAutoscaler === true
  if (scaled && (flags.minCount === undefined || flags.maxCount === undefined)) {
    throw new AzError(
      'Please specify both min-count and max-count when --enable-cluster-autoscaler or --update-cluster-autoscaler is set.',
      2,
    )
  }
  return present({
    mode: flags.mode,
    localDNSProfile: flags.localdnsConfig,
    tags: parsePairs(flags.tags),
    nodeLabels: parsePairs(flags.labels),
    nodeTaints: flags.nodeTaints === undefined ? undefined : splitTaints(flags.nodeTaints),
    ...(scaled ? { enableAutoScaling: true, minCount: flags.minCount, maxCount: flags.maxCount } : {}),
    ...(flags.disableClusterAutoscaler === true ? { enableAutoScaling: false } : {}),
  })
}

function addDelete(nodepool: Command, session: Session): void {
  addLeaf<NameFlags & { readonly ignorePdb?: boolean }>(nodepool, session, 'delete', {
    description: 'Delete a node pool.',
    flags: (command) =>
      waiting(namedPool(command))
        .option('-i, --ignore-pdb', 'do not heed disruption budgets')
        .option('-y, --yes', 'accepted for the sake of scripts'),
    run: async (_, flags) => {
      const path = poolPath(session, flags, flags.name)
      const existing = await listAll<ArmResource>(session, poolPath(session, flags))
      if (!existing.some(({ name }) => name.toLowerCase() === flags.name.toLowerCase())) {
        throw new ArmError(
          404,
          'NotFound',
          `Node pool ${flags.name} doesnt exist, use 'aks nodepool list' to get current node pool list`,
        )
      }
      const query = flags.ignorePdb === true ? '?ignore-pod-disruption-budget=true' : ''
      const started = await session.arm().send({ method: 'DELETE', path: `${path}${query}` })
      if (flags.wait !== false) await follow(session, started, flags)
      return undefined
    },
  })
}
