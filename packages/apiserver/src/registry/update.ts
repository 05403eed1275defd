// Every change of a stored object: PUT, PATCH, scale, status and other subresources. Read, change, judge, write guarded by
// the revision that was read; again when someone was faster and the caller did not insist on a revision.

import { invalid, invalidError, type FieldError } from '@aksel/api/field-errors'
import type { KindRow, WriteContext } from '@aksel/api/kind-row'
import type { KubernetesObject } from '@aksel/api/resource'
import type { Draft } from '@aksel/base/draft'
import { ApiError } from '@aksel/base/errors'
import type { ShownBody } from '../admission/admission.ts'
import { admissionRequestOf } from '../admission/request.ts'
import { conflictError, notFoundError } from '../refusals.ts'
import { createObject, matchNamespace, writtenDry, writtenRecord } from './create.ts'
import { isReadyToGo, removeRecord } from './delete.ts'
import { dropDoubleOwners } from './owner-references.ts'
import { keepTimesOfNoChange, keepValidEntries, recordOwners, setEntries, entriesOf } from './ownership.ts'
import type { StoredRecord } from './record.ts'
import { writeContext, type Registry, type WriteCall, type Written } from './registry.ts'

export interface Change {
  readonly name: string
  /** '' for the whole object. */
  readonly subresource: string
  /** The wanted object from the current one (undefined: there is none, and it may be created). Called again on every try. */
  next(current: KubernetesObject | undefined): Draft<KubernetesObject> | Promise<Draft<KubernetesObject>>
  /** A PUT or apply of the whole object may create it, where the kind allows. */
  readonly mayCreate?: boolean
  /** PATCH without a resourceVersion never conflicts; PUT may be refused for the lack of one. */
  readonly needsVersion?: boolean
  /**
   * Who owns what it changes: the caller (`recorded`, the default), as `next` has settled itself (`settled`: an apply), or
   * whoever owned it (`kept`: a binding).
   */
  readonly ownership?: 'recorded' | 'settled' | 'kept'
  /** What admission is shown; `UPDATE` unless told otherwise. */
  readonly operation?: 'UPDATE' | 'CREATE'
  /** Shown to webhooks and policies in place of the object. */
  readonly body?: ShownBody
}

/** A write that meets others in its way is tried again this often. */
const TRIES_MAX = 32

export async function changeObject(registry: Registry, call: WriteCall, change: Change): Promise<Written> {
  for (let tries = 1; tries <= TRIES_MAX; tries += 1) {
    const current = await registry.records.get(call.row, call.namespace, change.name)
    if (current === undefined) {
      if (change.mayCreate !== true) throw notFoundError(call.row, change.name)
      return createObject(registry, call, await change.next(undefined), { isOwned: change.ownership === 'settled' })
    }
    const written = await tryChange(registry, call, change, current)
    if (written !== undefined) return written
  }
  throw new ApiError('Conflict', conflictError(call.row, change.name).message)
}

async function tryChange(
  registry: Registry,
  call: WriteCall,
  change: Change,
  current: StoredRecord,
): Promise<Written | undefined> {
  const { row } = call
  const old = current.object
  const next = await change.next(old)
  const insisted = checkIdentity(row, change, next, old)
  matchNamespace(next, row.namespaced ? call.namespace : '')
  keepIdentity(next, old)
  const context = writeContext(registry, call)
  row.default(next)
  dropDoubleOwners(next, 'sent', call.warnings)
  if (change.ownership === 'kept') setEntries(next, entriesOf(old))
  else if (change.ownership !== 'settled') await recordOwners(registry, call, change.subresource, next, old)
  await call.turns?.take()
  prepare(row, change.subresource, next, old, context)
  await admitAndValidate(registry, call, change, next, old, context)
  keepTimesOfNoChange(next, old)
  if (isReadyToGo(row, next as KubernetesObject) && old.metadata.deletionTimestamp !== undefined) {
    if (call.dryRun) return writtenDry(next as KubernetesObject, false, old.metadata.resourceVersion)
    const removed = await removeRecord(registry, call, current)
    return removed === undefined ? retryOrConflict(row, change.name, insisted) : writtenRecord(removed, false)
  }
  const reservation = await registry.allocations.reserve(call, next, old)
  if (call.dryRun) {
    reservation.release()
    return writtenDry(next as KubernetesObject, false, old.metadata.resourceVersion)
  }
  try {
    const record = await registry.records.put(row, next as KubernetesObject, current, call.fence)
    if (record !== undefined) {
      registry.allocations.settle(row, old, record.object)
      return writtenRecord(record, false)
    }
  } catch (error) {
    reservation.release()
    throw error
  }
  reservation.release()
  return retryOrConflict(row, change.name, insisted)
}

