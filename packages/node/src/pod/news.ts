// What is news to a pod's worker: in an update of the object, and in what the runtime shows.

import type { Pod } from '@aksel/api/types/core-v1'
import type { ContainerRun } from './runtime-view.ts'
import { ownConditions } from './status-writer.ts'
import type { StatusWriter } from './status-writer.ts'

/** The latest run of a container has ended, and the status does not say so. */
export function isUntold({ status }: Pod, run: ContainerRun): boolean {
  if (run.state !== 'CONTAINER_EXITED') return false
  const statuses = [
    ...(status?.initContainerStatuses ?? []),
    ...(status?.containerStatuses ?? []),
    ...(status?.ephemeralContainerStatuses ?? []),
  ]
  const own = statuses.find(({ name }) => name === run.name)
  if (own !== undefined && (own.restartCount ?? 0) > run.attempt) return false
  const ends = [own?.state?.terminated?.containerID, own?.lastState?.terminated?.containerID]
  return !ends.some((id) => id?.endsWith(run.id) === true)
}

/** What the downward API shows in files. */
export function shown({ metadata }: Pod): string {
  return JSON.stringify([metadata.labels, metadata.annotations])
}

/** Our own status writes come back as updates; only what others change is news, what they say in our place included. */
export function isRelevant(before: Pod, now: Pod, writer: Pick<StatusWriter, 'isOverruled'>): boolean {
  if (writer.isOverruled(now)) return true
  const part = ({ metadata, spec, status }: Pod): string => {
    const conditions = (status?.conditions ?? []).filter(({ type }) => !ownConditions.has(type))
    return JSON.stringify([metadata.labels, metadata.annotations, metadata.finalizers, spec, conditions])
  }
  return part(before) !== part(now)
}
