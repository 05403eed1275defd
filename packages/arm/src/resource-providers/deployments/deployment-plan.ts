// What a deployment does next, from what is done: pure decisions over its steps.

import type { DeclaredResource } from '../../templates/declared.ts'
import type { Prepared } from '../../templates/prepared.ts'
import type { DeploymentStep } from '../../records.ts'
import { sameId } from '../../resource-id.ts'

export interface Course {
  /** Steps that are kept of the deployment, those of an earlier life of the server included. */
  readonly steps: readonly DeploymentStep[]
  /** Resource ids that are being worked on right now, in lower case. */
  readonly running: ReadonlySet<string>
  /** Nothing new is begun. */
  readonly isEnding: boolean
  readonly atOnceMax: number
}

/** The resources to begin with now, in the template's order. */
export function nextResources(prepared: Prepared, course: Course): readonly DeclaredResource[] {
  if (course.isEnding) return []
  const done = new Set(
    course.steps.flatMap(({ state, kind, resourceId }) =>
      state === 'Succeeded' && kind !== 'Delete' ? [resourceId.toLowerCase()] : [],
    ),
  )
  const succeeded = ({ id }: DeclaredResource): boolean => done.has(id.toLowerCase())
  const ready = prepared.resources.filter(
    (one) =>
      !one.skipped &&
      !course.running.has(one.id.toLowerCase()) &&
      !succeeded(one) &&
      (prepared.dependencies.get(one) ?? []).every(succeeded),
  )
  return ready.slice(0, Math.max(0, course.atOnceMax - course.running.size))
}

/** The steps with this one in place of an earlier one for the same resource. */
export function withStep(steps: readonly DeploymentStep[], step: DeploymentStep): readonly DeploymentStep[] {
  const others = steps.filter(({ resourceId, kind }) => kind !== step.kind || !sameId(resourceId, step.resourceId))
  return [...others, step]
}

/** Ids of resources in the group that a complete deployment takes away: those that its template does not name. */
export function unnamed(prepared: Prepared, ids: readonly string[]): readonly string[] {
  return ids.filter((id) => !prepared.resources.some((one) => !one.skipped && sameId(one.id, id)))
}
