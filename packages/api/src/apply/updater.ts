// The arithmetic of ownership: what an update takes over, what an apply claims, meets as conflict, and lets go.

import { deepEqual } from '../deep-equal.ts'
import { compareValues, type Comparison } from './compare-values.ts'
import {
  difference,
  emptySet,
  included,
  intersection,
  isEmptySet,
  pathsOf,
  recursiveDifference,
  setOf,
  union,
  type FieldSet,
} from './field-set.ts'
import type { Manager, Managers } from './managers.ts'
import { mergeValues } from './merge-values.ts'
import { fieldSetOf } from './owned-fields.ts'
import { reconcileSet } from './reconcile-set.ts'
import { removeFields, withNamedFields } from './remove-fields.ts'
import type { TypeSchema } from './type-schema.ts'

/** An object in the terms of one version. */
export interface Versioned {
  readonly apiVersion: string
  readonly type: TypeSchema
  readonly value: unknown
}

/** The same object in another version; undefined where that version is not served (any more). */
export type Convert = (object: Versioned, apiVersion: string) => Versioned | undefined | Promise<Versioned | undefined>

export interface UpdaterOptions {
  readonly convert: Convert
  /** Fields that a write does not change whatever it says: nobody comes to own them by it. By apiVersion of the write. */
  readonly ignored: (apiVersion: string) => FieldSet
  /** The only fields that it changes, as a pattern; absent: all others. */
  readonly only?: FieldSet | undefined
}

export interface Conflict {
  readonly manager: Manager
  readonly path: readonly string[]
}

/** Thrown by `applyTo` where others own what the configuration changes. */
export class ApplyConflicts extends Error {
  readonly conflicts: readonly Conflict[]

  constructor(conflicts: readonly Conflict[]) {
    super(`${conflicts.length} conflicts`)
    this.name = 'ApplyConflicts'
    this.conflicts = conflicts
  }
}

export interface WriteBy {
  /** Its key in `managers`. */
  readonly key: string
  /** Who it is; its set is not looked at, its time is that of the write. */
  readonly manager: Manager
}

/** Ownership after `next` was written in place of `live`: what the write added or modified is the writer's. */
export async function updateOwners(
  options: UpdaterOptions,
  write: { readonly live: Versioned; readonly next: Versioned; readonly managers: Managers; readonly by: WriteBy },
): Promise<Managers> {
  const { live, next, by } = write
  const managers = new Map(await reconciled(options, live, write.managers))
  const compared = await spread(options, { live, next, managers, key: undefined, force: true })
  const taken = difference(union(compared.modified, compared.added), neverOwned)
  if (isEmptySet(taken)) return managers
  managers.set(by.key, { ...by.manager, set: union(taken, managers.get(by.key)?.set ?? emptySet) })
  return managers
}

/** What identifies an object or is the server's own belongs to nobody. */
export const neverOwned = setOf(
  ['f:apiVersion'],
  ['f:kind'],
  ['f:metadata'],
  ...[
    'name',
    'namespace',
    'creationTimestamp',
    'selfLink',
    'uid',
    'clusterName',
    'generation',
    'managedFields',
    'resourceVersion',
  ].map((name) => ['f:metadata', `f:${name}`]),
)

export interface Applied {
  /** The merged object; undefined where nothing changes. */
  readonly object: Versioned | undefined
  readonly managers: Managers
}

/** Merges a configuration into the live object. Throws ApplyConflicts unless forced. */
export async function applyTo(
  options: UpdaterOptions,
  write: {
    readonly live: Versioned
    readonly config: Versioned
    readonly managers: Managers
    readonly by: WriteBy
    readonly force: boolean
  },
): Promise<Applied> {
  const { live, config, by, force } = write
  const managers = new Map(await reconciled(options, live, write.managers))
  const merged: Versioned = { ...config, value: mergeValues(config.type, live.value, config.value) }
  const last = managers.get(by.key)
  const set = changeable(options, config.apiVersion, fieldSetOf(config.type, config.value))
  managers.set(by.key, { ...by.manager, time: last?.time, set })
  const next = await pruned(options, merged, managers, last)
  await spread(options, { live, next, managers, key: by.key, force })
  const isSame = deepEqual(live.value, next.value)
  const kept = difference(set, neverOwned)
  if (isEmptySet(kept)) managers.delete(by.key)
  else managers.set(by.key, { ...by.manager, time: isSame ? last?.time : by.manager.time, set: kept })
  return { object: isSame ? undefined : next, managers }
}

interface Spread {
  readonly live: Versioned
  readonly next: Versioned
  readonly managers: Map<string, Manager>
  /** An applier, who cannot be in conflict with itself. */
  readonly key: string | undefined
  readonly force: boolean
}

