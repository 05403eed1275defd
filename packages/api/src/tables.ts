// The API tables of one Kubernetes minor: which kinds exist, and every field of every message. Made by tools/api.

import type { Verb } from './kind-row.ts'

export const minors = ['1.34', '1.35', '1.36'] as const
export type Minor = (typeof minors)[number]

export interface FieldFact {
  /** `string bool int32 int64 double bytes any`, `[]T`, `map[K]V`, or a message reference. */
  readonly t: string
  /** Protobuf field number, name and type where they differ. */
  readonly n?: number
  readonly pn?: string
  readonly pt?: string
  /** A pointer: absence is kept apart from the zero value. */
  readonly ptr?: 1
  readonly oe?: 1
  readonly oz?: 1
  readonly r?: 1
  /** The enum of the value, of a map's keys. */
  readonly e?: string
  readonly ke?: string
  readonly lt?: 'atomic' | 'set' | 'map'
  readonly lk?: readonly string[]
  readonly mt?: 'atomic' | 'granular'
  /** Strategic merge patch: strategies, comma-separated, and the key of merged lists. */
  readonly ps?: string
  readonly pmk?: string
  readonly d?: unknown
  readonly fg?: string | readonly string[]
}

export interface MessageFact {
  /** 1: has apiVersion and kind. */
  readonly tm?: 1
  readonly inl?: readonly { readonly t: string; readonly n?: number; readonly pn?: string }[]
  /** JSON shape where it is not an object. */
  readonly js?: string
  readonly t?: string
  readonly mt?: 'atomic' | 'granular'
  /** Which field goes with which value of a discriminator, as OpenAPI tells it. */
  readonly u?: readonly Readonly<Record<string, unknown>>[]
  readonly np?: 1
  readonly f: Readonly<Record<string, FieldFact>>
}

export interface GroupVersionFact {
  readonly group: string
  readonly version: string
  /** Prefix of its definition names in OpenAPI; absent where it has none. */
  readonly openapi?: string
  readonly proto?: string
  readonly enums?: Readonly<Record<string, readonly string[]>>
  readonly known?: Readonly<Record<string, readonly string[]>>
  /** Named lists and maps. */
  readonly aliases?: Readonly<Record<string, string>>
  readonly messages: Readonly<Record<string, MessageFact>>
}

export interface KindFact {
  readonly group: string
  readonly version: string
  readonly kind: string
  /** Message reference: `core/v1.Pod`. */
  readonly msg: string
  readonly listKind?: string
  /** Absent: not a resource of its own. */
  readonly plural?: string
  readonly singular?: string
  readonly namespaced?: boolean
  readonly shortNames?: readonly string[]
  readonly categories?: readonly string[]
  readonly verbs?: readonly Verb[]
  readonly subresources?: Readonly<
    Record<
      string,
      { readonly verbs: readonly Verb[]; readonly kind: string; readonly group?: string; readonly version?: string }
    >
  >
  readonly deprecated?: string
  readonly removed?: string
  readonly replacement?: string
}

export interface ApiTables {
  readonly release: Minor
  readonly kinds: readonly KindFact[]
  readonly groupVersions: Readonly<Record<string, GroupVersionFact>>
}

/** Reads a minor's tables: about 4 ms, once per process (the module cache keeps them). */
export async function loadTables(minor: Minor): Promise<ApiTables> {
  const loaded = await loaders[minor]()
  return loaded.default as unknown as ApiTables
}

const loaders = {
  '1.34': () => import('./generated/api-1.34.json', { with: { type: 'json' } }),
  '1.35': () => import('./generated/api-1.35.json', { with: { type: 'json' } }),
  '1.36': () => import('./generated/api-1.36.json', { with: { type: 'json' } }),
} as const

/** The fact of `core/v1.Pod`; throws where the tables lack it. */
export function messageOf(tables: ApiTables, reference: string): MessageFact {
  const dot = reference.lastIndexOf('.')
  const message = tables.groupVersions[reference.slice(0, dot)]?.messages[reference.slice(dot + 1)]
  if (message === undefined) throw new Error(`the tables of ${tables.release} have no message "${reference}"`)
  return message
}

/** Is there such a message? */
export function hasMessage(tables: ApiTables, reference: string): boolean {
  const dot = reference.lastIndexOf('.')
  return tables.groupVersions[reference.slice(0, dot)]?.messages[reference.slice(dot + 1)] !== undefined
}

/** A message's fields in the order Go writes them, embedded messages flattened in their place; protobuf-only fields left out. */
export function fieldsOf(tables: ApiTables, reference: string): readonly (readonly [string, FieldFact])[] {
  const message = messageOf(tables, reference)
  const embedded = [...(message.inl ?? [])].filter(({ t }) => t.includes('.'))
  const fields: (readonly [string, FieldFact])[] = []
  for (const [name, fact] of Object.entries(message.f)) {
    while (embedded.length > 0 && comesBefore(embedded[0]!.n, fact.n))
      fields.push(...fieldsOf(tables, embedded.shift()!.t))
    if (!name.startsWith('~')) fields.push([name, fact])
  }
  for (const rest of embedded) fields.push(...fieldsOf(tables, rest.t))
  return fields
}

function comesBefore(embeddedNumber: number | undefined, fieldNumber: number | undefined): boolean {
  return embeddedNumber !== undefined && fieldNumber !== undefined && embeddedNumber < fieldNumber
}
