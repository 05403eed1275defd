// Which object controls which: reading owner references, and taking up or letting go of objects by selector.

import { groupVersionOf } from '@aksel/api/resource'
import type { KubernetesObject, ResourceType } from '@aksel/api/resource'
import type { OwnerReference } from '@aksel/api/types/meta-v1'
import { ignoreReason, isReason } from '@aksel/base/errors'
import type { Client } from '@aksel/client/client'

export function controllerOf({ metadata }: KubernetesObject): OwnerReference | undefined {
  return metadata.ownerReferences?.find(({ controller }) => controller === true)
}

export function isControlledBy(object: KubernetesObject, owner: KubernetesObject): boolean {
  return controllerOf(object)?.uid === owner.metadata.uid
}

/** The reference of what a controller makes: it dies with its owner, and holds up a foreground deletion. */
export function controllerReference(type: ResourceType, owner: KubernetesObject): OwnerReference {
  return {
    apiVersion: groupVersionOf(type),
    kind: type.kind,
    name: owner.metadata.name,
    uid: owner.metadata.uid!,
    controller: true,
    blockOwnerDeletion: true,
  }
}

/** Key of the controlling owner, where it is of this kind; for a source's `keysOf`. */
export function ownerKey(type: ResourceType, object: KubernetesObject | undefined): readonly string[] {
  const owner = object === undefined ? undefined : controllerOf(object)
  const isOurs = owner?.kind === type.kind && owner.apiVersion.split('/')[0] === groupVersionOf(type).split('/')[0]
  return isOurs ? [`${object!.metadata.namespace}/${owner.name}`] : []
}

export const controllerUidIndex = 'controller-uid'

/** For `Cache.addIndex`: the controlling owner's uid, or `orphan/NAMESPACE` for an object that nothing controls. */
export function controllerUidOf(object: KubernetesObject): readonly string[] {
  return [controllerOf(object)?.uid ?? orphansOf(object.metadata.namespace)]
}

export function orphansOf(namespace: string | undefined): string {
  return `orphan/${namespace ?? ''}`
}

export interface ClaimOptions<T extends KubernetesObject, O extends KubernetesObject> {
  readonly client: Client
  readonly type: ResourceType<T>
  readonly ownerType: ResourceType<O>
  readonly owner: O
  /** Objects that the owner controls, and ones that nothing controls. */
  readonly candidates: readonly T[]
  readonly matches: (object: T) => boolean
  /** Comes and goes with the owner reference. */
  readonly finalizer?: string
}

/**
 * The candidates that belong to the owner, after adopting those that match and releasing those that no longer do. An object that
 * changed meanwhile is left for the next pass.
 */
export async function claim<T extends KubernetesObject, O extends KubernetesObject>(
  options: ClaimOptions<T, O>,
): Promise<readonly T[]> {
  const { owner, candidates, matches } = options
  const claimed: T[] = []
  let mayAdopt: boolean | undefined
  for (const object of candidates) {
    const isOurs = isControlledBy(object, owner)
    if (isOurs && matches(object)) claimed.push(object)
    else if (isOurs && owner.metadata.deletionTimestamp === undefined) await release(options, object)
    else if (!isOurs && isAdoptable(owner, object) && matches(object)) {
      // The cache may not know yet that the owner is on its way out, or was made anew.
      mayAdopt ??= await isStillThere(options)
      const adopted = mayAdopt ? await adopt(options, object) : undefined
      if (adopted !== undefined) claimed.push(adopted)
    }
  }
  return claimed
}

function isAdoptable(owner: KubernetesObject, object: KubernetesObject): boolean {
  return (
    controllerOf(object) === undefined &&
    owner.metadata.deletionTimestamp === undefined &&
    object.metadata.deletionTimestamp === undefined
  )
}

async function isStillThere<T extends KubernetesObject, O extends KubernetesObject>({
  client,
  ownerType,
  owner: { metadata },
}: ClaimOptions<T, O>): Promise<boolean> {
  const fresh = await ignoreReason('NotFound', client.get(ownerType, metadata))
  return fresh !== undefined && fresh.metadata.uid === metadata.uid && fresh.metadata.deletionTimestamp === undefined
}

function adopt<T extends KubernetesObject, O extends KubernetesObject>(
  options: ClaimOptions<T, O>,
  object: T,
): Promise<T | undefined> {
  const reference = controllerReference(options.ownerType, options.owner)
  const others = (object.metadata.ownerReferences ?? []).filter(({ uid }) => uid !== reference.uid)
  return setOwners(options, object, [...others, reference], true)
}

async function release<T extends KubernetesObject, O extends KubernetesObject>(
  options: ClaimOptions<T, O>,
  object: T,
): Promise<void> {
  const others = (object.metadata.ownerReferences ?? []).filter(({ uid }) => uid !== options.owner.metadata.uid)
  await setOwners(options, object, others, false)
}

async function setOwners<T extends KubernetesObject, O extends KubernetesObject>(
  { client, type, finalizer }: ClaimOptions<T, O>,
  { metadata }: T,
  ownerReferences: readonly OwnerReference[],
  isOwned: boolean,
): Promise<T | undefined> {
  const { uid, resourceVersion, finalizers = [] } = metadata
  const others = finalizers.filter((each) => each !== finalizer)
  const body = {
    metadata: {
      uid,
      resourceVersion,
      ownerReferences: ownerReferences.length === 0 ? null : ownerReferences,
      ...(finalizer === undefined ? {} : { finalizers: isOwned ? [...others, finalizer] : others }),
    },
  }
  try {
    return await client.patch(type, metadata, { kind: 'merge', body })
  } catch (error) {
    if (isReason(error, 'NotFound', 'Conflict')) return undefined
    throw error
  }
}
