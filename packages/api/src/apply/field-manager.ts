// Keeps metadata.managedFields true: called with every write of an object, and the whole of a server-side apply.

import { ApiError } from '@aksel/base/errors'
import type { KubernetesObject } from '../resource.ts'
import { capManagers } from './cap-managers.ts'
import { checkConfiguration } from './configuration.ts'
import { applyConflictError } from './conflict.ts'
import { allowedByLastApplied, setLastApplied } from './last-applied.ts'
import {
  decodeManagers,
  encodeManagers,
  isReset,
  managerKey,
  type ManagedFieldsEntry,
  type Manager,
  type Managers,
} from './managers.ts'
import { ElementError } from './path-element.ts'
import type { ManagedKind } from './managed-kind.ts'
import { newFields } from './new-fields.ts'
import type { JsonMap } from './type-schema.ts'
import {
  ApplyConflicts,
  applyTo,
  neverOwned,
  updateOwners,
  type Applied,
  type UpdaterOptions,
  type Versioned,
  type WriteBy,
} from './updater.ts'

export interface FieldWriter {
  /** The caller's field manager; '' is written `unknown`. */
  readonly manager: string
  readonly subresource: string
  /** RFC 3339. */
  readonly time: string
}

type Entries = readonly ManagedFieldsEntry[]

/** The entries after `next` is written in place of `live` (undefined: it is new). Never throws for the sake of bookkeeping. */
export async function trackUpdate(
  kind: ManagedKind,
  live: KubernetesObject | undefined,
  next: KubernetesObject,
  writer: FieldWriter,
): Promise<Entries | undefined> {
  const before = entriesOf(live)
  const managers = startingManagers(before, entriesOf(next), writer)
  if (managers.size === 0 && live !== undefined) return undefined
  try {
    const first = managers.size === 0 ? firstOwner(kind, next, writer) : undefined
    if (first !== undefined) return encodeManagers(first)
    const write = {
      live: versioned(kind, live),
      next: versioned(kind, next),
      managers,
      by: byOf(kind, writer, 'Update'),
    }
    const after = capManagers(await updateOwners(optionsOf(kind, writer), write))
    return before !== undefined && isSame(after, managers) && managers.size === before.length
      ? before
      : encodeManagers(after)
  } catch (error) {
    if (error instanceof ElementError) return before
    throw error
  }
}

/** Who makes an object owns what it sets. Undefined where that has to be found by comparing. */
function firstOwner(kind: ManagedKind, next: KubernetesObject, writer: FieldWriter): Managers | undefined {
  if (kind.texts === undefined) return undefined
  const { value } = versioned(kind, next)
  const set = newFields(kind.texts, {
    type: kind.type,
    empty: kind.empty() as JsonMap,
    value: value as JsonMap,
    ignored: kind.ignored(writer.subresource)(kind.apiVersion),
    neverOwned,
  })
  if (set === undefined) return undefined
  const { key, manager } = byOf(kind, writer, 'Update')
  return new Map([[key, { ...manager, set }]])
}

/** Whose fields they were: as stored, or as the caller sent them, who may rewrite or reset them on the whole object. */
function startingManagers(
  before: Entries | undefined,
  sent: Entries | undefined,
  { subresource }: FieldWriter,
): Managers {
  const stored = (): Managers => decodeManagers(before, before) ?? new Map<string, Manager>()
  if (subresource !== '' || sent === before) return stored()
  if (isReset(sent)) return new Map()
  const decoded = decodeManagers(sent, before)
  return decoded === undefined || decoded.size === 0 ? stored() : decoded
}

function isSame(a: Managers, b: Managers): boolean {
  if (a.size !== b.size) return false
  for (const [key, manager] of a) {
    const other = b.get(key)
    if (other === undefined || other.set !== manager.set || other.time !== manager.time) return false
  }
  return true
}

export interface Configuration {
  /** The body of the patch: what its author wants to own. */
  readonly value: Readonly<Record<string, unknown>>
  readonly force: boolean
}

