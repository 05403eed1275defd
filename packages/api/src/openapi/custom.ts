// OpenAPI of one version of a custom kind: its schema in the dialect of each version, its list, and the paths of both.

import { isSchema } from '../custom/schema-node.ts'
import { schemaOf } from '../custom/version-schema.ts'
import type { CustomResourceDefinition, JSONSchemaProps } from '../types/apiextensions-v1.ts'
import type { ApiTables, KindFact } from '../tables.ts'
import {
  definitionName,
  definitionsOf,
  described,
  refPrefix,
  type OpenApiSchema,
  type OpenApiVersion,
} from './definitions.ts'
import { typeMetaWords, type Descriptions } from './descriptions.ts'
import { kindNamesOf } from './kind-names.ts'
import { pathsOf } from './paths.ts'

type Json = Readonly<Record<string, unknown>>

export interface CustomDocument {
  readonly paths: Json
  /** In version 2 its own alone: what it refers to is in the document of the built-in kinds. */
  readonly definitions: Readonly<Record<string, OpenApiSchema>>
}

interface CommonOptions {
  readonly tables: ApiTables
  readonly definition: CustomResourceDefinition
  readonly version: string
}

/** Only version 3 holds the built-in types that it refers to, with their descriptions. */
export type CustomDocumentOptions =
  | (CommonOptions & { readonly form: 2 })
  | (CommonOptions & { readonly form: 3; readonly descriptions: Descriptions })

/** `com.example.v1.Widget` for Widget of example.com/v1. */
export function customDefinitionName(group: string, version: string, kind: string): string {
  return `${group.split('.').reverse().join('.')}.${version}.${kind}`
}

export function customDocument(options: CustomDocumentOptions): CustomDocument {
  const { tables, definition, version, form } = options
  const { spec, status } = definition
  const names = status?.acceptedNames ?? spec.names
  const found = spec.versions.find(({ name }) => name === version)!
  const listKind = names.listKind ?? `${names.kind}List`
  const shared = new Set<string>()
  const refTo = (message: string): OpenApiSchema => {
    shared.add(message)
    return { $ref: `${refPrefix(form)}${definitionName(tables, message)}` }
  }
  const own = (kind: string): string => customDefinitionName(spec.group, version, kind)
  const kindOf = (kind: string): unknown => [{ group: spec.group, version, kind }]
  const selectable = (found.selectableFields ?? []).map(({ jsonPath }) => ({ fieldPath: jsonPath.replace(/^\./, '') }))
  const extra = selectable.length === 0 ? {} : { 'x-kubernetes-selectable-fields': selectable }
  const isOpen = found.schema?.openAPIV3Schema === undefined
  const whole = {
    ...rootSchema(schemaOf(definition, found), { form, isOpen, meta: () => refTo('meta/v1.ObjectMeta') }),
    'x-kubernetes-group-version-kind': kindOf(names.kind),
    ...extra,
  }
  const list = {
    type: 'object',
    description: `${listKind} is a list of ${names.kind}`,
    required: ['items'],
    properties: {
      ...typeMetaWords,
      items: {
        type: 'array',
        description: `The ${names.plural} of the list.`,
        items: { $ref: refPrefix(form) + own(names.kind) },
      },
      metadata: described(refTo('meta/v1.ListMeta'), form, 'Standard list metadata.'),
    },
    'x-kubernetes-group-version-kind': kindOf(listKind),
    ...extra,
  }
  const refs: Readonly<Record<string, () => OpenApiSchema>> = {
    Status: () => refTo('meta/v1.Status'),
    DeleteOptions: () => refTo('meta/v1.DeleteOptions'),
    Patch: () => refTo('meta/v1.Patch'),
    Scale: () => refTo('autoscaling/v1.Scale'),
  }
  const paths = pathsOf(
    {
      version: form,
      refOf: ({ group, kind }) =>
        group === spec.group ? { $ref: refPrefix(form) + own(kind) } : (refs[kind]?.() ?? { type: 'object' }),
      isCustom: true,
    },
    factOf(definition, version, listKind),
  )
  const definitions = { [own(names.kind)]: whole, [own(listKind)]: list }
  if (options.form === 2) return { paths, definitions }
  return { paths, definitions: { ...definitions, ...sharedDefinitions(options, shared) } }
}

