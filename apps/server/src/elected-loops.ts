// Who runs the loops of a cluster: the server that holds the Lease `kube-controller-manager`, and the one that holds
// `kube-scheduler`, as upstream's programs do. What they write is bound to their term in the store itself.

import { leases } from '@aksel/api/resources'
import { sleep } from '@aksel/base/clock'
import { childScope, type Scope } from '@aksel/base/scope'
import { managerUser, schedulerUser } from '@aksel/controllers/identities'
import { createCaches } from '@aksel/runtime/caches'
import type { Caches } from '@aksel/runtime/controller'
import { recordEvent, referenceTo } from '@aksel/runtime/event-recorder'
import { fencedClient, type Lead } from '@aksel/runtime/fenced-client'
import { runAsLeader, type LeaderOptions } from '@aksel/runtime/leader-election'
import type { User } from './control-plane.ts'
import { runMachineLoops } from './machine-loops.ts'
import { runManager, runScheduler, type LoopOptions } from './loops.ts'

/** Where one server alone can open the store, nobody waits for its renewals: they show people that it lives. */
const ALONE = { isAlone: true, leaseDurationMs: 180_000, renewDeadlineMs: 150_000, retryPeriodMs: 60_000 }

/** Before a loop that could not start is tried again. */
const AGAIN_MS = 5_000

interface Loop {
  readonly name: 'kube-controller-manager' | 'kube-scheduler'
  readonly user: User
  run(scope: Scope, options: LoopOptions, caches: Caches): Promise<void>
}

const loops: readonly Loop[] = [
  { name: 'kube-controller-manager', user: managerUser, run: runManager },
  { name: 'kube-scheduler', user: schedulerUser, run: runScheduler },
]

/** Stands for both until the scope's signal, then ends without an error. A loop that cannot start is tried again in a new term. */
export async function runElected(scope: Scope, options: LoopOptions): Promise<void> {
  await using shared = new SharedCaches(scope, options)
  await Promise.all([...loops.map((loop) => stand(scope, options, loop, shared)), besides(scope, options, shared)])
}

/** Loops for the machines that this server has, which no other can run: nobody elects them. */
async function besides(scope: Scope, options: LoopOptions, shared: SharedCaches): Promise<void> {
  const { machines, record } = options
  if (machines === undefined) return
  await machines.whileHere(scope, record.spec.id, async (own) => {
    await using caches = shared.take()
    await runMachineLoops(own, { ...options, machines }, caches.caches)
  })
}

async function stand(scope: Scope, options: LoopOptions, loop: Loop, shared: SharedCaches): Promise<void> {
  const { name, user } = loop
  const client = options.client(user)
  const identity = options.candidate
  const tell: LeaderOptions['tell'] = (lease, what) => {
    const about = referenceTo(leases, lease)
    const message = `${identity} ${what}`
    void recordEvent(scope, client, { about, type: 'Normal', reason: 'LeaderElection', message, source: name })
  }
  const run = async (own: Scope, lead: Lead): Promise<void> => {
    await using caches = shared.take()
    await loop.run(own, bound(options, lead), caches.caches)
  }
  const lease = { namespace: 'kube-system', name }
  while (!scope.signal.aborted) {
    try {
      await runAsLeader(scope, { client, lease, identity, tell, run, ...(options.isAlone ? ALONE : {}) })
      return
    } catch (error) {
      if (scope.signal.aborted) return
      scope.log.error('a loop ended', { loop: name, error })
      await sleep(scope.clock, AGAIN_MS, scope.signal).catch(() => {})
    }
  }
}

/** All that the loops write, whoever they write it as, is of this term. */
function bound(options: LoopOptions, lead: Lead): LoopOptions {
  return { ...options, client: (user) => fencedClient(options.client(user, lead.fence), lead) }
}

/** One set of caches for what leads here; none while nothing does. */
class SharedCaches {
  readonly #scope: Scope
  readonly #options: LoopOptions
  #caches: (Caches & AsyncDisposable) | undefined
  #users = 0

  constructor(scope: Scope, options: LoopOptions) {
    this.#scope = scope
    this.#options = options
  }

  take(): { readonly caches: Caches } & AsyncDisposable {
    const client = this.#options.client(managerUser)
    const caches = (this.#caches ??= createCaches(childScope(this.#scope, { loop: 'caches' }), client))
    this.#users += 1
    return {
      caches,
      [Symbol.asyncDispose]: async () => {
        this.#users -= 1
        if (this.#users === 0) await this[Symbol.asyncDispose]()
      },
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const caches = this.#caches
    this.#caches = undefined
    await caches?.[Symbol.asyncDispose]()
  }
}
