// A small type with every kind of list and map, for the tests of merging.

import { scalarTypes, type FieldSchema, type TypeSchema } from './type-schema.ts'

export function struct(fields: Readonly<Record<string, TypeSchema | FieldSchema>>, atomic = false): TypeSchema {
  const known = new Map(
    Object.entries(fields).map(([name, of]): [string, FieldSchema] => [
      name,
      'type' in of && typeof of.type === 'function' ? (of as FieldSchema) : { type: () => of as TypeSchema },
    ]),
  )
  return { map: { atomic, field: (name) => known.get(name), element: undefined } }
}

export function mapOf(item: TypeSchema, atomic = false): TypeSchema {
  return { map: { atomic, field: () => undefined, element: () => item } }
}

export function listOf(item: TypeSchema, kind: 'atomic' | 'set' | 'map', keys: readonly string[] = []): TypeSchema {
  return { list: { kind, keys, item: () => item } }
}

const { string, numeric } = scalarTypes

const port = struct({ port: numeric, protocol: { type: () => string, default: 'TCP' }, label: string })

const item = struct({ name: string, value: string, note: string, labels: mapOf(string) })

/** `spec` holds the parts; `status` stands beside it. */
export const exampleType: TypeSchema = struct({
  apiVersion: string,
  kind: string,
  metadata: struct({ name: string, labels: mapOf(string) }),
  spec: struct({
    count: numeric,
    text: string,
    labels: mapOf(string),
    selector: mapOf(string, true),
    reference: struct({ name: string, kind: string }, true),
    names: listOf(string, 'set'),
    command: listOf(string, 'atomic'),
    items: listOf(item, 'map', ['name']),
    ports: listOf(port, 'map', ['port', 'protocol']),
    inner: struct({ a: numeric, b: numeric }),
  }),
  status: struct({ ready: numeric }),
})
