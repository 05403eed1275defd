// Resource groups in the store: read, write, begin a delete. What empties a group is the reconciler's work.

import { ArmError } from '@aksel/base/errors'
import type { Scope } from '@aksel/base/scope'
import { groupBeingDeleted, groupNotFound } from '../../azure-errors.ts'
import { groupId, type GroupRef } from '../../resource-id.ts'
import { keys, type ResourceStore, type Stored } from '../../store-keyspace.ts'
import type { Hub } from '../../hub.ts'
import { newOperation, startOf } from '../../operations.ts'
import type { GroupRecord, OperationRecord, Resource, Tags } from '../../records.ts'

export const groupType = 'Microsoft.Resources/resourceGroups'

/** The group; throws ResourceGroupNotFound. */
export async function readGroup(store: ResourceStore, ref: GroupRef): Promise<Stored<GroupRecord>> {
  const stored = await store.get<GroupRecord>(keys.resource(groupId(ref)))
  if (stored === undefined) throw groupNotFound(ref.resourceGroup)
  return stored
}

/** The group, where things may be made in it. */
export async function readLiveGroup(store: ResourceStore, ref: GroupRef): Promise<GroupRecord> {
  const { value } = await readGroup(store, ref)
  if (value.progress.deleting === true) throw groupBeingDeleted(value.name)
  return value
}

/** Whether pools in the group are simulated although nobody asked for it. Throws ResourceGroupNotFound. */
export async function isSimulatedIn(hub: Hub, ref: GroupRef): Promise<boolean> {
  if (hub.sharing === undefined) return hub.suppliers.simulatedByDefault
  return (await readGroup(hub.store, ref)).value.host === undefined
}

/** All groups of a subscription. Resources share the prefix; only groups are returned. */
export async function listGroups(store: ResourceStore, subscriptionId: string): Promise<readonly GroupRecord[]> {
  const all = await store.list<GroupRecord>(keys.below(`/subscriptions/${subscriptionId}/resourcegroups`))
  return all.filter(({ value }) => value.kind === 'group').map(({ value }) => value)
}

/** Top-level resources in a group, or in all groups of a subscription. */
export async function listResources(store: ResourceStore, belowId: string): Promise<readonly Resource[]> {
  const all = await store.list<Resource & { readonly kind: string }>(keys.below(belowId))
  return all.filter(({ value }) => value.kind === 'cluster' || value.kind === 'document').map(({ value }) => value)
}

export interface GroupWrite {
  readonly location: string
  readonly tags?: Tags
  readonly managedBy?: string
  /** The server whose networks and machines what is made in it gets; a group that is there stays where it is. */
  readonly host?: string
}

export async function putGroup(
  store: ResourceStore,
  ref: GroupRef,
  write: GroupWrite,
): Promise<{ readonly created: boolean; readonly group: GroupRecord }> {
  const id = groupId(ref)
  const key = keys.resource(id)
  return store.decide(async () => {
    const current = await store.get<GroupRecord>(key)
    if (current?.value.progress.deleting === true) throw groupBeingDeleted(current.value.name)
    if (current !== undefined && current.value.location !== write.location) {
      throw new ArmError(
        409,
        'InvalidResourceGroupLocation',
        `Invalid resource group location '${write.location}'. The Resource group already exists in location '${current.value.location}'.`,
      )
    }
    const identity = current?.value ?? { id, name: ref.resourceGroup }
    const { host: here, ...rest } = write
    const host = current === undefined ? here : current.value.host
    const group: GroupRecord = {
      kind: 'group',
      id: identity.id,
      name: identity.name,
      type: groupType,
      ...rest,
      ...(host === undefined ? {} : { host }),
      progress: { provisioningState: 'Succeeded' },
    }
    const expected = current?.modRevision ?? 0
    return {
      changes: [{ kind: 'put', key, value: group, expected }],
      result: { created: current === undefined, group },
    }
  })
}

/** Marks the group for deletion; a second delete joins the first. */
export async function beginGroupDelete(scope: Scope, store: ResourceStore, ref: GroupRef): Promise<OperationRecord> {
  return store.decide(async () => {
    const { key, value, modRevision } = await readGroup(store, ref)
    const running = await runningOperation(store, ref.subscriptionId, value)
    if (value.managedBy !== undefined && (await store.get(keys.resource(value.managedBy))) !== undefined) {
      throw new ArmError(
        403,
        'DenyAssignmentAuthorizationFailed',
        `The resource group '${value.name}' is managed by '${value.managedBy}' and goes with it: delete that instead.`,
      )
    }
    if (running !== undefined) return { changes: [], result: running }
    const operation = newOperation(scope, {
      subscriptionId: ref.subscriptionId,
      location: value.location,
      resourceId: value.id,
      outcome: 'nothing',
    })
    const next: GroupRecord = {
      ...value,
      progress: { provisioningState: 'Deleting', deleting: true, operationId: operation.id },
    }
    return {
      changes: [startOf(operation), { kind: 'put', key, value: next, expected: modRevision }],
      result: operation,
    }
  })
}

async function runningOperation(
  store: ResourceStore,
  subscriptionId: string,
  group: GroupRecord,
): Promise<OperationRecord | undefined> {
  const { deleting, operationId } = group.progress
  if (deleting !== true || operationId === undefined) return undefined
  return (await store.get<OperationRecord>(keys.operation(subscriptionId, operationId)))?.value
}

export function groupBody(group: GroupRecord): unknown {
  const { id, name, type, location, tags, managedBy, progress } = group
  return {
    id,
    name,
    type,
    location,
    ...(managedBy === undefined ? {} : { managedBy }),
    ...(tags === undefined ? {} : { tags }),
    properties: { provisioningState: progress.provisioningState },
  }
}
