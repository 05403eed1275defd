// `az aks upgrade` and `az aks nodepool upgrade`: newer Kubernetes, newer node images, and the way back.

import type { Command } from 'commander'
import { AzError } from './az-error.ts'
import { clusterPath, named, type ClusterFlags } from './cluster-path.ts'
import { send } from './cluster-orders.ts'
import { addLeaf, parseCount } from './command.ts'
import { namedPool, poolPath, poolRow, putPool, waiting, type NameFlags } from './nodepool.ts'
import { flatten, present, resourceGroupOf, type ArmResource, type FlatResource } from './resources.ts'
import { preflight } from './preflight.ts'
import { confirm, follow, get, type Session } from './session.ts'

interface UpgradeFlags extends ClusterFlags {
  readonly kubernetesVersion?: string
  readonly controlPlaneOnly?: boolean
  readonly nodeImageOnly?: boolean
  readonly enableForceUpgrade?: boolean
  readonly disableForceUpgrade?: boolean
  readonly upgradeOverrideUntil?: string
  readonly preflight?: boolean
  readonly junit?: string
  readonly yes?: boolean
}

/** Three days: how long an override holds that names no end. */
const OVERRIDE_MS = 3 * 86_400_000

type Pool = Readonly<Record<string, unknown>> & { readonly name: string }

export function addUpgrade(aks: Command, session: Session): void {
  addLeaf<UpgradeFlags>(aks, session, 'upgrade', {
    description: 'Upgrade a managed Kubernetes cluster to a newer version.',
    flags: (command) =>
      waiting(named(command))
        .option('-k, --kubernetes-version <version>', 'version of Kubernetes to upgrade to')
        .option('--control-plane-only', 'upgrade the control plane, and no node pool')
        .option('--node-image-only', 'upgrade the node images alone')
        .option('--enable-force-upgrade', 'pass over what would stop the upgrade')
        .option('--disable-force-upgrade', 'take the override back')
        .option('--upgrade-override-until <time>', 'until when the override holds; three days when absent')
        .option('--preflight', 'tell what would stop the upgrade, and upgrade nothing; -o junit prints JUnit')
        .option('--junit <file>', 'with --preflight: write the report as JUnit')
        .option('-y, --yes', 'do not prompt for confirmation'),
    run: (_, flags) => (flags.preflight === true ? preflight(session, flags) : upgrade(session, flags)),
  })
}

async function upgrade(session: Session, flags: UpgradeFlags): Promise<FlatResource | undefined> {
  const path = clusterPath(session, flags)
  if (flags.nodeImageOnly === true && flags.kubernetesVersion !== undefined) {
    throw new AzError(
      'Conflicting flags. Upgrading the Kubernetes version will also upgrade node image version. If you only want to upgrade the node version please use the "--node-image-only" option only.',
      2,
    )
  }
  const cluster = await get<ArmResource>(session, path)
  const pools = cluster.properties['agentPoolProfiles'] as readonly Pool[]
  if (flags.nodeImageOnly === true) {
    await confirm(
      session,
      flags.yes,
      'This node image upgrade operation will run across every node pool in the cluster and might take a while. Do you wish to continue?',
    )
    for (const { name } of pools) await send(session, flags, `${path}/agentPools/${name}/upgradeNodeImageVersion`)
    return flatten(await get<ArmResource>(session, path))
  }
  const version = flags.kubernetesVersion ?? String(cluster.properties['kubernetesVersion'])
  const what = flags.controlPlaneOnly === true ? 'the control plane alone' : 'the control plane and all node pools'
  await confirm(session, flags.yes, `This will upgrade ${what} to ${version}. Continue?`)
  const upgraded = pools.map((pool) =>
    flags.controlPlaneOnly === true ? pool : { ...pool, orchestratorVersion: version },
  )
  const started = await session.arm().send<ArmResource>({
    method: 'PUT',
    path,
    body: {
      ...cluster,
      properties: {
        ...cluster.properties,
        kubernetesVersion: version,
        agentPoolProfiles: upgraded,
        ...overrideOf(flags),
      },
    },
  })
  if (flags.wait === false) return undefined
  await follow(session, started, flags)
  return flatten(await get<ArmResource>(session, path))
}

function overrideOf(flags: UpgradeFlags): Readonly<Record<string, unknown>> {
  if (flags.disableForceUpgrade === true) return { upgradeSettings: { overrideSettings: { forceUpgrade: false } } }
  if (flags.enableForceUpgrade !== true && flags.upgradeOverrideUntil === undefined) return {}
  const until = flags.upgradeOverrideUntil ?? new Date(Date.now() + OVERRIDE_MS).toISOString()
  return { upgradeSettings: { overrideSettings: { forceUpgrade: flags.enableForceUpgrade === true, until } } }
}

interface PoolUpgradeFlags extends NameFlags {
  readonly kubernetesVersion?: string
  readonly nodeImageOnly?: boolean
  readonly maxSurge?: string
  readonly maxUnavailable?: string
  readonly drainTimeout?: number
  readonly nodeSoakDuration?: number
  readonly undrainableNodeBehavior?: string
  readonly upgradeStrategy?: string
  readonly drainBatchSize?: string
  readonly drainTimeoutBg?: number
  readonly batchSoakDuration?: number
  readonly finalSoakDuration?: number
  readonly yes?: boolean
}

