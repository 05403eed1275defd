// What our writer of version 3 in protobuf makes, read by a library that knows only the published structure: every document
// of every minor is the one that was written.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import protobuf from 'protobufjs'
import { catalogOf } from '../catalog.ts'
import { minors } from '../tables.ts'
import { loadDescriptions } from './descriptions.ts'
import { openApiKeys, openApiV3 } from './documents.ts'
import { encodeOpenApiV3 } from './v3-protobuf.ts'

type Json = Record<string, unknown>

/** Fields of the messages in package `openapi.v3`: name, number, type; `*` repeated. What Kubernetes never writes is left out. */
const messages: Readonly<Record<string, string>> = {
  AdditionalPropertiesItem: 'schema_or_reference 1 SchemaOrReference, boolean 2 bool',
  Any: 'value 1 bytes, yaml 2 string',
  Components:
    'schemas 1 SchemasOrReferences, responses 2 ResponsesOrReferences, parameters 3 ParametersOrReferences, request_bodies 5 RequestBodiesOrReferences, security_schemes 7 SecuritySchemesOrReferences, specification_extension 10 *NamedAny',
  DefaultType: 'number 1 double, boolean 2 bool, string 3 string',
  Document:
    'openapi 1 string, info 2 Info, paths 4 Paths, components 5 Components, security 6 *SecurityRequirement, external_docs 8 ExternalDocs, specification_extension 9 *NamedAny',
  ExternalDocs: 'description 1 string, url 2 string, specification_extension 3 *NamedAny',
  Info: 'title 1 string, description 2 string, terms_of_service 3 string, version 6 string, specification_extension 7 *NamedAny, summary 8 string',
  ItemsItem: 'schema_or_reference 1 *SchemaOrReference',
  MediaType: 'schema 1 SchemaOrReference, example 2 Any, specification_extension 5 *NamedAny',
  MediaTypes: 'additional_properties 1 *NamedMediaType',
  NamedAny: 'name 1 string, value 2 Any',
  NamedMediaType: 'name 1 string, value 2 MediaType',
  NamedParameterOrReference: 'name 1 string, value 2 ParameterOrReference',
  NamedPathItem: 'name 1 string, value 2 PathItem',
  NamedRequestBodyOrReference: 'name 1 string, value 2 RequestBodyOrReference',
  NamedResponseOrReference: 'name 1 string, value 2 ResponseOrReference',
  NamedSchemaOrReference: 'name 1 string, value 2 SchemaOrReference',
  NamedSecuritySchemeOrReference: 'name 1 string, value 2 SecuritySchemeOrReference',
  NamedStringArray: 'name 1 string, value 2 StringArray',
  Operation:
    'tags 1 *string, summary 2 string, description 3 string, external_docs 4 ExternalDocs, operation_id 5 string, parameters 6 *ParameterOrReference, request_body 7 RequestBodyOrReference, responses 8 Responses, deprecated 10 bool, security 11 *SecurityRequirement, specification_extension 13 *NamedAny',
  Parameter:
    'name 1 string, in 2 string, description 3 string, required 4 bool, deprecated 5 bool, allow_empty_value 6 bool, style 7 string, explode 8 bool, allow_reserved 9 bool, schema 10 SchemaOrReference, example 11 Any, content 13 MediaTypes, specification_extension 14 *NamedAny',
  ParameterOrReference: 'parameter 1 Parameter, reference 2 Reference',
  ParametersOrReferences: 'additional_properties 1 *NamedParameterOrReference',
  PathItem:
    '_ref 1 string, summary 2 string, description 3 string, get 4 Operation, put 5 Operation, post 6 Operation, delete 7 Operation, options 8 Operation, head 9 Operation, patch 10 Operation, trace 11 Operation, parameters 13 *ParameterOrReference, specification_extension 14 *NamedAny',
  Paths: 'path 1 *NamedPathItem, specification_extension 2 *NamedAny',
  Properties: 'additional_properties 1 *NamedSchemaOrReference',
  Reference: '_ref 1 string, summary 2 string, description 3 string',
  RequestBodiesOrReferences: 'additional_properties 1 *NamedRequestBodyOrReference',
  RequestBody: 'description 1 string, content 2 MediaTypes, required 3 bool, specification_extension 4 *NamedAny',
  RequestBodyOrReference: 'request_body 1 RequestBody, reference 2 Reference',
  Response: 'description 1 string, content 3 MediaTypes, specification_extension 5 *NamedAny',
  ResponseOrReference: 'response 1 Response, reference 2 Reference',
  Responses:
    'default 1 ResponseOrReference, response_or_reference 2 *NamedResponseOrReference, specification_extension 3 *NamedAny',
  ResponsesOrReferences: 'additional_properties 1 *NamedResponseOrReference',
  Schema:
    'nullable 1 bool, read_only 3 bool, write_only 4 bool, external_docs 6 ExternalDocs, example 7 Any, deprecated 8 bool, title 9 string, multiple_of 10 double, maximum 11 double, exclusive_maximum 12 bool, minimum 13 double, exclusive_minimum 14 bool, max_length 15 int64, min_length 16 int64, pattern 17 string, max_items 18 int64, min_items 19 int64, unique_items 20 bool, max_properties 21 int64, min_properties 22 int64, required 23 *string, enum 24 *Any, type 25 string, all_of 26 *SchemaOrReference, one_of 27 *SchemaOrReference, any_of 28 *SchemaOrReference, not 29 Schema, items 30 ItemsItem, properties 31 Properties, additional_properties 32 AdditionalPropertiesItem, default 33 DefaultType, description 34 string, format 35 string, specification_extension 36 *NamedAny',
  SchemaOrReference: 'schema 1 Schema, reference 2 Reference',
  SchemasOrReferences: 'additional_properties 1 *NamedSchemaOrReference',
  SecurityRequirement: 'additional_properties 1 *NamedStringArray',
  SecurityScheme:
    'type 1 string, description 2 string, name 3 string, in 4 string, scheme 5 string, bearer_format 6 string, open_id_connect_url 8 string, specification_extension 9 *NamedAny',
  SecuritySchemeOrReference: 'security_scheme 1 SecurityScheme, reference 2 Reference',
  SecuritySchemesOrReferences: 'additional_properties 1 *NamedSecuritySchemeOrReference',
  StringArray: 'value 1 *string',
}

