// What to do with an object by what its owners are: upstream's table, facts in and verdict out.

import type { KubernetesObject } from '@aksel/api/resource'
import type { OwnerReference } from '@aksel/api/types/meta-v1'

export const foregroundFinalizer = 'foregroundDeletion'
export const orphanFinalizer = 'orphan'

export interface OwnerFacts {
  /** Owners that exist and stay. */
  readonly solid: readonly OwnerReference[]
  /** Owners that do not exist. */
  readonly dangling: readonly OwnerReference[]
  /** Owners that wait until what they own is gone. */
  readonly waiting: readonly OwnerReference[]
}

export type Verdict =
  | { readonly kind: 'keep' }
  /** Owners that are gone, or go in the foreground, are struck off: another one keeps the object. */
  | { readonly kind: 'strike'; readonly uids: readonly string[] }
  | { readonly kind: 'delete'; readonly policy: 'Orphan' | 'Foreground' | 'Background' }

export function hasFinalizer({ metadata }: KubernetesObject, name: string): boolean {
  return (metadata.finalizers ?? []).includes(name)
}

/** `hasDependents`: something names the object as its owner. */
export function judgeOwned(object: KubernetesObject, owners: OwnerFacts, hasDependents: boolean): Verdict {
  const { solid, dangling, waiting } = owners
  if (solid.length > 0) {
    const uids = [...dangling, ...waiting].map(({ uid }) => uid)
    return uids.length === 0 ? { kind: 'keep' } : { kind: 'strike', uids }
  }
  if (dangling.length + waiting.length === 0) return { kind: 'keep' }
  if (waiting.length > 0 && hasDependents) return { kind: 'delete', policy: 'Foreground' }
  if (hasFinalizer(object, orphanFinalizer)) return { kind: 'delete', policy: 'Orphan' }
  if (hasFinalizer(object, foregroundFinalizer)) return { kind: 'delete', policy: 'Foreground' }
  return { kind: 'delete', policy: 'Background' }
}

/** True for an owner that is deleted in the foreground: it stays until what blocks it is gone. */
export function waitsForDependents(object: KubernetesObject): boolean {
  return object.metadata.deletionTimestamp !== undefined && hasFinalizer(object, foregroundFinalizer)
}

export function blocks(dependent: KubernetesObject, ownerUid: string): boolean {
  return (dependent.metadata.ownerReferences ?? []).some(
    ({ uid, blockOwnerDeletion }) => uid === ownerUid && blockOwnerDeletion === true,
  )
}
