// Objects of a served kind as CEL sees them when expressions are checked before any object is there.

import { fieldsOf, messageOf, type ApiTables } from '@aksel/api/tables'
import type { KindRow } from '@aksel/api/kind-row'
import { escapeField } from '@aksel/cel/escaping'
import { schemaType, type StructuralSchema } from '@aksel/cel/schema-types'
import {
  boolType,
  doubleType,
  dynType,
  intType,
  listOf,
  mapOf,
  stringType,
  timestampType,
  type CelType,
  type FieldType,
} from '@aksel/cel/types'

/** Undefined where expressions may not look into the kind's objects. */
export function objectTypeOf(row: KindRow, tables: ApiTables): CelType | undefined {
  if (row.custom !== undefined)
    return schemaType(row.custom.structural as StructuralSchema, { name: row.kind, isRoot: true })
  return new MessageTypes(tables).message(row.message)
}

const scalars: Readonly<Record<string, CelType>> = {
  string: stringType,
  bool: boolType,
  int32: intType,
  int64: intType,
  double: doubleType,
  bytes: { kind: 'bytes' },
}

const times: ReadonlySet<string> = new Set(['meta/v1.Time', 'meta/v1.MicroTime'])

class MessageTypes {
  readonly #tables: ApiTables
  readonly #known = new Map<string, CelType>()

  constructor(tables: ApiTables) {
    this.#tables = tables
  }

  message(reference: string): CelType {
    if (times.has(reference)) return timestampType
    const known = this.#known.get(reference)
    if (known !== undefined) return known
    const alias = this.#alias(reference)
    if (alias !== undefined) return this.#type(alias)
    const { js, t, tm } = messageOf(this.#tables, reference)
    if (js === 'list') return listOf(this.#type((t ?? '[]string').slice(2)))
    if (js === 'string') return stringType
    if (js !== undefined) return dynType
    const fields = new Map<string, FieldType>()
    const type: CelType = { kind: 'object', name: reference, fields }
    this.#known.set(reference, type)
    const names = tm === 1 ? [['apiVersion', stringType] as const, ['kind', stringType] as const] : []
    const own = fieldsOf(this.#tables, reference).map(([key, fact]) => [key, this.#type(fact.t)] as const)
    for (const [key, of] of [...names, ...own]) {
      const escaped = escapeField(key)
      if (escaped !== undefined) fields.set(escaped, { key, type: of })
    }
    return type
  }

  #alias(reference: string): string | undefined {
    const dot = reference.lastIndexOf('.')
    return this.#tables.groupVersions[reference.slice(0, dot)]?.aliases?.[reference.slice(dot + 1)]
  }

  #type(text: string): CelType {
    if (text.startsWith('[]')) return listOf(this.#type(text.slice(2)))
    const map = /^map\[([^\]]+)\](.+)$/.exec(text)
    if (map !== null) return mapOf(stringType, this.#type(map[2]!))
    if (text === 'any') return dynType
    return scalars[text] ?? this.message(text)
  }
}