const root = new protobuf.Root()
for (const [name, fields] of Object.entries(messages)) {
  const type = new protobuf.Type(name)
  for (const field of fields.split(', ')) {
    const [key, number, of] = field.split(' ') as [string, string, string]
    type.add(new protobuf.Field(key, Number(number), of.replace('*', ''), of.startsWith('*') ? 'repeated' : undefined))
  }
  root.add(type)
}
root.resolveAll()

/** Names that are not the field's in camel case. */
const names: Readonly<Record<string, string>> = { _ref: '$ref' }
const camel = (key: string): string => names[key] ?? key.replaceAll(/_([a-z])/g, (_all, c: string) => c.toUpperCase())

const isMap = /^(Paths|Properties|MediaTypes|SecurityRequirement|.*OrReferences)$/

/** The JSON that a message stands for. */
function jsonOf(type: protobuf.Type, message: Json): unknown {
  const only = Object.keys(type.fields).find((key) => Object.hasOwn(message, key))
  const inner = (key: string, value: unknown): unknown => {
    const of = type.fields[key]!.resolvedType
    if (of instanceof protobuf.Type) return jsonOf(of, value as Json)
    return typeof value === 'object' && value !== null ? Number(value) : value
  }
  if (type.name === 'Any') return JSON.parse(message['yaml'] as string)
  if (type.name === 'DefaultType') return only === undefined ? told : message[only]
  if (type.name === 'ItemsItem') return inner(only!, (message[only!] as readonly unknown[])[0])
  if (type.name === 'AdditionalPropertiesItem' || type.name.endsWith('OrReference')) return inner(only!, message[only!])
  const json: Json = {}
  for (const [key, field] of Object.entries(type.fields)) {
    if (!Object.hasOwn(message, key)) continue
    const value = message[key]
    const list = value as readonly unknown[]
    if (field.type.startsWith('Named')) Object.assign(json, entriesOf(field, list as readonly Json[]))
    else if (!field.repeated) json[isMap.test(type.name) ? key : camel(key)] = inner(key, value)
    else if (list.length > 0) json[camel(key)] = list.map((one) => inner(key, one))
  }
  return json
}

function entriesOf(field: protobuf.Field, entries: readonly Json[]): Json {
  const of = (field.resolvedType as protobuf.Type).fields['value']!.resolvedType as protobuf.Type
  return Object.fromEntries(entries.map(({ name, value }) => [name, jsonOf(of, (value ?? {}) as Json)]))
}

/** Of a list or an object the message can only tell that there is a default. */
const told = '(a default)'

function withoutLargeDefaults(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(withoutLargeDefaults)
  if (typeof value !== 'object' || value === null) return value
  const { type, allOf } = value as Json
  const isSchema = typeof type === 'string' || Array.isArray(allOf)
  return Object.fromEntries(
    Object.entries(value).map(([key, item]) => [
      key,
      isSchema && key === 'default' && typeof item === 'object' ? told : withoutLargeDefaults(item),
    ]),
  )
}

test('a stock protobuf library reads every document of version 3 as the one that was written', async () => {
  const type = root.lookupType('Document')
  const descriptions = await loadDescriptions()
  for (const minor of minors) {
    const { tables, facts } = await catalogOf(minor, { runtimeConfig: { 'api/all': true } })
    const options = { tables, kinds: facts, gitVersion: `v${minor}.0`, descriptions }
    for (const key of openApiKeys(facts)) {
      const document = openApiV3(options, key)!
      const read = jsonOf(type, type.decode(encodeOpenApiV3(document)) as unknown as Json)
      assert.deepEqual(read, withoutLargeDefaults(structuredClone(document)), `${minor} ${key}`)
    }
  }
})
