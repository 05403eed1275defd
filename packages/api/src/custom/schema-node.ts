// A structural schema made ready to be walked: what pruning, defaulting and list rules ask of each place in an object.

import type { JSONSchemaProps } from '../types/apiextensions-v1.ts'

export interface SchemaNode {
  readonly source: JSONSchemaProps
  readonly properties: ReadonlyMap<string, SchemaNode>
  /** Present where additionalProperties is; its `node` is absent for a plain `true` or `false`. */
  readonly additional: { readonly node: SchemaNode | undefined } | undefined
  readonly items: SchemaNode | undefined
  readonly preservesUnknown: boolean
  readonly isEmbedded: boolean
  readonly isNullable: boolean
  /** Properties with a default, and those below which there is one. */
  readonly defaults: readonly (readonly [string, unknown])[]
  readonly listType: string | undefined
  readonly listKeys: readonly string[]
}

/** The node of a schema that passed the rules for structural schemas. */
export function schemaNode(source: JSONSchemaProps): SchemaNode {
  const properties = new Map(Object.entries(source.properties ?? {}).map(([name, one]) => [name, schemaNode(one)]))
  const { additionalProperties, items } = source
  return {
    source,
    properties,
    additional:
      additionalProperties === undefined
        ? undefined
        : { node: typeof additionalProperties === 'object' ? schemaNode(additionalProperties) : undefined },
    items: isSchema(items) ? schemaNode(items) : undefined,
    preservesUnknown: source['x-kubernetes-preserve-unknown-fields'] === true,
    isEmbedded: source['x-kubernetes-embedded-resource'] === true,
    isNullable: source.nullable === true,
    defaults: Object.entries(source.properties ?? {})
      .filter(([, one]) => hasDefault(one))
      .map(([name, one]) => [name, one.default] as const),
    listType: source['x-kubernetes-list-type'],
    listKeys: source['x-kubernetes-list-map-keys'] ?? [],
  }
}

/** A default of null is none, as for upstream. */
export function hasDefault(source: JSONSchemaProps): boolean {
  return source.default !== undefined && source.default !== null
}

export function isSchema(value: JSONSchemaProps['items']): value is JSONSchemaProps {
  return value !== undefined && !Array.isArray(value)
}

/** The schema of a field of an object at this node. */
export function childOf(node: SchemaNode, key: string): SchemaNode | undefined {
  return node.properties.get(key) ?? node.additional?.node
}

/** The same node as the root of an object: apiVersion, kind and metadata are always there. */
export function asRoot(node: SchemaNode): SchemaNode {
  return node.isEmbedded ? node : { ...node, isEmbedded: true }
}

export type Json = Record<string, unknown>

export function isObject(value: unknown): value is Json {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

/** A place in an object as field errors name it: `spec.list[0]`, `spec.map[key]`. */
export function fieldPath(parent: string, name: string): string {
  return parent === '' ? name : `${parent}.${name}`
}
