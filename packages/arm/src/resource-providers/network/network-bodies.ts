// Network resources as Azure shows them: etags, provisioning states, children with ids of their own.

import { createHash } from 'node:crypto'
import type { DocumentRecord, Json } from '../../records.ts'
import type { Stored } from '../../store-keyspace.ts'
import type { ChildType, NetworkType } from './network-type.ts'
import { childrenOf, type ChildDocument } from './network-references.ts'
import { networkNamespace, type NetworkWorld } from './network-world.ts'

/** Changes with every write of the record, and with nothing else. */
export function etagOf({ modRevision }: Pick<Stored<unknown>, 'modRevision'>): string {
  return `W/"00000000-0000-0000-0000-${modRevision.toString(16).padStart(12, '0')}"`
}

export function resourceBody(type: NetworkType, stored: Stored<DocumentRecord>, world: NetworkWorld): Json {
  const { kind: _, progress, properties, ...envelope } = stored.value
  const lists = type.children.map((child) => [
    child.path,
    childrenOf(properties, child.path).map((each) => childBody(type, child, each, stored, world)),
  ])
  return {
    ...envelope,
    etag: etagOf(stored),
    properties: {
      ...properties,
      provisioningState: progress?.provisioningState ?? 'Succeeded',
      resourceGuid: guidOf(stored.value.id),
      ...type.show(stored, world),
      ...Object.fromEntries(lists),
    },
  }
}

export function childBody(
  type: NetworkType,
  child: ChildType,
  each: ChildDocument,
  stored: Stored<DocumentRecord>,
  world: NetworkWorld,
): Json {
  return {
    id: `${stored.value.id}/${child.path}/${each.name}`,
    name: each.name,
    etag: etagOf(stored),
    type: `${networkNamespace}/${type.path}/${child.path}`,
    properties: {
      provisioningState: stored.value.progress?.provisioningState ?? 'Succeeded',
      ...child.show(each, stored, world),
    },
  }
}

/** One that stays the same as long as the resource's id does. */
function guidOf(id: string): string {
  const hex = createHash('sha256').update(id.toLowerCase()).digest('hex')
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-4${hex.slice(13, 16)}-8${hex.slice(17, 20)}-${hex.slice(20, 32)}`
}
