// What every loop of this package is made from, and the one way they write a status.

import type { KubernetesObject, ResourceType } from '@aksel/api/resource'
import type { Client } from '@aksel/client/client'
import type { Caches } from '@aksel/runtime/controller'
import { isSame } from './canonical.ts'

export interface LoopParts {
  readonly client: Client
  readonly caches: Caches
}

/** Writes the status against the revision that was read, where it differs; returns the object as it then stands. */
export async function writeStatus<T extends KubernetesObject & { readonly status?: unknown }>(
  client: Client,
  type: ResourceType<T>,
  object: T,
  status: NonNullable<T['status']>,
): Promise<T> {
  if (isSame(object.status, status)) return object
  return client.update(type, { ...object, status }, { subresource: 'status' })
}

interface Condition {
  readonly type: string
  readonly status: string
  readonly reason?: string
  readonly message?: string
  readonly lastTransitionTime?: string
}

/** The list with this condition set; its transition time moves only when its status does. */
export function withCondition<C extends Condition>(conditions: readonly C[] | undefined, next: C): readonly C[] {
  const known = conditions?.find(({ type }) => type === next.type)
  if (known?.status === next.status && known.reason === next.reason && known.message === next.message)
    return conditions!
  const keepsTime = known?.status === next.status && known.lastTransitionTime !== undefined
  const set = keepsTime ? { ...next, lastTransitionTime: known.lastTransitionTime } : next
  return [...(conditions ?? []).filter(({ type }) => type !== next.type), set]
}

export function withoutCondition<C extends Condition>(
  conditions: readonly C[] | undefined,
  type: string,
): readonly C[] {
  return (conditions ?? []).filter((condition) => condition.type !== type)
}
