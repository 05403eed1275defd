// How network resources name each other, and how children are kept inside their parents.

import type { Json } from '../../records.ts'
import { isObject } from '../body.ts'

/** A child as it is kept inside its parent. */
export interface ChildDocument {
  readonly name: string
  readonly properties: Json
}

/** Children kept in the parent's properties under this name. */
export function childrenOf(properties: Json, field: string): readonly ChildDocument[] {
  const value = properties[field]
  return Array.isArray(value) ? (value as readonly ChildDocument[]) : []
}

/** The id at `properties.NAME.id`. */
export function referenceAt(properties: Json, name: string): string | undefined {
  const value = properties[name]
  return isObject(value) && typeof value['id'] === 'string' ? value['id'] : undefined
}

/** Ids in a list of references. */
export function referencesAt(properties: Json, name: string): readonly string[] {
  const value = properties[name]
  if (!Array.isArray(value)) return []
  return value.flatMap((each) => (isObject(each) && typeof each['id'] === 'string' ? [each['id']] : []))
}
