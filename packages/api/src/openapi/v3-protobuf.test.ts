// The protobuf form of version 3 documents: field numbers by hand, and whole documents read back by a reader of its own.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { catalogOf } from '../catalog.ts'
import { loadDescriptions } from './descriptions.ts'
import { openApiKeys, openApiV3 } from './documents.ts'
import { encodeOpenApiV3 } from './v3-protobuf.ts'

type Json = Readonly<Record<string, unknown>>

const hex = (document: Json): string => Buffer.from(encodeOpenApiV3(document)).toString('hex')
const ascii = (text: string): string => Buffer.from(text).toString('hex')
/** A field with a length: its tag, the length, and what it holds. */
const field = (number: number, content: string): string => {
  const tag = number * 8 + 2
  const head = tag < 128 ? [tag] : [(tag % 128) + 128, Math.floor(tag / 128)]
  return Buffer.from([...head, content.length / 2]).toString('hex') + content
}

test('version, info and a path stand behind their field numbers', () => {
  const operation =
    field(5, ascii('id')) + field(8, field(2, field(1, ascii('200')) + field(2, field(1, field(1, ascii('OK'))))))
  const path = field(1, ascii('/a')) + field(2, field(4, operation))
  assert.equal(
    hex({
      openapi: '3.0.0',
      info: { title: 'T', version: 'v' },
      paths: { '/a': { get: { operationId: 'id', responses: { 200: { description: 'OK' } } } } },
    }),
    field(1, ascii('3.0.0')) + field(2, field(1, ascii('T')) + field(6, ascii('v'))) + field(4, field(1, path)),
  )
})

test('a schema is itself or a reference, and tells a default that is a number, a flag or a text', () => {
  const property = (name: string, schema: string): string => field(1, field(1, ascii(name)) + field(2, schema))
  const body = field(
    31,
    property('a', field(1, field(26, field(2, field(1, ascii('#/x')))) + field(33, ''))) +
      property('b', field(1, field(25, ascii('string')) + field(33, field(3, ascii('TCP'))))),
  )
  const entry = field(1, ascii('D')) + field(2, field(1, body))
  assert.equal(
    hex({
      components: {
        schemas: {
          D: { properties: { a: { allOf: [{ $ref: '#/x' }], default: {} }, b: { type: 'string', default: 'TCP' } } },
        },
      },
    }),
    field(5, field(1, field(1, entry))),
  )
})

test('a key without a field is refused rather than left out', () => {
  assert.throws(
    () => encodeOpenApiV3({ components: { schemas: { D: { patternProperties: {} } } } }),
    /patternProperties/,
  )
  assert.throws(() => encodeOpenApiV3({ swagger: '2.0' }), /no field for "swagger"/)
})

/** Every text in the message, by trying each field of bytes as a message first: enough to compare what two forms say. */
function textsOf(bytes: Uint8Array): readonly string[] {
  return partsOf(bytes)?.flatMap((part) => textsOf(part)) ?? [Buffer.from(bytes).toString('utf8')]
}

/** The fields that have a length; undefined where the bytes are no message. */
function partsOf(bytes: Uint8Array): readonly Uint8Array[] | undefined {
  const parts: Uint8Array[] = []
  let at = 0
  const varint = (): number => {
    let value = 0
    for (let scale = 1; at < bytes.length; scale *= 128) {
      const byte = bytes[at++]!
      value += (byte % 128) * scale
      if (byte < 128) return value
    }
    return Number.NaN
  }
  while (at < bytes.length) {
    const tag = varint()
    const [number, type] = [Math.floor(tag / 8), tag % 8]
    if (!(number > 0 && number < 40)) return undefined
    if (type === 0) varint()
    else if (type === 1) at += 8
    else if (type === 2) {
      const length = varint()
      if (!(at + length <= bytes.length)) return undefined
      parts.push(bytes.subarray(at, at + length))
      at += length
    } else return undefined
  }
  return at === bytes.length ? parts : undefined
}

function descriptionsOf(value: unknown): readonly string[] {
  if (Array.isArray(value)) return value.flatMap(descriptionsOf)
  if (typeof value !== 'object' || value === null) return []
  return Object.entries(value).flatMap(([key, item]) =>
    key === 'description' && typeof item === 'string' ? [item] : descriptionsOf(item),
  )
}

test('every document of a minor has a field for everything, and no sentence is lost', async () => {
  const { tables, facts } = await catalogOf('1.36')
  const options = { tables, kinds: facts, gitVersion: 'v1.36.0', descriptions: await loadDescriptions() }
  for (const key of openApiKeys(facts)) assert.ok(encodeOpenApiV3(openApiV3(options, key)!).length > 100, key)
  const document = openApiV3(options, 'apis/coordination.k8s.io/v1')!
  const texts = textsOf(encodeOpenApiV3(document))
  const written = descriptionsOf(document)
  assert.ok(written.length > 100)
  const counts = Map.groupBy(texts, (text) => text)
  for (const [sentence, told] of Map.groupBy(written, (text) => text))
    assert.equal(counts.get(sentence)?.length, told.length, sentence)
})

test('the schema of a custom kind has a field for everything that a definition can say', () => {
  const schema = {
    type: 'object',
    nullable: true,
    properties: {
      size: { anyOf: [{ type: 'integer' }, { type: 'string' }], 'x-kubernetes-int-or-string': true },
      name: { type: 'string', minLength: 1, maxLength: 63, pattern: '^a', not: { enum: ['b'] }, format: 'uuid' },
      parts: { type: 'array', minItems: 1, maxItems: 9, items: { type: 'number', minimum: -1.5, multipleOf: 0.5 } },
      more: { type: 'object', additionalProperties: true, minProperties: 1, maxProperties: 4, default: { a: 1 } },
      flag: { type: 'boolean', default: false, title: 'T', example: [1], externalDocs: { url: 'u' } },
    },
    'x-kubernetes-validations': [{ rule: 'self.size > 0' }],
    required: ['size'],
  }
  const bytes = encodeOpenApiV3({ components: { schemas: { Custom: schema } } })
  const texts = textsOf(bytes)
  for (const text of ['uuid', '^a', '"b"', 'T', 'u', '[{"rule":"self.size > 0"}]', 'size'])
    assert.ok(texts.includes(text), text)
})
