// Messages as OpenAPI schemas, in the dialect of version 2 or of version 3.

import { typeMetaWords, type Descriptions } from './descriptions.ts'
import type { KindName } from './kind-names.ts'
import { finish, type Steps } from './steps.ts'
import { fieldsOf, messageOf, type ApiTables, type FieldFact } from '../tables.ts'

export type OpenApiVersion = 2 | 3
export type OpenApiSchema = Readonly<Record<string, unknown>>

export interface DefinitionContext {
  readonly tables: ApiTables
  readonly version: OpenApiVersion
  readonly descriptions: Descriptions
  /** By message reference: a root object's schema names them. */
  readonly kindNames: ReadonlyMap<string, readonly KindName[]>
}

/** `io.k8s.api.apps.v1.Deployment` for `apps/v1.Deployment`. */
export function definitionName(tables: ApiTables, reference: string): string {
  const dot = reference.lastIndexOf('.')
  const groupVersion = reference.slice(0, dot)
  const prefix = tables.groupVersions[groupVersion]?.openapi
  if (prefix === undefined) throw new Error(`"${groupVersion}" has no place in OpenAPI`)
  return `${prefix}.${reference.slice(dot + 1)}`
}

/** The schemas of these messages and of all they refer to, by definition name, sorted. */
export function definitionsOf(
  context: DefinitionContext,
  roots: readonly string[],
): Readonly<Record<string, OpenApiSchema>> {
  return finish(definitionSteps(context, roots))
}

export function* definitionSteps(
  context: DefinitionContext,
  roots: readonly string[],
): Steps<Readonly<Record<string, OpenApiSchema>>> {
  const found = new Map<string, OpenApiSchema>()
  const pending = [...roots]
  for (let reference = pending.pop(); reference !== undefined; reference = pending.pop()) {
    const name = definitionName(context.tables, reference)
    if (found.has(name)) continue
    const refers = new Set<string>()
    found.set(name, definition(context, reference, refers))
    pending.push(...refers)
    yield
  }
  return Object.fromEntries([...found].sort(([a], [b]) => (a < b ? -1 : 1)))
}

const shapes: Readonly<Record<string, (version: OpenApiVersion) => OpenApiSchema>> = {
  string: () => ({ type: 'string' }),
  any: () => ({}),
  object: () => ({ type: 'object' }),
  envelope: () => ({ type: 'object' }),
  'int-or-string': (version) =>
    version === 2
      ? { type: 'string', format: 'int-or-string' }
      : { oneOf: [{ type: 'integer' }, { type: 'string' }], format: 'int-or-string' },
  quantity: (version) => (version === 2 ? { type: 'string' } : { oneOf: [{ type: 'string' }, { type: 'number' }] }),
  'schema-or-array': () => ({}),
  'schema-or-bool': () => ({}),
  'schema-or-string-array': () => ({}),
}

const timeFormats: Readonly<Record<string, string>> = { 'meta/v1.Time': 'date-time', 'meta/v1.MicroTime': 'date-time' }

function definition(context: DefinitionContext, reference: string, refers: Set<string>): OpenApiSchema {
  const message = messageOf(context.tables, reference)
  const shape = message.js === undefined ? undefined : shapes[message.js]
  const description = context.descriptions.type(reference)
  const words = description === undefined ? {} : { description }
  if (shape !== undefined) {
    const format = timeFormats[reference]
    return { ...words, ...shape(context.version), ...(format === undefined ? {} : { format }) }
  }
  const properties: Record<string, OpenApiSchema> = message.tm === 1 ? { ...typeMetaWords } : {}
  const required: string[] = []
  for (const [name, fact] of fieldsOf(context.tables, reference)) {
    properties[name] = fieldSchema(context, fact, refers, context.descriptions.field(reference, name))
    if (fact.r === 1) required.push(name)
  }
  const kinds = context.kindNames.get(reference) ?? []
  return {
    ...words,
    type: 'object',
    ...(required.length === 0 ? {} : { required: required.sort() }),
    ...(Object.keys(properties).length === 0 ? {} : { properties }),
    ...(message.mt === 'atomic' ? { 'x-kubernetes-map-type': 'atomic' } : {}),
    ...(message.u === undefined ? {} : { 'x-kubernetes-unions': message.u }),
    ...(kinds.length === 0 ? {} : { 'x-kubernetes-group-version-kind': kinds }),
  }
}

/** Beside a $ref nothing may stand in version 3. */
export function described(schema: OpenApiSchema, version: OpenApiVersion, description: string): OpenApiSchema {
  return '$ref' in schema && version === 3 ? { description, allOf: [schema], default: {} } : { description, ...schema }
}