/** How a pool is upgraded; `az aks nodepool update` has the same flags. */
export function upgradeSettingsFlags(command: Command): Command {
  return command
    .option('--max-surge <count-or-percent>', 'extra nodes during an upgrade')
    .option('--max-unavailable <count-or-percent>', 'nodes that may be away during an upgrade')
    .option('--drain-timeout <minutes>', 'how long a drain may take', parseCount)
    .option('--node-soak-duration <minutes>', 'how long to wait after a drain', parseCount)
    .option('--undrainable-node-behavior <behavior>', 'Schedule or Cordon')
    .option('--upgrade-strategy <strategy>', 'Rolling or BlueGreen')
    .option('--drain-batch-size <count-or-percent>', 'blue-green: nodes drained together')
    .option('--drain-timeout-bg <minutes>', 'blue-green: how long a drain may take', parseCount)
    .option('--batch-soak-duration <minutes>', 'blue-green: wait after each batch', parseCount)
    .option('--final-soak-duration <minutes>', 'blue-green: wait before the old nodes go', parseCount)
}

/** What of it the flags ask for, over what stands there. */
export function upgradeSettingsOf(
  flags: PoolUpgradeFlags,
  properties: Readonly<Record<string, unknown>>,
): Readonly<Record<string, unknown>> {
  const settings = present({
    maxSurge: flags.maxSurge,
    maxUnavailable: flags.maxUnavailable,
    drainTimeoutInMinutes: flags.drainTimeout,
    nodeSoakDurationInMinutes: flags.nodeSoakDuration,
    undrainableNodeBehavior: flags.undrainableNodeBehavior,
  })
  const blueGreen = present({
    drainBatchSize: flags.drainBatchSize,
    drainTimeoutInMinutes: flags.drainTimeoutBg,
    batchSoakDurationInMinutes: flags.batchSoakDuration,
    finalSoakDurationInMinutes: flags.finalSoakDuration,
  })
  const over = (name: string, asked: object): object => ({ ...(properties[name] as object | undefined), ...asked })
  return present({
    upgradeSettings: Object.keys(settings).length === 0 ? undefined : over('upgradeSettings', settings),
    upgradeStrategy: strategyOf(flags.upgradeStrategy),
    upgradeSettingsBlueGreen:
      Object.keys(blueGreen).length === 0 ? undefined : over('upgradeSettingsBlueGreen', blueGreen),
  })
}

function strategyOf(text: string | undefined): string | undefined {
  return ['Rolling', 'BlueGreen'].find((name) => name.toLowerCase() === text?.toLowerCase()) ?? text
}

export function addPoolUpgrade(nodepool: Command, session: Session): void {
  addLeaf<PoolUpgradeFlags>(nodepool, session, 'upgrade', {
    description: 'Upgrade the node pool of a managed Kubernetes cluster.',
    flags: (command) =>
      upgradeSettingsFlags(waiting(namedPool(command)))
        .option('-k, --kubernetes-version <version>', 'version of Kubernetes to upgrade to')
        .option('--node-image-only', 'upgrade the node image alone')
        .option('-y, --yes', 'accepted for the sake of scripts'),
    row: poolRow,
    run: (_, flags) => upgradePool(session, flags),
  })
  addRollback(nodepool, session)
}

async function upgradePool(session: Session, flags: PoolUpgradeFlags): Promise<FlatResource | undefined> {
  const path = poolPath(session, flags, flags.name)
  if (flags.nodeImageOnly === true) {
    if (flags.kubernetesVersion !== undefined) {
      throw new AzError(
        'Conflicting flags. Upgrading the Kubernetes version will also upgrade node image version. If you only want to upgrade the node version please use the "--node-image-only" option only.',
        2,
      )
    }
    await send(session, flags, `${path}/upgradeNodeImageVersion`)
    return flags.wait === false ? undefined : flatten(await get<ArmResource>(session, path))
  }
  const { properties } = await get<ArmResource>(session, path)
  const { properties: cluster } = await get<ArmResource>(session, path.replace(/\/agentPools\/[^/]+$/, ''))
  const orchestratorVersion = flags.kubernetesVersion ?? cluster['currentKubernetesVersion']
  return putPool(session, flags, { ...properties, ...upgradeSettingsOf(flags, properties), orchestratorVersion })
}

interface PoolProfile {
  readonly id: string
  readonly properties: Readonly<Record<string, unknown>> & {
    readonly recentlyUsedVersions?: readonly {
      readonly orchestratorVersion: string
      readonly nodeImageVersion: string
      readonly timestamp: string
    }[]
  }
}

function addRollback(nodepool: Command, session: Session): void {
  const profile = (flags: NameFlags): Promise<PoolProfile> =>
    get<PoolProfile>(session, `${poolPath(session, flags, flags.name)}/upgradeProfiles/default`)
  addLeaf<NameFlags>(nodepool, session, 'get-upgrades', {
    description: 'Get the available upgrade versions for a node pool.',
    flags: namedPool,
    run: async (_, flags) => {
      const { properties, ...rest } = await profile(flags)
      return { ...rest, ...properties, resourceGroup: resourceGroupOf(rest.id) }
    },
  })
  addLeaf<NameFlags>(nodepool, session, 'get-rollback-versions', {
    description: 'Get the versions that a node pool had and can go back to.',
    flags: namedPool,
    run: async (_, flags) => (await profile(flags)).properties.recentlyUsedVersions ?? [],
  })
  addLeaf<NameFlags>(nodepool, session, 'rollback', {
    description: 'Bring a node pool back to the versions that it had last.',
    flags: (command) => waiting(namedPool(command)),
    row: poolRow,
    run: async (_, flags) => {
      const last = (await profile(flags)).properties.recentlyUsedVersions?.[0]
      if (last === undefined) throw new AzError(`Node pool ${flags.name} has no versions to go back to.`)
      const { properties } = await get<ArmResource>(session, poolPath(session, flags, flags.name))
      const { orchestratorVersion, nodeImageVersion } = last
      return putPool(session, flags, { ...properties, orchestratorVersion, nodeImageVersion })
    },
  })
}
