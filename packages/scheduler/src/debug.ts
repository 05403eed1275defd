// What the scheduler tells those who ask: `kubectl get --raw /debug/scheduler/pods/NAMESPACE/NAME`, and how many pods wait.

import type { Scheduler } from './scheduler.ts'

/** JSON for a path below /debug/; undefined for one that is none of the scheduler's, or a pod that is not there. */
export function explained(scheduler: Scheduler, path: string): unknown {
  const [debug, who, what, namespace, name, ...rest] = path.split('/').slice(1).map(decodeURIComponent)
  if (debug !== 'debug' || who !== 'scheduler' || rest.length > 0) return undefined
  if (what === 'pending' && namespace === undefined) return scheduler.pending()
  if (what !== 'pods' || namespace === undefined || name === undefined) return undefined
  return scheduler.explain(`${namespace}/${name}`)
}
