// A type of network resource as a row: how it is read, what is refused, what is shown beside what was written.

import { formatRange, readRange, type Range } from '@aksel/base/ipv4'
import type { DocumentRecord, Json } from '../../records.ts'
import type { Stored } from '../../store-keyspace.ts'
import { isObject } from '../body.ts'
import { badCidr, badName, badPrefix, badReference, missingField, unreadable } from './network-errors.ts'
import type { ChildDocument } from './network-references.ts'
import type { NetworkWorld } from './network-world.ts'

export interface WriteContext {
  /** Of the resource that is written. */
  readonly id: string
  readonly name: string
  readonly location: string
  /** What stood there. */
  readonly before: DocumentRecord | undefined
  readonly world: NetworkWorld
  /** Other fields of the body: `sku`, `zones`. */
  readonly envelope: Json
}

export interface ChildType {
  /** Name in the path, and of the list in the parent's properties. */
  readonly path: string
  /** Properties as they are kept. Throws for what cannot be. */
  readonly write: (given: Json, context: WriteContext & { readonly childId: string }) => Json
  /** Properties as they are shown. */
  readonly show: (child: ChildDocument, parent: Stored<DocumentRecord>, world: NetworkWorld) => Json
  /** A list that a body does not name stays as it is; otherwise it is emptied. */
  readonly kept: boolean
}

export interface NetworkType {
  /** `virtualNetworks`. */
  readonly path: string
  readonly children: readonly ChildType[]
  /** Fields beside `properties` that are kept, with their defaults. */
  readonly envelope: Json
  /** Judges and completes; the children are written already. */
  readonly write: (given: Json, context: WriteContext) => Json
  /** What the service adds to the properties. */
  readonly show: (record: Stored<DocumentRecord>, world: NetworkWorld) => Json
  /** Throws where something still needs it. */
  readonly judgeDelete: (record: DocumentRecord, world: NetworkWorld) => void
}

export function judgeNetworkName(name: string): void {
  if (!/^\w(?:[\w.-]{0,78}\w)?$/.test(name)) throw badName(name)
}

/** The document of the type; throws InvalidResourceReference. */
export function findReferenced(
  world: NetworkWorld,
  id: string,
  rule: { readonly type: string; readonly by: string; readonly location: string },
): DocumentRecord {
  const found = world.documents.get(id.toLowerCase())?.value
  const sameType = found?.type.toLowerCase() === `microsoft.network/${rule.type}`.toLowerCase()
  if (found === undefined || !sameType || found.location !== rule.location || found.progress?.deleting === true) {
    throw badReference(id, rule.by)
  }
  return found
}

/** A range that begins where its prefix length says. Throws InvalidAddressPrefixFormat, InvalidCIDRNotation. */
export function readPrefix(text: unknown, id: string): Range {
  if (typeof text !== 'string') throw unreadable('addressPrefix')
  const range = readRange(text)
  if (range === undefined) throw badPrefix(text, id)
  if (formatRange(range) !== text) throw badCidr(text, formatRange(range), id)
  return range
}

/** A list of objects; absent is undefined. */
export function readList(from: Json, name: string): readonly Json[] | undefined {
  const value = from[name]
  if (value === undefined || value === null) return undefined
  if (!Array.isArray(value) || !value.every(isObject)) throw unreadable(`properties.${name}`)
  return value
}

export function readTexts(from: Json, name: string): readonly string[] {
  const value = from[name] ?? []
  if (!Array.isArray(value) || !value.every((each) => typeof each === 'string')) throw unreadable(`properties.${name}`)
  return value as readonly string[]
}

/** One of these words, in their own casing whatever the caller's. */
export function readWord<T extends string>(
  from: Json,
  name: string,
  rule: { readonly id: string; readonly words: readonly T[]; readonly otherwise?: T },
): T {
  const value = from[name] ?? rule.otherwise
  if (value === undefined) throw missingField(rule.id, name)
  const found = rule.words.find((word) => word.toLowerCase() === shown(value).toLowerCase())
  if (found === undefined) throw unreadable(`properties.${name}: '${shown(value)}' is none of ${rule.words.join(', ')}`)
  return found
}

export function readNumber(
  from: Json,
  name: string,
  rule: { readonly least: number; readonly most: number; readonly otherwise: number },
): number {
  const value = from[name] ?? rule.otherwise
  if (typeof value === 'number' && Number.isInteger(value) && value >= rule.least && value <= rule.most) return value
  throw unreadable(`properties.${name}: '${shown(value)}' is not between ${rule.least} and ${rule.most}`)
}

function shown(value: unknown): string {
  return typeof value === 'string' ? value : JSON.stringify(value)
}
