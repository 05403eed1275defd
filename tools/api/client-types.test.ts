// Our OpenAPI against a client that was generated from upstream's: the same functions, the same fields of the same types.

import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { catalogOf } from '@aksel/api/catalog'
import { loadDescriptions } from '@aksel/api/openapi/descriptions'
import { openApiV2 } from '@aksel/api/openapi/documents'
import * as generated from '@kubernetes/client-node'

interface Schema {
  readonly $ref?: string
  readonly type?: string
  readonly format?: string
  readonly items?: Schema
  readonly additionalProperties?: Schema
  readonly properties?: Readonly<Record<string, Schema>>
}

interface Operation {
  readonly operationId: string
  readonly tags: readonly [string]
  readonly 'x-kubernetes-action'?: string
  readonly responses: Readonly<Record<string, { readonly schema: Schema }>>
}

interface Document {
  readonly paths: Readonly<Record<string, Readonly<Record<string, Operation>>>>
  readonly definitions: Readonly<Record<string, Schema>>
}

interface Attribute {
  readonly baseName: string
  readonly type: string
  readonly format: string
}

interface GeneratedClass {
  readonly prototype: object
  getAttributeTypeMap?(): readonly Attribute[]
}

const client = generated as unknown as Readonly<Record<string, GeneratedClass>>
const { tables, facts } = await catalogOf('1.36', { runtimeConfig: { 'api/all': true } })
// The metrics of nodes and pods come from a server of their own upstream.
const kinds = facts.filter(({ group }) => group !== 'metrics.k8s.io')
const document = openApiV2({
  tables,
  descriptions: await loadDescriptions(),
  kinds,
  gitVersion: 'v1.36.0',
}) as unknown as Document

const capital = (word: string): string => word.slice(0, 1).toUpperCase() + word.slice(1)
/** `RbacAuthorizationV1Api` for the tag `rbacAuthorization_v1`. */
const classOf = (tag: string): string => `${tag.split('_').map(capital).join('')}Api`

/** By class, its functions, as the generator takes them from our operations: it leaves the deprecated watches out. */
function functionsOf(): ReadonlyMap<string, ReadonlySet<string>> {
  const functions = new Map<string, Set<string>>()
  for (const item of Object.values(document.paths))
    for (const [method, operation] of Object.entries(item)) {
      if (method === 'parameters' || operation['x-kubernetes-action']?.startsWith('watch') === true) continue
      const name = classOf(operation.tags[0])
      const known = functions.get(name) ?? new Set()
      functions.set(name, known.add(operation.operationId.replace(name.slice(0, -'Api'.length), '')))
    }
  return functions
}

function functionsOfClient(name: string): readonly string[] {
  return Object.getOwnPropertyNames(client[name]!.prototype).filter(
    (one) => one !== 'constructor' && !one.endsWith('WithHttpInfo'),
  )
}

test('each operation is a function of the generated client, and each of its functions an operation', () => {
  const wrong: string[] = []
  let seen = 0
  for (const [name, functions] of functionsOf()) {
    const theirs = new Set(client[name] === undefined ? [] : functionsOfClient(name))
    for (const one of functions) {
      seen += 1
      if (!theirs.has(one)) wrong.push(`${name}.${one} is ours alone`)
    }
    for (const one of theirs) if (!functions.has(one)) wrong.push(`${name}.${one} is missing`)
  }
  assert.ok(seen > 900, `only ${seen} were seen`)
  assert.deepEqual(wrong, [])
})

test('a deletion answers with the type that the function of the generated client promises', () => {
  const types = readFileSync(
    fileURLToPath(import.meta.resolve('@kubernetes/client-node/dist/gen/types/PromiseAPI.d.ts')),
    'utf8',
  )
  const promised = new Map<string, Set<string>>()
  for (const [, name = '', type = ''] of types.matchAll(/^ {4}(delete\w+)\(.*\): Promise<(\w+)>;/gm))
    promised.set(
      name,
      (promised.get(name) ?? new Set()).add(type === 'V1Status' ? 'Status' : type.replace(/^.*V\d\w*?(?=[A-Z])/, '')),
    )
  let seen = 0
  for (const { delete: operation } of Object.values(document.paths)) {
    if (operation?.['x-kubernetes-action'] !== 'delete') continue
    seen += 1
    const { $ref = '' } = operation.responses['200']!.schema
    const name = operation.operationId.replace(classOf(operation.tags[0]).slice(0, -'Api'.length), '')
    assert.ok(promised.get(name)?.has($ref.split('.').at(-1)!) === true, `${operation.operationId}: ${$ref}`)
  }
  assert.ok(seen > 70, `only ${seen} were seen`)
})

/** `V1Pod`; `CoreV1Event` where two groups have a type of that name. */
function modelOf(definition: string): GeneratedClass | undefined {
  const [name = '', version = '', group = ''] = definition.split('.').toReversed()
  const short = `${capital(version)}${name}`
  return client[`${capital(group)}${short}`] ?? client[short]
}

function typeOf({ $ref, type, format, items, additionalProperties }: Schema): string {
  if ($ref !== undefined) return typeOfReference($ref)
  if (items !== undefined) return `Array<${typeOf(items)}>`
  if (additionalProperties !== undefined) return `{ [key: string]: ${typeOf(additionalProperties)}; }`
  if (format === 'date-time') return 'Date'
  return type === 'integer' || type === 'number' ? 'number' : type === 'boolean' || type === 'string' ? type : 'any'
}

function typeOfReference(reference: string): string {
  const name = reference.slice('#/definitions/'.length)
  const { type, format, properties } = document.definitions[name]!
  if (format === 'int-or-string') return 'IntOrString'
  if (name.endsWith('.MicroTime')) return 'V1MicroTime'
  if (properties === undefined && type !== 'object') return typeOf(document.definitions[name]!)
  const model = modelOf(name) as { readonly name: string } | undefined
  return model?.name ?? 'any'
}

test('the models of the generated client have our fields, of our types', () => {
  const wrong: string[] = []
  let seen = 0
  for (const [name, { properties }] of Object.entries(document.definitions)) {
    if (properties === undefined) continue
    const attributes = modelOf(name)?.getAttributeTypeMap?.()
    if (attributes === undefined) {
      wrong.push(`${name} has no model`)
      continue
    }
    const theirs = new Map(attributes.map((one) => [one.baseName, one.type]))
    for (const [field, schema] of Object.entries(properties)) {
      seen += 1
      const type = typeOf(schema)
      if (theirs.get(field) !== type) wrong.push(`${name} ${field}: ${type}, there ${theirs.get(field)}`)
    }
    for (const field of theirs.keys()) if (properties[field] === undefined) wrong.push(`${name} ${field}: only there`)
  }
  assert.ok(seen > 2000, `only ${seen} were seen`)
  assert.deepEqual(wrong, [])
})
