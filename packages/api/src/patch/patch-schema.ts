// What a strategic merge needs to know of each field: merge or replace, and by which key list items are told apart.

import { fieldsOf, hasMessage, messageOf, type ApiTables, type FieldFact } from '../tables.ts'

export interface PatchField {
  readonly merges: boolean
  readonly replaces: boolean
  /** For lists of objects that merge. */
  readonly mergeKey: string | undefined
  /** What an object, or a list's or map's items, look like; undefined for anything without fields of its own. */
  readonly schema: PatchSchema | undefined
}

export interface PatchSchema {
  /** Undefined for a name that the type does not have. */
  field(name: string): PatchField | undefined
}

/** The schema of one message, its parts looked up when they are first needed. */
export function patchSchemaOf(tables: ApiTables, message: string): PatchSchema {
  return cachedSchema({ tables, known: new Map() }, message)
}

interface Known {
  readonly tables: ApiTables
  readonly known: Map<string, PatchSchema>
}

function cachedSchema(context: Known, message: string): PatchSchema {
  const found = context.known.get(message)
  if (found !== undefined) return found
  const facts = new Map(fieldsOf(context.tables, message))
  const fields = new Map<string, PatchField>()
  const schema: PatchSchema = {
    field(name) {
      const fact = facts.get(name)
      if (fact === undefined) return undefined
      const field = fields.get(name) ?? patchField(context, fact)
      fields.set(name, field)
      return field
    },
  }
  context.known.set(message, schema)
  return schema
}

function patchField(context: Known, fact: FieldFact): PatchField {
  const strategies = (fact.ps ?? '').split(',')
  return {
    merges: strategies.includes('merge'),
    replaces: strategies.includes('replace'),
    mergeKey: fact.pmk,
    schema: schemaOfType(context, fact.t),
  }
}

function schemaOfType(context: Known, type: string): PatchSchema | undefined {
  if (type.startsWith('[]')) return schemaOfType(context, type.slice(2))
  if (type.startsWith('map[')) {
    const item = schemaOfType(context, type.slice(type.indexOf(']') + 1))
    const field: PatchField = { merges: false, replaces: false, mergeKey: undefined, schema: item }
    return { field: () => field }
  }
  if (!hasMessage(context.tables, type) || messageOf(context.tables, type).js !== undefined) return undefined
  return cachedSchema(context, type)
}
