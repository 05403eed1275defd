// What server-side apply merges a custom resource by: the types of its structural schema.

import {
  deducedType,
  scalarTypes,
  untypedAtomic,
  type FieldSchema,
  type MapSchema,
  type TypeSchema,
} from '../apply/type-schema.ts'
import type { JSONSchemaProps } from '../types/apiextensions-v1.ts'
import { isSchema } from './schema-node.ts'

/** The type of whole objects; `meta` is that of their metadata. */
export function mergeType(schema: JSONSchemaProps, meta: TypeSchema): TypeSchema {
  return { map: mapOf({ ...schema, 'x-kubernetes-embedded-resource': true }, meta) }
}

function typeOf(schema: JSONSchemaProps, meta: TypeSchema): TypeSchema {
  if (schema['x-kubernetes-int-or-string'] === true) return scalarTypes.untyped
  switch (schema.type ?? '') {
    case 'object':
      return { map: mapOf(schema, meta) }
    case 'array':
      return listType(schema, meta)
    case 'string':
      return scalarTypes.string
    case 'integer':
    case 'number':
      return scalarTypes.numeric
    case 'boolean':
      return scalarTypes.boolean
    default:
      return schema['x-kubernetes-preserve-unknown-fields'] === true ? deducedType : untypedAtomic
  }
}

function listType(schema: JSONSchemaProps, meta: TypeSchema): TypeSchema {
  const { items } = schema
  const kind = schema['x-kubernetes-list-type']
  let item: TypeSchema | undefined
  return {
    list: {
      kind: kind === 'set' || kind === 'map' ? kind : 'atomic',
      keys: kind === 'map' ? (schema['x-kubernetes-list-map-keys'] ?? []) : [],
      item: () => (item ??= isSchema(items) ? typeOf(items, meta) : untypedAtomic),
    },
  }
}

function mapOf(schema: JSONSchemaProps, meta: TypeSchema): MapSchema {
  const { properties = {}, additionalProperties } = schema
  const fields = new Map<string, FieldSchema>()
  for (const [name, child] of Object.entries(properties)) fields.set(name, fieldOf(name, child, meta))
  if (schema['x-kubernetes-embedded-resource'] === true) {
    for (const name of ['apiVersion', 'kind'])
      fields.set(name, { element: `f:${name}`, type: () => scalarTypes.string })
    fields.set('metadata', { element: 'f:metadata', type: () => meta })
  }
  return {
    atomic: schema['x-kubernetes-map-type'] === 'atomic',
    field: (name) => fields.get(name),
    element: elementOf(schema, additionalProperties, meta),
  }
}

function elementOf(
  schema: JSONSchemaProps,
  additional: JSONSchemaProps['additionalProperties'],
  meta: TypeSchema,
): MapSchema['element'] {
  if (typeof additional === 'object') {
    let type: TypeSchema | undefined
    return () => (type ??= typeOf(additional, meta))
  }
  const isOpen = additional === true || schema['x-kubernetes-preserve-unknown-fields'] === true
  return isOpen ? () => deducedType : undefined
}

function fieldOf(name: string, schema: JSONSchemaProps, meta: TypeSchema): FieldSchema {
  let type: TypeSchema | undefined
  const of = (): TypeSchema => (type ??= typeOf(schema, meta))
  const element = `f:${name}`
  return schema.default === undefined ? { element, type: of } : { element, type: of, default: schema.default }
}
