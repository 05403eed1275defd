// Who owns which fields: metadata.managedFields as entries by owner, and back again in upstream's order.

import { emptySet, isEmptySet, parseFieldSet, type FieldSet } from './field-set.ts'

/** One entry of metadata.managedFields. */
export interface ManagedFieldsEntry {
  readonly manager?: string
  readonly operation?: string
  readonly apiVersion?: string
  /** RFC 3339, seconds. */
  readonly time?: string
  readonly fieldsType?: string
  readonly fieldsV1?: unknown
  readonly subresource?: string
}

export type Operation = 'Apply' | 'Update'

export interface Manager {
  readonly name: string
  readonly operation: Operation
  readonly subresource: string
  /** The version in whose terms `set` names its fields. */
  readonly apiVersion: string
  readonly time: string | undefined
  readonly set: FieldSet
}

/** By `managerKey`. */
export type Managers = ReadonlyMap<string, Manager>

/** What makes an owner: appliers are the same in every version, updaters are not. */
export function managerKey(manager: Pick<Manager, 'name' | 'operation' | 'subresource' | 'apiVersion'>): string {
  const version = manager.operation === 'Apply' ? '' : manager.apiVersion
  return `${manager.operation}\0${version}\0${manager.subresource}\0${manager.name}`
}

/**
 * Undefined where an entry is none: its operation, version, type or fields are not what they may be. Sets in `known` were
 * checked when they were stored.
 */
export function decodeManagers(
  entries: readonly ManagedFieldsEntry[] | undefined,
  known: readonly ManagedFieldsEntry[] = [],
): Managers | undefined {
  const managers = new Map<string, Manager>()
  for (const entry of entries ?? []) {
    const { operation, apiVersion = '', fieldsType, fieldsV1 } = entry
    if ((operation !== 'Apply' && operation !== 'Update') || apiVersion === '' || fieldsType !== 'FieldsV1')
      return undefined
    const set = known.some((one) => one.fieldsV1 === fieldsV1)
      ? (fieldsV1 as FieldSet | undefined)
      : parsedSet(fieldsV1)
    if (set === undefined && fieldsV1 !== undefined) return undefined
    const { manager: name = '', subresource = '', time } = entry
    const manager: Manager = { name, operation, subresource, apiVersion, time, set: set ?? emptySet }
    managers.set(managerKey(manager), manager)
  }
  return managers
}

function parsedSet(raw: unknown): FieldSet | undefined {
  return raw === undefined || raw === null ? emptySet : parseFieldSet(raw)
}

/** Undefined where nobody owns anything. */
export function encodeManagers(managers: Managers): readonly ManagedFieldsEntry[] | undefined {
  const entries = [...managers.values()].filter((manager) => !isEmptySet(manager.set))
  if (entries.length === 0) return undefined
  if (entries.length > 1) entries.sort(compareManagers)
  return entries.map((manager) => ({
    ...(manager.name === '' ? {} : { manager: manager.name }),
    operation: manager.operation,
    apiVersion: manager.apiVersion,
    ...(manager.time === undefined ? {} : { time: manager.time }),
    fieldsType: 'FieldsV1',
    fieldsV1: manager.set,
    ...(manager.subresource === '' ? {} : { subresource: manager.subresource }),
  }))
}

function compareManagers(a: Manager, b: Manager): number {
  return (
    compareText(a.operation, b.operation) ||
    secondsOf(a) - secondsOf(b) ||
    compareText(a.name, b.name) ||
    compareText(a.apiVersion, b.apiVersion) ||
    compareText(a.subresource, b.subresource)
  )
}

function compareText(a: string, b: string): number {
  return a === b ? 0 : a < b ? -1 : 1
}

/** Seconds since 1970; 0 for an entry without a time. */
export function secondsOf({ time }: Manager): number {
  return time === undefined ? 0 : Math.floor(Date.parse(time) / 1000)
}

/** The caller asks for all entries to be forgotten: an empty list, or one with a single empty entry. */
export function isReset(entries: readonly ManagedFieldsEntry[] | undefined): boolean {
  if (entries === undefined || entries.length > 1) return false
  return entries.length === 0 || Object.keys(entries[0]!).length === 0
}