function fieldSchema(
  context: DefinitionContext,
  fact: FieldFact,
  refers: Set<string>,
  description: string | undefined,
): OpenApiSchema {
  const plain = withEnum(context, fact, typeSchema(context, fact.t, refers))
  const preset = context.version === 2 ? undefined : (fact.d ?? implicitDefault(context, fact))
  return beside(plain, context.version, {
    ...(description === undefined ? {} : { description }),
    ...(preset === undefined ? {} : { default: preset }),
    ...(fact.lt === undefined ? {} : { 'x-kubernetes-list-type': fact.lt }),
    ...(fact.lk === undefined ? {} : { 'x-kubernetes-list-map-keys': fact.lk }),
    ...(fact.mt === undefined ? {} : { 'x-kubernetes-map-type': fact.mt }),
    ...(fact.ps === undefined ? {} : { 'x-kubernetes-patch-strategy': fact.ps }),
    ...(fact.pmk === undefined ? {} : { 'x-kubernetes-patch-merge-key': fact.pmk }),
  })
}

/** Beside a $ref nothing may stand in version 3. */
function beside(schema: OpenApiSchema, version: OpenApiVersion, extra: OpenApiSchema): OpenApiSchema {
  if (Object.keys(extra).length === 0) return schema
  return '$ref' in schema && version === 3 ? { allOf: [schema], ...extra } : { ...schema, ...extra }
}

/** What Go's zero value makes of an absent field that is neither optional nor a pointer; version 2 tells no defaults. */
function implicitDefault(context: DefinitionContext, { t, ptr, oe }: FieldFact): unknown {
  if (ptr === 1) return undefined
  return zeroOf(context, t, oe === 1)
}

const zeros: Readonly<Record<string, unknown>> = { string: '', bool: false, int32: 0, int64: 0, double: 0 }

function zeroOf({ tables }: DefinitionContext, type: string, isOptional: boolean): unknown {
  if (Object.hasOwn(zeros, type)) return isOptional ? undefined : zeros[type]
  if (!type.includes('.') || type.startsWith('[]') || type.startsWith('map[')) return undefined
  const dot = type.lastIndexOf('.')
  const alias = tables.groupVersions[type.slice(0, dot)]?.aliases?.[type.slice(dot + 1)]
  return alias !== undefined || messageOf(tables, type).js !== undefined ? undefined : {}
}

/** The values of a closed set stand with the field, or with the items of its list. Open sets have none. */
function withEnum({ tables }: DefinitionContext, { e, t }: FieldFact, schema: OpenApiSchema): OpenApiSchema {
  if (e === undefined) return schema
  const dot = e.lastIndexOf('.')
  const values = tables.groupVersions[e.slice(0, dot)]?.enums?.[e.slice(dot + 1)]
  if (values === undefined) return schema
  const sorted = values.toSorted()
  if (t === 'string') return { ...schema, enum: sorted }
  return t === '[]string' ? { ...schema, items: { ...(schema['items'] as OpenApiSchema), enum: sorted } } : schema
}

const scalars: Readonly<Record<string, OpenApiSchema>> = {
  string: { type: 'string' },
  bool: { type: 'boolean' },
  int32: { type: 'integer', format: 'int32' },
  int64: { type: 'integer', format: 'int64' },
  double: { type: 'number', format: 'double' },
  bytes: { type: 'string', format: 'byte' },
  any: {},
}

function typeSchema(context: DefinitionContext, type: string, refers: Set<string>): OpenApiSchema {
  if (type.startsWith('[]')) return { type: 'array', items: elementSchema(context, type.slice(2), refers) }
  const map = /^map\[\w+\](.*)$/.exec(type)
  if (map !== null) return { type: 'object', additionalProperties: elementSchema(context, map[1]!, refers) }
  const scalar = scalars[type]
  if (scalar !== undefined) return scalar
  const dot = type.lastIndexOf('.')
  const alias = context.tables.groupVersions[type.slice(0, dot)]?.aliases?.[type.slice(dot + 1)]
  if (alias !== undefined) return typeSchema(context, alias, refers)
  const message = messageOf(context.tables, type)
  // A list with a name of its own in Go has none in OpenAPI.
  if (message.js === 'list') return typeSchema(context, message.t!, refers)
  refers.add(type)
  return { $ref: `${refPrefix(context.version)}${definitionName(context.tables, type)}` }
}

/** An item of a list, a value of a map. */
function elementSchema(context: DefinitionContext, type: string, refers: Set<string>): OpenApiSchema {
  const plain = typeSchema(context, type, refers)
  const preset = context.version === 2 ? undefined : zeroOf(context, type, false)
  return preset === undefined ? plain : beside(plain, context.version, { default: preset })
}

export function refPrefix(version: OpenApiVersion): string {
  return version === 2 ? '#/definitions/' : '#/components/schemas/'
}
