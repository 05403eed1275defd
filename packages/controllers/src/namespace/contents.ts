// Emptying a namespace of one resource.

import type { KubernetesObject, ResourceType } from '@aksel/api/resource'
import { isReason } from '@aksel/base/errors'
import type { Client } from '@aksel/client/client'

/** What is left of one resource after its deletion was asked for. */
export interface Remains {
  readonly type: ResourceType
  readonly objects: readonly KubernetesObject[]
}

/** Asks for the deletion of all there is of one resource, and lists what has not gone at once. */
export async function empty(client: Client, type: ResourceType, namespace: string): Promise<Remains> {
  const before = await client.list(type, { namespace })
  if (before.items.length === 0) return { type, objects: [] }
  await deleteAll(client, type, namespace, before.items)
  const after = await client.list(type, { namespace })
  return { type, objects: after.items }
}

async function deleteAll(
  client: Client,
  type: ResourceType,
  namespace: string,
  items: readonly KubernetesObject[],
): Promise<void> {
  if (items.every(({ metadata }) => metadata.deletionTimestamp !== undefined)) return
  try {
    await client.deleteCollection(type, { namespace, propagationPolicy: 'Background' })
  } catch (error) {
    if (!isReason(error, 'MethodNotAllowed')) throw error
    for (const { metadata } of items) await deleteOne(client, type, namespace, metadata.name)
  }
}

async function deleteOne(client: Client, type: ResourceType, namespace: string, name: string): Promise<void> {
  try {
    await client.delete(type, { namespace, name }, { propagationPolicy: 'Background' })
  } catch (error) {
    if (!isReason(error, 'NotFound')) throw error
  }
}

/** `pods.`, `deployments.apps`: how upstream's conditions name a resource. */
export function versionedName(type: ResourceType): string {
  return type.group === '' ? `${type.plural}.` : `${type.plural}.${type.group}`
}
