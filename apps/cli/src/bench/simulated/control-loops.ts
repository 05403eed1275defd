// The loops of a cluster beside its API server, as a benchmark starts and stops them.

import { childScope, type Scope } from '@aksel/base/scope'
import { controllersFor } from '@aksel/controllers/all'
import { managerUser, schedulerUser, systemAccount } from '@aksel/controllers/identities'
import { createCaches } from '@aksel/runtime/caches'
import { runControllers } from '@aksel/runtime/runner'
import { createScheduler } from '@aksel/scheduler/scheduler'
import type { InProcessCluster } from '@aksel/testing/in-process-cluster'

/** Every controller and the scheduler, until it is disposed. */
export function startLoops(scope: Scope, cluster: InProcessCluster): AsyncDisposable {
  const stop = new AbortController()
  const own = childScope(scope, {}, stop.signal)
  const client = cluster.client(managerUser)
  const caches = createCaches(own, client)
  const scheduler = createScheduler(own, {
    client: cluster.client(schedulerUser),
    caches,
  })
  const controllers = controllersFor({
    client,
    clientOf: (account) => cluster.client(systemAccount(account)),
    caches,
    rootCaPem: 'bench',
  })
  const running = Promise.allSettled([runControllers(own, { controllers, caches }), scheduler.run()])
  return {
    async [Symbol.asyncDispose]() {
      stop.abort(new Error('the run is over'))
      await running
      await caches[Symbol.asyncDispose]()
    },
  }
}
