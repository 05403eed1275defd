// DELETE: at once, after a grace period, or when the last finalizer is gone.

import type { KindRow } from '@aksel/api/kind-row'
import type { KubernetesObject } from '@aksel/api/resource'
import { formatTime } from '@aksel/base/clock'
import { draftOf, type Draft } from '@aksel/base/draft'
import { admissionRequestOf } from '../admission/request.ts'
import { conflictError, notFoundError } from '../refusals.ts'
import { writtenDry, writtenRecord } from './create.ts'
import type { DeleteOptions } from './delete-options.ts'
import type { StoredRecord } from './record.ts'
import { type Registry, type WriteCall, type Written } from './registry.ts'

export type Deletion =
  /** The object is gone: as it was last, with the version of its deletion. */
  | { readonly kind: 'removed'; readonly written: Written }
  /** It is marked and will go. */
  | { readonly kind: 'marked'; readonly written: Written }

const orphanFinalizer = 'orphan'
const foregroundFinalizer = 'foregroundDeletion'

export async function deleteObject(
  registry: Registry,
  call: WriteCall,
  name: string,
  options: DeleteOptions,
): Promise<Deletion> {
  while (true) {
    const current = await registry.records.get(call.row, call.namespace, name)
    if (current === undefined) throw notFoundError(call.row, name)
    checkPreconditions(call.row, current.object, options)
    const request = admissionRequestOf(call, {
      operation: 'DELETE',
      subresource: '',
      name,
      object: undefined,
      old: current.object,
    })
    await registry.admission.mutate(request)
    await registry.admission.validate(request)
    const deletion = await tryDelete(registry, call, current, options)
    if (deletion !== undefined) return deletion
  }
}

async function tryDelete(
  registry: Registry,
  call: WriteCall,
  current: StoredRecord,
  options: DeleteOptions,
): Promise<Deletion | undefined> {
  const { row, dryRun } = call
  const next = draftOf(current.object)
  const changed = mark(row, next, current.object, options, registry.scope.clock.now())
  if (isReadyToGo(row, next as KubernetesObject)) {
    if (dryRun) return { kind: 'removed', written: writtenRecord(current, false) }
    const removed = await removeRecord(registry, call, current)
    return removed === undefined ? undefined : { kind: 'removed', written: writtenRecord(removed, false) }
  }
  if (!changed) return { kind: 'marked', written: writtenRecord(current, false) }
  if (dryRun) return { kind: 'marked', written: writtenDry(next as KubernetesObject, false, current.resourceVersion) }
  delete next.metadata.resourceVersion
  const record = await registry.records.put(row, next as KubernetesObject, current, call.fence)
  return record === undefined ? undefined : { kind: 'marked', written: writtenRecord(record, false) }
}

/** Sets deletionTimestamp, grace period and the finalizers of the wished propagation. True when anything changed. */
function mark(
  row: KindRow,
  next: Draft<KubernetesObject>,
  old: KubernetesObject,
  options: DeleteOptions,
  nowMs: number,
): boolean {
  let changed = applyPropagation(row, next, options)
  const graceSeconds = row.deletion.gracePeriodSeconds?.(old, options.gracePeriodSeconds) ?? 0
  const { metadata } = next
  if (old.metadata.deletionTimestamp === undefined) {
    metadata.deletionTimestamp = formatTime(nowMs + graceSeconds * 1000)
    metadata.deletionGracePeriodSeconds = graceSeconds
    if (metadata.generation !== undefined && metadata.generation > 0) metadata.generation += 1
    row.deletion.mark?.(next)
    return true
  }
  const held = old.metadata.deletionGracePeriodSeconds ?? 0
  // A second delete can only shorten what is left.
  if (
    row.deletion.gracePeriodSeconds !== undefined &&
    options.gracePeriodSeconds !== undefined &&
    graceSeconds < held
  ) {
    const markedMs = Date.parse(old.metadata.deletionTimestamp) - held * 1000
    metadata.deletionTimestamp = formatTime(markedMs + graceSeconds * 1000)
    metadata.deletionGracePeriodSeconds = graceSeconds
    changed = true
  }
  return changed
}

function applyPropagation(row: KindRow, next: Draft<KubernetesObject>, options: DeleteOptions): boolean {
  const before = next.metadata.finalizers ?? []
  const wish =
    options.orphanDependents === undefined
      ? options.propagationPolicy
      : options.orphanDependents
        ? 'Orphan'
        : 'Background'
  const policy =
    wish ??
    (before.includes(orphanFinalizer)
      ? 'Orphan'
      : before.includes(foregroundFinalizer)
        ? 'Foreground'
        : row.defaultPropagation)
  const after = before.filter((one) => one !== orphanFinalizer && one !== foregroundFinalizer)
  if (policy === 'Orphan') after.push(orphanFinalizer)
  if (policy === 'Foreground') after.push(foregroundFinalizer)
  if (after.length === before.length && after.every((one) => before.includes(one))) return false
  if (after.length === 0) delete next.metadata.finalizers
  else next.metadata.finalizers = after
  return true
}

/** Marked, nobody holds it, and its time is up. */
export function isReadyToGo(row: KindRow, object: KubernetesObject): boolean {
  const { deletionTimestamp, deletionGracePeriodSeconds = 0, finalizers = [] } = object.metadata
  if (deletionTimestamp === undefined || deletionGracePeriodSeconds > 0 || finalizers.length > 0) return false
  return row.deletion.isHeld?.(object) !== true
}

/** Removes the record and frees what it held; undefined when it changed meanwhile. */
export async function removeRecord(
  registry: Registry,
  { row, fence }: Pick<WriteCall, 'row' | 'fence'>,
  record: StoredRecord,
): Promise<StoredRecord | undefined> {
  const removed = await registry.records.delete(row, record, fence)
  if (removed !== undefined) registry.allocations.settle(row, record.object, undefined)
  return removed
}

function checkPreconditions(row: KindRow, object: KubernetesObject, { preconditions }: DeleteOptions): void {
  const { name, uid, resourceVersion } = object.metadata
  if (preconditions?.uid !== undefined && preconditions.uid !== uid) {
    throw conflictError(
      row,
      name,
      `Precondition failed: UID in precondition: ${preconditions.uid}, UID in object meta: ${uid}`,
    )
  }
  if (preconditions?.resourceVersion !== undefined && preconditions.resourceVersion !== resourceVersion) {
    throw conflictError(
      row,
      name,
      `Precondition failed: ResourceVersion in precondition: ${preconditions.resourceVersion}, ResourceVersion in object meta: ${resourceVersion}`,
    )
  }
}