/** Takes from all others what the write changed or removed. Throws ApplyConflicts unless forced. */
async function spread(options: UpdaterOptions, { live, next, managers, key, force }: Spread): Promise<Comparison> {
  const own = without(compareValues(next.type, live.value, next.value), options, next.apiVersion)
  const byVersion = new Map<string, Comparison>([[next.apiVersion, own]])
  const changes: {
    readonly key: string
    readonly manager: Manager
    readonly lost: FieldSet
    readonly removed: FieldSet
  }[] = []
  for (const [other, manager] of managers) {
    if (other === key) continue
    let compared = byVersion.get(manager.apiVersion)
    if (compared === undefined) {
      compared = await comparedIn(options, manager.apiVersion, live, next)
      if (compared === undefined) {
        managers.delete(other)
        continue
      }
      byVersion.set(manager.apiVersion, compared)
    }
    const lost = intersection(manager.set, union(compared.modified, compared.added))
    if (!isEmptySet(lost) || !isEmptySet(compared.removed))
      changes.push({ key: other, manager, lost, removed: compared.removed })
  }
  const conflicts = changes.flatMap(({ manager, lost }) => pathsOf(lost).map((path): Conflict => ({ manager, path })))
  if (!force && conflicts.length > 0) throw new ApplyConflicts(conflicts)
  for (const { key: other, manager, lost, removed } of changes) {
    const set = difference(difference(manager.set, lost), removed)
    managers.set(other, { ...manager, set })
  }
  for (const [other, manager] of managers) if (isEmptySet(manager.set)) managers.delete(other)
  return own
}

function without(compared: Comparison, options: UpdaterOptions, apiVersion: string): Comparison {
  if (options.only === undefined && isEmptySet(options.ignored(apiVersion))) return compared
  return {
    added: changeable(options, apiVersion, compared.added),
    removed: changeable(options, apiVersion, compared.removed),
    modified: changeable(options, apiVersion, compared.modified),
  }
}

function changeable({ ignored, only }: UpdaterOptions, apiVersion: string, set: FieldSet): FieldSet {
  const left = recursiveDifference(set, ignored(apiVersion))
  return only === undefined ? left : included(left, only)
}

async function comparedIn(
  options: UpdaterOptions,
  apiVersion: string,
  live: Versioned,
  next: Versioned,
): Promise<Comparison | undefined> {
  const [before, after] = [await options.convert(live, apiVersion), await options.convert(next, apiVersion)]
  if (before === undefined || after === undefined) return undefined
  return without(compareValues(after.type, before.value, after.value), options, apiVersion)
}

/** Sets as today's types name the fields: a list that became one piece is owned as one piece. */
async function reconciled(options: UpdaterOptions, live: Versioned, managers: Managers): Promise<Managers> {
  let kept: Map<string, Manager> | undefined
  for (const [key, manager] of managers) {
    const object = manager.apiVersion === live.apiVersion ? live : await options.convert(live, manager.apiVersion)
    const set = object === undefined ? undefined : reconcileSet(object.type, manager.set)
    if (set === manager.set) continue
    kept ??= new Map(managers)
    if (set === undefined) kept.delete(key)
    else kept.set(key, { ...manager, set })
  }
  return kept ?? managers
}

/** Takes away what the manager applied last time, did not apply now, and nobody else claims. */
async function pruned(
  options: UpdaterOptions,
  merged: Versioned,
  managers: Managers,
  last: Manager | undefined,
): Promise<Versioned> {
  if (last === undefined || isEmptySet(last.set)) return merged
  const before = await options.convert(merged, last.apiVersion)
  if (before === undefined) return merged
  const claimed = withNamedFields(before.type, last.set)
  let rest: Versioned = { ...before, value: removeFields(before.type, before.value, claimed) }
  rest = await addBackOwned(options, before, rest, managers)
  const result = addBackDangling(before, await inVersion(options, rest, last.apiVersion), claimed)
  return inVersion(options, result, merged.apiVersion)
}

async function inVersion(options: UpdaterOptions, object: Versioned, apiVersion: string): Promise<Versioned> {
  return object.apiVersion === apiVersion ? object : ((await options.convert(object, apiVersion)) ?? object)
}

/** What others own, or the new configuration claims, comes back. The version of the pruning goes first. */
async function addBackOwned(
  options: UpdaterOptions,
  merged: Versioned,
  rest: Versioned,
  managers: Managers,
): Promise<Versioned> {
  const owned = new Map<string, FieldSet>([[merged.apiVersion, emptySet]])
  for (const { apiVersion, set } of managers.values())
    owned.set(apiVersion, union(owned.get(apiVersion) ?? emptySet, set))
  let kept = rest
  for (const [apiVersion, set] of owned) {
    const [whole, part] = [
      merged.apiVersion === apiVersion ? merged : await options.convert(merged, apiVersion),
      kept.apiVersion === apiVersion ? kept : await options.convert(kept, apiVersion),
    ]
    if (whole === undefined || part === undefined) continue
    const { type } = whole
    const named = (fields: FieldSet): FieldSet => withNamedFields(type, fields)
    const gone = difference(
      named(fieldSetOf(type, whole.value)),
      union(named(fieldSetOf(type, part.value)), named(set)),
    )
    kept = { ...whole, value: removeFields(type, whole.value, gone) }
  }
  return kept
}

/** Only what this manager owned may go: items below a removed one that belong to nobody, or to updaters, stay. */
function addBackDangling(merged: Versioned, rest: Versioned, claimed: FieldSet): Versioned {
  const { type } = merged
  const kept = withNamedFields(type, fieldSetOf(type, rest.value))
  const all = withNamedFields(type, fieldSetOf(type, merged.value))
  return { ...merged, value: removeFields(type, merged.value, intersection(difference(all, kept), claimed)) }
}
