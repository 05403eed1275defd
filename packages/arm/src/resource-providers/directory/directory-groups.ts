// Groups of the directory: who is in one is granted what the group is granted, in Azure and inside clusters.

import { keys, type ResourceStore, type Stored } from '../../store-keyspace.ts'

export interface DirectoryGroup {
  readonly kind: 'directoryGroup'
  /** Object id. */
  readonly id: string
  readonly displayName: string
  readonly mailNickname: string
  readonly description: string | null
  readonly createdDateTime: string
  /** Object ids of principals and of other groups. */
  readonly members: readonly string[]
}

export async function directoryGroups(store: ResourceStore): Promise<readonly Stored<DirectoryGroup>[]> {
  return store.list<DirectoryGroup>(keys.directoryGroups)
}

/** Object ids of all groups that a principal is in, groups of groups included. */
export async function groupsOf(store: ResourceStore, objectId: string): Promise<readonly string[]> {
  const all = (await directoryGroups(store)).map(({ value }) => value)
  const found = new Set<string>()
  const visit = (member: string): void => {
    for (const { id, members } of all) {
      if (found.has(id) || !members.some((each) => each.toLowerCase() === member.toLowerCase())) continue
      found.add(id)
      visit(id)
    }
  }
  visit(objectId)
  return [...found]
}