function sharedDefinitions(
  { tables, descriptions }: CustomDocumentOptions & { readonly form: 3 },
  roots: ReadonlySet<string>,
): Readonly<Record<string, OpenApiSchema>> {
  return definitionsOf({ tables, descriptions, version: 3, kindNames: kindNamesOf(tables) }, [...roots])
}

function factOf({ spec, status }: CustomResourceDefinition, version: string, listKind: string): KindFact {
  const names = status?.acceptedNames ?? spec.names
  const { subresources = {} } = spec.versions.find(({ name }) => name === version)!
  const verbs = ['get', 'update', 'patch'] as const
  return {
    group: spec.group,
    version,
    kind: names.kind,
    msg: '',
    listKind,
    plural: names.plural,
    namespaced: spec.scope === 'Namespaced',
    verbs: ['create', 'delete', 'deletecollection', 'get', 'list', 'patch', 'update', 'watch'],
    subresources: {
      ...(subresources.status === undefined ? {} : { status: { verbs, kind: names.kind } }),
      ...(subresources.scale === undefined
        ? {}
        : { scale: { verbs, kind: 'Scale', group: 'autoscaling', version: 'v1' } }),
    },
  }
}

interface RootOptions {
  readonly form: OpenApiVersion
  /** The definition has no schema: nothing may be said, or kubectl forbids all that is not said. */
  readonly isOpen: boolean
  readonly meta: () => OpenApiSchema
}

function rootSchema(schema: JSONSchemaProps, options: RootOptions): OpenApiSchema {
  const { form, isOpen, meta } = options
  if (isOpen) return { type: 'object' }
  if (form === 2 && schema['x-kubernetes-preserve-unknown-fields'] === true) return { type: 'object' }
  const converted = form === 2 ? toVersionTwo(schema, options) : toVersionThree(schema, options)
  const properties = (converted['properties'] ?? {}) as Json
  const metadata = described(meta(), form, "Standard object's metadata.")
  return { ...converted, properties: { ...properties, ...typeMetaWords, metadata } }
}

function toVersionThree(schema: JSONSchemaProps, options: RootOptions): OpenApiSchema {
  const inner = (one: JSONSchemaProps): OpenApiSchema => toVersionThree(one, options)
  return embeddedTypes(schema, { ...schema, ...convertedChildren(schema, inner) }, options)
}

function convertedChildren(schema: JSONSchemaProps, inner: (one: JSONSchemaProps) => OpenApiSchema): Json {
  const { items, additionalProperties, properties } = schema
  return {
    ...(isSchema(items) ? { items: inner(items) } : {}),
    ...(typeof additionalProperties === 'object' ? { additionalProperties: inner(additionalProperties) } : {}),
    ...(properties === undefined
      ? {}
      : { properties: Object.fromEntries(Object.entries(properties).map(([key, one]) => [key, inner(one)])) }),
  }
}

/** Version 2 knows no junctors and no null; kubectl cannot read the rest of what is dropped here. */
function toVersionTwo(schema: JSONSchemaProps, options: RootOptions): OpenApiSchema {
  const { allOf: _allOf, anyOf: _anyOf, oneOf: _oneOf, not: _not, nullable = false, ...rest } = schema
  const { required = [], properties = {} } = schema
  const preserves = schema['x-kubernetes-preserve-unknown-fields'] === true
  const output: Record<string, unknown> = {
    ...rest,
    ...convertedChildren(schema, (one) => toVersionTwo(one, options)),
  }
  const needed = required.filter((name) => properties[name]?.nullable !== true)
  const { additionalProperties } = schema
  if (needed.length === 0 || (typeof additionalProperties === 'object' && additionalProperties.nullable === true))
    delete output['required']
  else output['required'] = needed
  if (nullable || preserves) {
    delete output['items']
    delete output['properties']
  }
  if (nullable || (preserves && schema.type === 'object')) delete output['type']
  if (output['type'] === 'array' && output['items'] === undefined) delete output['type']
  return preserves ? output : embeddedTypes(schema, output, options)
}

/** An embedded object has the fields that every object has. */
function embeddedTypes(schema: JSONSchemaProps, output: Json, { form, meta }: RootOptions): OpenApiSchema {
  if (schema['x-kubernetes-embedded-resource'] !== true) return output
  const required = [...new Set([...(schema.required ?? []), 'kind', 'apiVersion'])]
  const properties = (output['properties'] ?? {}) as Json
  const metadata = described(meta(), form, "Standard object's metadata.")
  return { ...output, required, properties: { ...properties, ...typeMetaWords, metadata } }
}
