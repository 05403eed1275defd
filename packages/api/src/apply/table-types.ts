// The types of the built-in kinds, compiled from the tables when they are first asked for.

import { fieldsOf, hasMessage, messageOf, type ApiTables, type FieldFact, type MessageFact } from '../tables.ts'
import { FieldTexts } from './field-text.ts'
import { KeyPlans } from './key-plans.ts'
import {
  scalarTypes,
  untypedAtomic,
  type FieldSchema,
  type ListSchema,
  type MapSchema,
  type TypeSchema,
} from './type-schema.ts'

/** Types by table reference (`core/v1.Pod`); each is made once. */
export interface TableTypes {
  message(reference: string): TypeSchema
  /** Sets of fields that objects of these types share, whichever cluster they are of. */
  readonly texts: FieldTexts
}

export function tableTypes(tables: ApiTables): TableTypes {
  const compiler = new TypeCompiler(tables)
  return { message: (reference) => compiler.message(reference), texts: new FieldTexts() }
}

type Granularity = 'atomic' | 'granular' | undefined

class TypeCompiler {
  readonly #tables: ApiTables
  readonly #structs = new Map<string, TypeSchema>()

  constructor(tables: ApiTables) {
    this.#tables = tables
  }

  message(reference: string, granularity?: Granularity): TypeSchema {
    const fact = messageOf(this.#tables, reference)
    if (fact.js !== undefined) return this.#shaped(fact)
    const isAtomic = (granularity ?? fact.mt) === 'atomic'
    const key = `${reference}/${isAtomic}`
    const known = this.#structs.get(key)
    if (known !== undefined) return known
    const made: TypeSchema = { map: this.#struct(reference, fact, isAtomic) }
    this.#structs.set(key, made)
    return made
  }

  /** Messages with a JSON form of their own. */
  #shaped({ js }: MessageFact): TypeSchema {
    switch (js as string) {
      case 'string':
        return scalarTypes.string
      case 'quantity':
      case 'int-or-string':
        return scalarTypes.untyped
      case 'list':
        return { list: { kind: 'atomic', keys: [], item: () => scalarTypes.string } }
      default:
        return untypedAtomic
    }
  }

  #struct(reference: string, fact: MessageFact, atomic: boolean): MapSchema {
    let fields: Map<string, FieldSchema> | undefined
    const map: MapSchema = {
      atomic,
      field: (name) => (fields ??= this.#fields(reference, fact)).get(name),
      element: undefined,
      plans: new KeyPlans(() => map),
    }
    return map
  }

  #fields(reference: string, fact: MessageFact): Map<string, FieldSchema> {
    const fields = new Map<string, FieldSchema>()
    if (fact.tm === 1)
      for (const name of ['apiVersion', 'kind'])
        fields.set(name, { element: `f:${name}`, type: () => scalarTypes.string })
    for (const [name, field] of fieldsOf(this.#tables, reference)) fields.set(name, this.#field(name, field))
    return fields
  }

  #field(name: string, fact: FieldFact): FieldSchema {
    let type: TypeSchema | undefined
    const of = (): TypeSchema => (type ??= this.#typeOf(fact.t, fact))
    const element = `f:${name}`
    return fact.d === undefined ? { element, type: of } : { element, type: of, default: fact.d }
  }

  #typeOf(t: string, fact: FieldFact | undefined): TypeSchema {
    if (t.startsWith('[]')) return { list: this.#list(t.slice(2), fact) }
    const map = /^map\[\w+\](.*)$/.exec(t)
    if (map !== null) {
      const element = this.#typeOf(map[1]!, undefined)
      return { map: { atomic: fact?.mt === 'atomic', field: () => undefined, element: () => element } }
    }
    return plainTypes[t] ?? (hasMessage(this.#tables, t) ? this.message(t, fact?.mt) : untypedAtomic)
  }

  #list(itemType: string, fact: FieldFact | undefined): ListSchema {
    let item: TypeSchema | undefined
    return {
      kind: fact?.lt ?? 'atomic',
      keys: fact?.lt === 'map' ? (fact.lk ?? []) : [],
      item: () => (item ??= this.#typeOf(itemType, undefined)),
    }
  }
}

const plainTypes: Readonly<Record<string, TypeSchema>> = {
  string: scalarTypes.string,
  bytes: scalarTypes.string,
  bool: scalarTypes.boolean,
  int32: scalarTypes.numeric,
  int64: scalarTypes.numeric,
  double: scalarTypes.numeric,
  any: untypedAtomic,
}