export interface AppliedObject {
  /** Plain JSON, still to be decoded and defaulted; undefined where the live object stays as it is. */
  readonly value: Record<string, unknown> | undefined
  readonly managedFields: Entries | undefined
}

/** Merges a configuration. Throws Conflict with every field in question, BadRequest, and Unknown where it does not fit its type. */
export async function applyConfiguration(
  kind: ManagedKind,
  live: KubernetesObject | undefined,
  configuration: Configuration,
  writer: FieldWriter,
): Promise<AppliedObject> {
  checkConfiguration(kind, configuration.value)
  const options = optionsOf(kind, writer)
  const liveValue = versioned(kind, live)
  const managers = await firstManagers(kind, options, { live: liveValue, entries: entriesOf(live), writer })
  const write = {
    live: liveValue,
    config: { apiVersion: kind.apiVersion, type: kind.type, value: configuration.value },
    managers,
    by: byOf(kind, writer, 'Apply'),
    force: configuration.force,
  }
  const applied = await applyAllowing(kind, options, write, writer)
  const value = applied.object?.value as Record<string, unknown> | undefined
  return {
    value: writer.manager === 'kubectl' ? setLastApplied(value, liveValue.value, configuration.value) : value,
    managedFields: encodeManagers(applied.managers),
  }
}

/** What stood there before the first apply belongs to a manager of that name. */
async function firstManagers(
  kind: ManagedKind,
  options: UpdaterOptions,
  {
    live,
    entries,
    writer,
  }: { readonly live: Versioned; readonly entries: Entries | undefined; readonly writer: FieldWriter },
): Promise<Managers> {
  const managers = decodeManagers(entries, entries)
  if (managers === undefined) throw new ApiError('Unknown', 'failed to decode managed fields')
  if (managers.size > 0) return managers
  const by = byOf(kind, { ...writer, manager: 'before-first-apply' }, 'Update')
  return updateOwners(options, { live: versioned(kind, undefined), next: live, managers, by })
}

type ApplyWrite = Parameters<typeof applyTo>[1]

/** kubectl may take over from its own client-side apply what the last-applied annotation says it had set. */
async function applyAllowing(
  kind: ManagedKind,
  options: UpdaterOptions,
  write: ApplyWrite,
  { manager }: FieldWriter,
): Promise<Applied> {
  try {
    return await applyTo(options, write)
  } catch (error) {
    if (error instanceof ElementError) throw new ApiError('Unknown', error.message, { cause: error })
    if (!(error instanceof ApplyConflicts)) throw error
    if (manager !== 'kubectl') throw applyConflictError(error.conflicts)
    const rest = allowedByLastApplied(kind, write.live.value, error.conflicts)
    if (rest.length > 0) throw applyConflictError(rest)
    return applyTo(options, { ...write, force: true })
  }
}

function optionsOf(kind: ManagedKind, { subresource }: FieldWriter): UpdaterOptions {
  return { convert: kind.convert, ignored: kind.ignored(subresource), only: kind.only?.(subresource) }
}

function byOf(kind: ManagedKind, writer: FieldWriter, operation: 'Apply' | 'Update'): WriteBy {
  const { apiVersion } = kind
  const { subresource, time } = writer
  const manager: Manager = {
    name: writer.manager === '' ? 'unknown' : writer.manager,
    operation,
    subresource,
    apiVersion,
    time,
    set: {},
  }
  return { key: managerKey(manager), manager }
}

function versioned(managed: ManagedKind, object: KubernetesObject | undefined): Versioned {
  const { apiVersion, kind, type } = managed
  if (object === undefined) return { apiVersion, type, value: { ...(managed.empty() as object), apiVersion, kind } }
  const { managedFields: _, ...metadata } = object.metadata
  return { apiVersion, type, value: { ...object, metadata } }
}

function entriesOf(object: KubernetesObject | undefined): Entries | undefined {
  return object?.metadata.managedFields as Entries | undefined
}
