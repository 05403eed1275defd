// Groups of a server that begins to share its store: what was made in them has its networks and machines on that server's host.

import type { GroupRecord } from '../records.ts'
import { keys, type ResourceStore } from '../store-keyspace.ts'

export async function bindGroups(store: ResourceStore, host: string): Promise<void> {
  const all = await store.list<GroupRecord>(keys.below('/subscriptions'))
  for (const { key, value } of all) {
    if (value.kind !== 'group' || value.managedBy !== undefined) continue
    await store.update<GroupRecord>(key, (group) => (group.host === undefined ? { ...group, host } : undefined))
  }
}
