// Takes finished jobs away when their time to live is over.

import { keyOf } from '@aksel/api/resource'
import { jobs } from '@aksel/api/resources'
import type { Job } from '@aksel/api/types/batch-v1'
import { ignoreReason } from '@aksel/base/errors'
import { again, done } from '@aksel/runtime/controller'
import type { Controller, Source } from '@aksel/runtime/controller'
import type { LoopParts } from '../parts.ts'

/** When the job is to go, milliseconds; undefined for one that runs or stays. */
export function expiresAtMs({ spec, status }: Job): number | undefined {
  const { ttlSecondsAfterFinished } = spec
  if (ttlSecondsAfterFinished === undefined) return undefined
  const end = status?.conditions?.find(
    ({ type, status: state }) => (type === 'Complete' || type === 'Failed') && state === 'True',
  )
  const endedMs = Date.parse(end?.lastTransitionTime ?? '')
  return Number.isNaN(endedMs) ? undefined : endedMs + ttlSecondsAfterFinished * 1000
}

export function ttlAfterFinishedController({ client, caches }: LoopParts): Controller {
  const cache = caches.of(jobs)
  const own: Source<Job> = {
    type: jobs,
    keysOf: (now) => (now === undefined || expiresAtMs(now) === undefined ? [] : [keyOf(now)]),
  }
  return {
    name: 'ttl-after-finished',
    sources: [own],
    workers: 5,
    async reconcile(scope, key) {
      const waitMs = (job: Job | undefined): number | undefined => {
        const dueMs = job?.metadata.deletionTimestamp === undefined && job !== undefined ? expiresAtMs(job) : undefined
        return dueMs === undefined ? undefined : Math.max(0, dueMs - scope.clock.now())
      }
      const known = cache.get(key)
      const leftMs = waitMs(known)
      if (leftMs === undefined) return done
      if (leftMs > 0) return again(leftMs)
      // Someone may have given it more time just now.
      const live = await ignoreReason('NotFound', client.get(jobs, known!.metadata))
      const stillMs = waitMs(live)
      if (stillMs === undefined || live!.metadata.uid !== known!.metadata.uid) return done
      if (stillMs > 0) return again(stillMs)
      const { uid, resourceVersion } = live!.metadata
      const preconditions = { uid: uid!, resourceVersion: resourceVersion! }
      await ignoreReason(
        'NotFound',
        client.delete(jobs, live!.metadata, { propagationPolicy: 'Foreground', preconditions }),
      )
      return done
    },
  }
}
