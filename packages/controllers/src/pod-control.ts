// Pods made from a template and taken away, each with the event that people look for.

import { pods } from '@aksel/api/resources'
import type { KubernetesObject, ResourceType } from '@aksel/api/resource'
import type { Pod, PodTemplateSpec } from '@aksel/api/types/core-v1'
import type { LabelSelector } from '@aksel/api/types/meta-v1'
import { ApiError, isReason } from '@aksel/base/errors'
import type { Scope } from '@aksel/base/scope'
import type { Client } from '@aksel/client/client'
import { recordEvent, referenceTo } from '@aksel/runtime/event-recorder'
import { matchesSelector } from '@aksel/runtime/selectors'
import { controllerReference } from './owners.ts'

export interface PodOwner {
  readonly type: ResourceType
  readonly object: KubernetesObject
  /** Source of the events: `replicaset-controller`. */
  readonly source: string
}

/** A pod of the template that its owner controls; the server completes the name. */
export function podFromTemplate(owner: PodOwner, template: PodTemplateSpec | undefined): Pod {
  const { labels, annotations, finalizers } = template?.metadata ?? {}
  return {
    metadata: {
      name: '',
      generateName: `${owner.object.metadata.name}-`,
      namespace: owner.object.metadata.namespace!,
      ...(labels === undefined ? {} : { labels }),
      ...(annotations === undefined ? {} : { annotations }),
      ...(finalizers === undefined ? {} : { finalizers }),
      ownerReferences: [controllerReference(owner.type, owner.object)],
    },
    spec: template?.spec ?? { containers: [] },
  }
}

/**
 * Throws for a template whose pods the selector would let go at once: each would be made again, without end. Validation
 * refuses such a workload; one that was stored otherwise must not fill the cluster.
 */
export function assertSelected(selector: LabelSelector | undefined, template: PodTemplateSpec | undefined): void {
  if (!matchesSelector(selector, template?.metadata?.labels))
    throw new ApiError('Invalid', '`selector` does not match template `labels`')
}

/** True where the failure is that the namespace is on its way out: nothing to tell, nothing to retry. */
export function isNamespaceTerminating(error: unknown): boolean {
  return (
    isReason(error, 'Forbidden') &&
    (error.details?.causes ?? []).some(({ reason }) => reason === 'NamespaceTerminating')
  )
}

export async function createPod(scope: Scope, client: Client, owner: PodOwner, pod: Pod): Promise<Pod> {
  try {
    const created = await client.create(pods, pod)
    tell(scope, client, owner, 'Normal', 'SuccessfulCreate', `Created pod: ${created.metadata.name}`)
    return created
  } catch (error) {
    if (!isNamespaceTerminating(error)) {
      tell(scope, client, owner, 'Warning', 'FailedCreate', `Error creating: ${(error as Error).message}`)
    }
    throw error
  }
}

/** A pod that is gone already counts as deleted. */
export async function deletePod(scope: Scope, client: Client, owner: PodOwner, pod: Pod): Promise<void> {
  const { uid, name } = pod.metadata
  try {
    await client.delete(pods, pod.metadata, { preconditions: { uid: uid! } })
  } catch (error) {
    if (isReason(error, 'NotFound', 'Conflict')) return
    tell(scope, client, owner, 'Warning', 'FailedDelete', `Error deleting: ${(error as Error).message}`)
    throw error
  }
  tell(scope, client, owner, 'Normal', 'SuccessfulDelete', `Deleted pod: ${name}`)
}

/** Events are told beside the work, which does not wait for them. */
export function tell(
  scope: Scope,
  client: Client,
  { type, object, source }: PodOwner,
  level: 'Normal' | 'Warning',
  reason: string,
  message: string,
): void {
  void recordEvent(scope, client, { about: referenceTo(type, object), type: level, reason, message, source })
}

/**
 * Calls `act` in batches of 1, 2, 4, …, so that a hopeless call is made once instead of a hundred times. Stops after the batch in
 * which one fails. Returns how many succeeded, and the first failure.
 */
export async function slowStart(
  count: number,
  act: (index: number) => Promise<void>,
): Promise<{ readonly successes: number; readonly failure: unknown }> {
  let successes = 0
  for (let begun = 0, size = 1; begun < count; begun += size, size *= 2) {
    const batch = Array.from({ length: Math.min(size, count - begun) }, (_, index) => act(begun + index))
    const results = await Promise.allSettled(batch)
    successes += results.filter(({ status }) => status === 'fulfilled').length
    const failed = results.find((result) => result.status === 'rejected')
    if (failed !== undefined) return { successes, failure: failed.reason as unknown }
  }
  return { successes, failure: undefined }
}
