// The loops of one cluster: its controllers, its disk provisioner and its scheduler, over one set of caches.

import { childScope, type Scope } from '@aksel/base/scope'
import type { Client } from '@aksel/client/client'
import { controllersFor } from '@aksel/controllers/all'
import type { LoadBalancers } from '@aksel/controllers/service-load-balancer/load-balancers'
import { createCaches } from '@aksel/runtime/caches'
import type { Controller } from '@aksel/runtime/controller'
import { runAsLeader } from '@aksel/runtime/leader-election'
import { runControllers } from '@aksel/runtime/runner'
import { readProfiles } from '@aksel/scheduler/configuration-source'
import { createScheduler, type Scheduler } from '@aksel/scheduler/scheduler'
import { diskProvisioner } from '@aksel/storage/provisioner'
import type { ControlPlaneOptions, User } from './control-plane.ts'

export interface LoopOptions extends ControlPlaneOptions {
  readonly client: (user: User) => Client
  /** Called with the scheduler before it runs. */
  readonly onScheduler?: (scheduler: Scheduler) => void
}

const CONTROLLER_MANAGER: User = { name: 'system:kube-controller-manager', groups: ['system:masters'] }
const SCHEDULER: User = { name: 'system:kube-scheduler', groups: ['system:authenticated'] }

const LEASE = { namespace: 'kube-system', name: 'aksel-loops' }

/**
 * Runs the loops; where several servers serve the cluster, on the one that holds the lease. A leader that cannot renew stops
 * five seconds before another may begin.
 */
export async function runElected(scope: Scope, options: LoopOptions): Promise<void> {
  if (options.candidate === undefined) return await runLoops(scope, options)
  await runAsLeader(scope, {
    client: options.client(CONTROLLER_MANAGER),
    lease: LEASE,
    identity: options.candidate,
    run: (own) => runLoops(own, options),
  })
}

/** Runs until the scope's signal, then ends without an error. */
async function runLoops(scope: Scope, options: LoopOptions): Promise<void> {
  const client = options.client(CONTROLLER_MANAGER)
  await using caches = createCaches(childScope(scope, { loop: 'caches' }), client)
  const loadBalancers = loadBalancersOf(options)
  const controllers: Controller[] = [
    ...controllersFor({
      client,
      caches,
      rootCaPem: options.record.authority.certificatePem,
      ...(loadBalancers === undefined ? {} : { loadBalancers }),
    }),
    ...(options.diskImages === undefined
      ? []
      : [diskProvisioner({ client, caches, images: options.diskImages, diskIdPrefix: diskIdPrefix(options) })]),
  ]
  const configured = await readProfiles(scope, client)
  const scheduler = createScheduler(scope, { client: options.client(SCHEDULER), caches, ...configured })
  options.onScheduler?.(scheduler)
  await Promise.all([
    ends(scope, 'controllers', runControllers(scope, { controllers, caches })),
    ends(scope, 'scheduler', scheduler.run()),
  ])
}

/** A loop that ends before it is asked to is a bug of ours: it is told, and the others go on. */
async function ends(scope: Scope, what: string, running: Promise<void>): Promise<void> {
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

/** Services get their public addresses from the fabric, in the VNet of the cluster's nodes. */
function loadBalancersOf({ fabric, virtualNetworkId, record }: LoopOptions): LoadBalancers | undefined {
  if (fabric === undefined) return undefined
  const network = (): string => {
    const id = virtualNetworkId()
    if (id === undefined) throw new Error(`Cluster "${record.spec.name}" has no VNet yet`)
    return id
  }
  return {
    ensure: (scope, request) => fabric.ensureLoadBalancer(scope, { ...request, virtualNetworkId: network() }),
    remove: (scope, id) => fabric.deleteLoadBalancer(scope, { virtualNetworkId: network(), id }),
  }
}
