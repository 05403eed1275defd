// The stage of a write that keeps metadata.managedFields: after defaulting, before admission.

import { trackUpdate, type FieldWriter } from '@aksel/api/apply/field-manager'
import { decodeManagers, type ManagedFieldsEntry } from '@aksel/api/apply/managers'
import { deepEqual } from '@aksel/api/deep-equal'
import type { KubernetesObject } from '@aksel/api/resource'
import { formatTime } from '@aksel/base/clock'
import type { Draft } from '@aksel/base/draft'
import type { Registry, WriteCall } from './registry.ts'

export type Entries = readonly ManagedFieldsEntry[]

export function writerOf(registry: Registry, call: WriteCall, subresource: string): FieldWriter {
  return { manager: call.fieldManager, subresource, time: formatTime(registry.scope.clock.now()) }
}

/** Gives what `next` changes to the caller. */
export async function recordOwners(
  registry: Registry,
  call: WriteCall,
  subresource: string,
  next: Draft<KubernetesObject>,
  old: KubernetesObject | undefined,
): Promise<void> {
  const kind = registry.managed.of(call.row)
  setEntries(next, await trackUpdate(kind, old, next as KubernetesObject, writerOf(registry, call, subresource)))
}

export function setEntries({ metadata }: Draft<KubernetesObject>, entries: Entries | undefined): void {
  if (entries === undefined) delete metadata.managedFields
  else metadata.managedFields = entries as NonNullable<typeof metadata.managedFields>
}

export function entriesOf({ metadata }: KubernetesObject): Entries | undefined {
  return metadata.managedFields as Entries | undefined
}

/** What admission made of the entries has to be entries; else they stay as they were, and the caller is told. */
export function keepValidEntries(
  next: Draft<KubernetesObject>,
  before: Entries | undefined,
  warnings: Set<string>,
): void {
  const after = entriesOf(next as KubernetesObject)
  if (after === before || decodeManagers(after, before) !== undefined) return
  warnings.add(
    '.metadata.managedFields was in an invalid state after admission; this could be caused by an outdated mutating admission controller; please fix your requests',
  )
  setEntries(next, before)
}

/** A write that changes nothing but the times of its entries is no write: the old times stay. */
export function keepTimesOfNoChange(next: Draft<KubernetesObject>, old: KubernetesObject): void {
  const [after, before] = [entriesOf(next as KubernetesObject), entriesOf(old)]
  if (after === undefined || before === undefined || after === before || after.length !== before.length) return
  if (!after.every((entry, index) => sameButTime(entry, before[index]!))) return
  const { managedFields: _, ...metadata } = next.metadata
  const { managedFields: _before, resourceVersion: _version, ...oldMetadata } = old.metadata
  if (deepEqual({ ...next, metadata }, { ...old, metadata: oldMetadata })) setEntries(next, before)
}

function sameButTime(a: ManagedFieldsEntry, b: ManagedFieldsEntry): boolean {
  return (
    a.manager === b.manager &&
    a.operation === b.operation &&
    a.apiVersion === b.apiVersion &&
    a.subresource === b.subresource &&
    (a.fieldsV1 === b.fieldsV1 || deepEqual(a.fieldsV1, b.fieldsV1))
  )
}
