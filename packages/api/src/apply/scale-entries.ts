// Ownership of the replicas of an object seen through its scale: the same field under another name.

import { difference, has, isEmptySet, setOf, type FieldSet } from './field-set.ts'
import { decodeManagers, encodeManagers, managerKey, type ManagedFieldsEntry, type Manager } from './managers.ts'

type Entries = readonly ManagedFieldsEntry[]

const SCALE_VERSION = 'autoscaling/v1'
const scaleReplicas = ['f:spec', 'f:replicas'] as const

/** Where an object of this version keeps its replicas; undefined for a version that is unknown. */
export type ReplicasPath = (apiVersion: string) => readonly string[] | undefined

/** The entries that own the replicas, as entries of the Scale. */
export function entriesOfScale(entries: Entries | undefined, replicas: ReplicasPath): Entries | undefined {
  const owners = new Map<string, Manager>()
  for (const [key, manager] of decodeManagers(entries, entries) ?? []) {
    const path = replicas(manager.apiVersion)
    if (path === undefined || !has(manager.set, path)) continue
    owners.set(key, { ...manager, apiVersion: SCALE_VERSION, set: setOf(scaleReplicas) })
  }
  return encodeManagers(owners)
}

/** The object's entries after its Scale was written: who lost the replicas there loses them here. */
export function entriesAfterScale(
  entries: Entries | undefined,
  scaled: Entries | undefined,
  apiVersion: string,
  replicas: ReplicasPath,
): Entries | undefined {
  const ofScale = new Map(decodeManagers(scaled) ?? [])
  const kept = new Map<string, Manager>()
  for (const [key, manager] of decodeManagers(entries, entries) ?? []) {
    const path = replicas(manager.apiVersion)
    if (path === undefined) continue
    const scaleKey = managerKey({ ...manager, apiVersion: SCALE_VERSION })
    const isKept = !has(manager.set, path) || ofScale.has(scaleKey)
    if (isKept && has(manager.set, path)) ofScale.delete(scaleKey)
    const set = isKept ? manager.set : difference(manager.set, setOf(path))
    if (!isEmptySet(set)) kept.set(key, { ...manager, set })
  }
  const path = replicas(apiVersion)
  for (const manager of ofScale.values()) {
    if (path === undefined || !has(manager.set, scaleReplicas)) continue
    const owner = { ...manager, apiVersion, set: joined(kept.get(managerKey({ ...manager, apiVersion })), path) }
    kept.set(managerKey(owner), owner)
  }
  return encodeManagers(kept)
}

function joined(before: Manager | undefined, path: readonly string[]): FieldSet {
  return before === undefined ? setOf(path) : before.set
}