function retryOrConflict(row: KindRow, name: string, insisted: boolean): undefined {
  if (insisted) throw conflictError(row, name)
  return undefined
}

/** True when the caller named the revision that it saw. Throws Conflict where it is not the current one. */
function checkIdentity(row: KindRow, change: Change, next: Draft<KubernetesObject>, old: KubernetesObject): boolean {
  const { name, uid, resourceVersion = '' } = next.metadata
  if (name !== undefined && name !== '' && name !== old.metadata.name) {
    throw new ApiError(
      'BadRequest',
      `the name of the object (${name}) does not match the name on the URL (${old.metadata.name})`,
    )
  }
  if (uid !== undefined && uid !== '' && uid !== old.metadata.uid) {
    throw conflictError(
      row,
      change.name,
      `Precondition failed: UID in precondition: ${uid}, UID in object meta: ${old.metadata.uid}`,
    )
  }
  if (resourceVersion === '' || resourceVersion === '0') {
    if (change.needsVersion === true && !row.allowUnconditionalUpdate) {
      const error = invalid('metadata.resourceVersion', 0, 'must be specified for an update')
      throw invalidError({ group: row.group, kind: row.kind, name: change.name }, [
        { ...error, message: error.message.replace('0', '0x0') },
      ])
    }
    return false
  }
  if (resourceVersion !== old.metadata.resourceVersion) throw conflictError(row, change.name)
  return true
}

/** What no write may change is put back, so that clients need not send it. */
function keepIdentity({ metadata }: Draft<KubernetesObject>, { metadata: old }: KubernetesObject): void {
  metadata.name = old.name
  if (old.uid !== undefined) metadata.uid = old.uid
  if (old.creationTimestamp !== undefined) metadata.creationTimestamp = old.creationTimestamp
  if (old.generateName !== undefined && metadata.generateName === undefined) metadata.generateName = old.generateName
  if (old.deletionTimestamp === undefined) delete metadata.deletionTimestamp
  else metadata.deletionTimestamp = old.deletionTimestamp
  if (old.deletionGracePeriodSeconds === undefined) delete metadata.deletionGracePeriodSeconds
  else metadata.deletionGracePeriodSeconds = old.deletionGracePeriodSeconds
  if (old.generation === undefined) delete metadata.generation
  else metadata.generation = old.generation
  delete metadata.resourceVersion
  delete metadata.selfLink
}

function prepare(
  row: KindRow,
  subresource: string,
  next: Draft<KubernetesObject>,
  old: KubernetesObject,
  context: WriteContext,
): void {
  // An action such as a binding has judged for itself what it may change.
  if (row.subresourceActions[subresource] !== undefined) return
  const rules = row.subresourceUpdates[subresource]
  if (rules === undefined) row.prepareForUpdate(next, old, context)
  else rules.prepareForUpdate(next, old, context)
}

async function admitAndValidate(
  registry: Registry,
  call: WriteCall,
  change: Change,
  next: Draft<KubernetesObject>,
  old: KubernetesObject,
  context: WriteContext,
): Promise<void> {
  const { row, warnings } = call
  const request = admissionRequestOf(call, {
    operation: change.operation ?? 'UPDATE',
    subresource: change.subresource,
    name: change.name,
    object: next,
    old,
    ...(change.body === undefined ? {} : { body: change.body }),
  })
  const owners = entriesOf(next as KubernetesObject)
  if (await registry.admission.mutate(request)) {
    row.default(next)
    dropDoubleOwners(next, 'admitted', warnings)
    keepValidEntries(next, owners, warnings)
  }
  await call.turns?.take()
  const errors = fieldErrors(row, change.subresource, next as KubernetesObject, old, context)
  if (errors.length > 0) throw invalidError({ group: row.group, kind: row.kind, name: change.name }, errors)
  if (change.subresource === '')
    for (const warning of row.warnings(next as KubernetesObject, old, context.release)) warnings.add(warning)
  await registry.admission.validate(request)
}

function fieldErrors(
  row: KindRow,
  subresource: string,
  next: KubernetesObject,
  old: KubernetesObject,
  context: WriteContext,
): readonly FieldError[] {
  if (row.subresourceActions[subresource] !== undefined) return []
  const rules = row.subresourceUpdates[subresource]
  return rules === undefined ? row.validateUpdate(next, old, context) : rules.validateUpdate(next, old, context)
}
