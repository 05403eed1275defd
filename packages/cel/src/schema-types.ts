// Types from structural schemas: what rules on a custom resource see, and how big it may get.

import { escapeField } from './escaping.ts'
import {
  boolType,
  dynType,
  doubleType,
  intType,
  listOf,
  mapOf,
  stringType,
  type CelType,
  type FieldType,
} from './types.ts'

/** The parts of a structural schema that types are made from. */
export interface StructuralSchema {
  readonly type?: string
  readonly format?: string
  readonly properties?: Readonly<Record<string, StructuralSchema>>
  readonly additionalProperties?: StructuralSchema | boolean
  readonly items?: StructuralSchema
  readonly required?: readonly string[]
  readonly enum?: readonly unknown[]
  readonly default?: unknown
  readonly maxLength?: number
  readonly maxItems?: number
  readonly maxProperties?: number
  readonly 'x-kubernetes-int-or-string'?: boolean
  readonly 'x-kubernetes-embedded-resource'?: boolean
  readonly 'x-kubernetes-preserve-unknown-fields'?: boolean
  readonly 'x-kubernetes-list-type'?: string
  readonly 'x-kubernetes-list-map-keys'?: readonly string[]
}

/** The largest request that sizes are reckoned for, in bytes. */
const requestSizeMax = 3 * 1024 * 1024

const unboundedString: CelType = { ...stringType, minSerializedSize: 2 }

/**
 * The type of values under this schema, or undefined where expressions may not see them: no type, or unknown fields.
 * `name` is what messages call the object; `isRoot` gives it kind, apiVersion and the names in its metadata.
 */
export function schemaType(
  schema: StructuralSchema,
  options: { name?: string; isRoot?: boolean } = {},
): CelType | undefined {
  return typeOf(schema, options.name ?? 'object', options.isRoot ?? false)
}

function typeOf(schema: StructuralSchema, name: string, isRoot: boolean): CelType | undefined {
  if (schema['x-kubernetes-int-or-string'] === true) {
    return { ...dynType, minSerializedSize: 1, maxElements: stringMax(schema) }
  }
  const rooted = isRoot ? withObjectMeta(schema) : schema
  switch (rooted.type) {
    case 'array':
      return arrayType(rooted, name)
    case 'object':
      return objectOrMap(rooted, name)
    case 'string':
      return textType(rooted)
    case 'boolean':
      return { ...boolType, minSerializedSize: 4 }
    case 'number':
      return { ...doubleType, minSerializedSize: 1 }
    case 'integer':
      return { ...intType, minSerializedSize: 1 }
    default:
      return undefined
  }
}

function isEmbedded(schema: StructuralSchema): boolean {
  return schema['x-kubernetes-embedded-resource'] === true
}

function arrayType(schema: StructuralSchema, name: string): CelType | undefined {
  if (schema.items === undefined) return undefined
  const element = typeOf(schema.items, `${name}.@idx`, isEmbedded(schema.items))
  if (element === undefined) return undefined
  const fitting = Math.floor((requestSizeMax - 2) / ((element.minSerializedSize ?? 0) + 1))
  const listType = schema['x-kubernetes-list-type']
  return listOf(element, {
    maxElements: Math.max(schema.maxItems ?? fitting, 0),
    minSerializedSize: 2,
    ...(listType === 'set' || listType === 'map' ? { listType } : {}),
    ...(schema['x-kubernetes-list-map-keys'] === undefined ? {} : { mapKeys: schema['x-kubernetes-list-map-keys'] }),
  })
}

function objectOrMap(schema: StructuralSchema, name: string): CelType | undefined {
  const values = schema.additionalProperties
  if (typeof values === 'object') {
    const value = typeOf(values, `${name}.@elem`, isEmbedded(values))
    if (value === undefined) return undefined
    const fitting = Math.floor((requestSizeMax - 2) / ((value.minSerializedSize ?? 0) + 6))
    const maxElements = Math.max(schema.maxProperties ?? fitting, 0)
    return mapOf(unboundedString, value, { maxElements, minSerializedSize: 2 })
  }
  const fields = new Map<string, FieldType>()
  let minSerializedSize = 2
  for (const [key, property] of Object.entries(schema.properties ?? {})) {
    const escaped = escapeField(key)
    const type = typeOf(property, `${name}.${escaped ?? key}`, isEmbedded(property))
    if (type === undefined) continue
    if (escaped !== undefined) fields.set(escaped, { key, type })
    const mustStand = schema.required?.includes(key) === true && property.default === undefined
    if (mustStand) minSerializedSize += key.length + (type.minSerializedSize ?? 0) + 4
  }
  return { kind: 'object', name, fields, minSerializedSize }
}

function textType(schema: StructuralSchema): CelType {
  const { format } = schema
  switch (format) {
    case 'byte':
      return {
        kind: 'bytes',
        minSerializedSize: 2,
        maxElements: schema.maxLength === undefined ? requestSizeMax - 2 : Math.max(schema.maxLength, 0),
      }
    case 'duration':
      return { kind: 'duration', minSerializedSize: 3, maxElements: 32 }
    case 'date':
      return { kind: 'timestamp', minSerializedSize: 12, maxElements: 12 }
    case 'date-time':
      return { kind: 'timestamp', minSerializedSize: 21, maxElements: 32 }
    default:
      return { kind: 'string', minSerializedSize: 2, maxElements: stringMax(schema) }
  }
}

/** Code points may take 4 bytes each, and sizes are reckoned in bytes. */
function stringMax(schema: StructuralSchema): number {
  if (schema.maxLength !== undefined) return Math.max(schema.maxLength, 0) * 4
  const isText = schema['x-kubernetes-int-or-string'] !== true
  if (isText && schema.enum !== undefined && schema.enum.length > 0) {
    const encoder = new TextEncoder()
    return Math.max(0, ...schema.enum.map((each) => (typeof each === 'string' ? encoder.encode(each).length : 0)))
  }
  return requestSizeMax - 2
}

function withObjectMeta(schema: StructuralSchema): StructuralSchema {
  const text: StructuralSchema = { type: 'string' }
  return {
    ...schema,
    type: 'object',
    properties: {
      ...schema.properties,
      apiVersion: text,
      kind: text,
      metadata: { type: 'object', properties: { name: text, generateName: text } },
    },
  }
}
