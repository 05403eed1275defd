// The loops of one cluster: its controllers, its disk provisioner and its scheduler, over one set of caches.

import { serviceAccounts } from '@aksel/api/resources'
import type { Scope } from '@aksel/base/scope'
import type { Client } from '@aksel/client/client'
import { controllersFor } from '@aksel/controllers/all'
import { ensureAccounts, loopAccounts, managerUser, schedulerUser, systemAccount } from '@aksel/controllers/identities'
import type { LoadBalancers } from '@aksel/controllers/service-load-balancer/load-balancers'
import { applicationRouting } from '@aksel/network/application-routing/controller'
import { ACCOUNT } from '@aksel/network/application-routing/objects'
import type { Caches, Controller } from '@aksel/runtime/controller'
import type { Fence } from '@aksel/runtime/fenced-client'
import { runControllers } from '@aksel/runtime/runner'
import { readProfiles } from '@aksel/scheduler/configuration-source'
import { createScheduler, type Scheduler } from '@aksel/scheduler/scheduler'
import { diskProvisioner } from '@aksel/storage/provisioner'
import { CLOUD_NODE_MANAGER } from './machine-loops.ts'
import { diskResizer } from '@aksel/storage/resizer'
import { servedTaintRules } from './device-taint-rules.ts'
import type { ControlPlaneOptions, User } from './control-plane.ts'
import { tellDrops, type DropParts } from './dropped-packets.ts'
import { fabricLoadBalancers } from './fabric-load-balancers.ts'
import { leadToJoinedHosts } from './joined-hosts.ts'

export interface LoopOptions extends ControlPlaneOptions {
  /** A `fence` binds what the client writes to a leader's term. */
  readonly client: (user: User, fence?: Fence) => Client
  /** Our name in the elections: unique among the servers of the store. */
  readonly candidate: string
  /** No other server can open the store. */
  readonly isAlone: boolean
  /** Called with the scheduler before it runs. */
  readonly onScheduler?: (scheduler: Scheduler) => void
}

/** The disk driver's controller half, as AKS names it. */
const DISK_PROVISIONER = 'csi-azuredisk-controller-sa'

/** The controllers, until the scope's signal; ends without an error. */
export async function runManager(scope: Scope, options: LoopOptions, caches: Caches): Promise<void> {
  const client = options.client(managerUser)
  const clientOf = (account: string): Client => options.client(systemAccount(account))
  const loadBalancers = loadBalancersOf(options)
  const { podCidr, secondaryPodCidr, serviceCidr, secondaryServiceCidr } = options.record.spec
  const given = (...cidrs: readonly (string | undefined)[]): readonly string[] =>
    cidrs.filter((cidr) => cidr !== undefined)
  const nodeIpam = {
    clusterCidrs: given(podCidr, secondaryPodCidr),
    serviceCidrs: given(serviceCidr, secondaryServiceCidr),
    // 65,536 nodes, as the machines' own ranges are cut.
    ...(secondaryPodCidr === undefined ? {} : { masks: { 6: Number(secondaryPodCidr.split('/')[1]) + 16 } }),
  }
  const controllers: Controller[] = [
    ...controllersFor({
      client,
      clientOf,
      caches,
      rootCaPem: options.record.authority.certificatePem,
      authority: options.record.authority,
      tokenKey: options.record.signingKey,
      ...(options.record.retiredKeys === undefined ? {} : { retiredKeys: options.record.retiredKeys }),
      ...(loadBalancers === undefined ? {} : { loadBalancers }),
      ...(nodeIpam.clusterCidrs.length === 0 ? {} : { nodeIpam }),
      ...servedTaintRules(options.record),
      ...(options.terminatedPodsMax === undefined ? {} : { terminatedPodsMax: options.terminatedPodsMax }),
    }),
    applicationRouting({ client: clientOf(ACCOUNT), caches }),
    ...(options.diskImages === undefined
      ? []
      : [
          diskProvisioner({
            client: clientOf(DISK_PROVISIONER),
            caches,
            images: options.diskImages,
            diskIdPrefix: diskIdPrefix(options),
          }),
          diskResizer({ client: clientOf(DISK_PROVISIONER), caches, images: options.diskImages }),
        ]),
  ]
  await Promise.all([
    makeAccounts(scope, client, caches),
    ...droppedPackets(scope, options, { client: clientOf('node-controller'), caches }),
    ...joinedHosts(scope, options, caches),
    ends(scope, 'controllers', runControllers(scope, { controllers, caches })),
  ])
}

function droppedPackets(scope: Scope, options: LoopOptions, parts: DropParts): readonly Promise<void>[] {
  const { fabric, virtualNetworkId } = options
  return fabric === undefined ? [] : [tellDrops(scope, { ...parts, fabric, virtualNetworkId })]
}

function joinedHosts(
  scope: Scope,
  { fabric, virtualNetworkId, record }: LoopOptions,
  caches: Caches,
): readonly Promise<void>[] {
  const { fabricAddress: hostAddress } = record.spec
  if (fabric === undefined || hostAddress === undefined || record.fork !== undefined) return []
  return [leadToJoinedHosts(scope, { caches, fabric, virtualNetworkId, hostAddress })]
}

/** The scheduler, until the scope's signal. Rejects where its profiles cannot be read. */
export async function runScheduler(scope: Scope, options: LoopOptions, caches: Caches): Promise<void> {
  const configured = await readProfiles(scope, options.client(managerUser))
  const scheduler = createScheduler(scope, {
    client: options.client(schedulerUser),
    caches,
    ...configured,
    ...servedTaintRules(options.record),
  })
  options.onScheduler?.(scheduler)
  await ends(scope, 'scheduler', scheduler.run())
}

/** Nobody waits for the accounts: they are there to be seen, the loops act as their users without them. */
async function makeAccounts(scope: Scope, client: Client, caches: Caches): Promise<void> {
  try {
    const known = caches.of(serviceAccounts)
    await known.synced(scope.signal)
    await ensureAccounts(client, known, [...loopAccounts, DISK_PROVISIONER, CLOUD_NODE_MANAGER])
  } catch (error) {
    if (!scope.signal.aborted) scope.log.warn('an account of a loop was not made', { error })
  }
}

/** A loop that ends before it is asked to is a bug of ours: it is told, and the others go on. */
export async function ends(scope: Scope, what: string, running: Promise<void>): Promise<void> {
  try {
    await running
    if (!scope.signal.aborted) scope.log.error('a loop ended by itself', { loop: what })
  } catch (error) {
    if (!scope.signal.aborted) scope.log.error('a loop ended', { loop: what, error })
  }
}

/** `/subscriptions/…/resourceGroups/MC_…/providers/Microsoft.Compute/disks/` */
function diskIdPrefix({ record, virtualNetworkId }: LoopOptions): string {
  const group = /^\/subscriptions\/[^/]+\/resourcegroups\/[^/]+/i.exec(virtualNetworkId() ?? record.spec.id)?.[0] ?? ''
  return `${group}/providers/Microsoft.Compute/disks/`
}

/** Services get their addresses from the fabric, in the VNet of the cluster's nodes. */
function loadBalancersOf(options: LoopOptions): LoadBalancers | undefined {
  const { fabric } = options
  return fabric === undefined ? undefined : fabricLoadBalancers({ ...options, fabric })
}
