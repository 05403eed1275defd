// Our documents as others read them: a validator of OpenAPI 2.0 and 3.0 has nothing to say against any of them.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Validator } from '@seriousme/openapi-schema-validator'
import { catalogOf } from '../catalog.ts'
import type { Minor } from '../tables.ts'
import type { CustomResourceDefinition } from '../types/apiextensions-v1.ts'
import { customDocument } from './custom.ts'
import { loadDescriptions } from './descriptions.ts'
import { openApiKeys, openApiV2, openApiV3, type OpenApiDocument, type OpenApiOptions } from './documents.ts'

const descriptions = await loadDescriptions()
const validator = new Validator()

async function optionsOf(minor: Minor): Promise<OpenApiOptions> {
  const { tables, facts } = await catalogOf(minor, { runtimeConfig: { 'api/all': true } })
  return { tables, descriptions, kinds: facts, gitVersion: `v${minor}.0` }
}

/** To the validator a field that is called `$ref` is a reference, wherever it stands: JSONSchemaProps has one. */
async function complaintsOf(document: OpenApiDocument): Promise<unknown> {
  const text = JSON.stringify(document).replaceAll('"$ref":{', '"ref":{')
  const { valid, errors } = await validator.validate(JSON.parse(text) as Record<string, unknown>)
  return valid ? [] : errors
}

test('every document of version 3 is valid', async () => {
  const options = await optionsOf('1.36')
  const keys = openApiKeys(options.kinds)
  assert.ok(keys.length > 40, `${keys.length} documents`)
  for (const key of keys) assert.deepEqual(await complaintsOf(openApiV3(options, key)!), [], key)
})

test('the document of version 2 is valid', async () => {
  for (const minor of ['1.34', '1.36'] as const)
    assert.deepEqual(await complaintsOf(openApiV2(await optionsOf(minor))), [], minor)
})

const definition = {
  metadata: { name: 'books.library.example.com' },
  spec: {
    group: 'library.example.com',
    scope: 'Namespaced',
    names: { kind: 'Book', plural: 'books' },
    versions: [
      {
        name: 'v1',
        served: true,
        storage: true,
        subresources: { status: {}, scale: { specReplicasPath: '.spec.copies', statusReplicasPath: '.status.copies' } },
        selectableFields: [{ jsonPath: '.spec.title' }],
        schema: {
          openAPIV3Schema: {
            type: 'object',
            description: 'A book.',
            required: ['spec'],
            properties: {
              spec: {
                type: 'object',
                properties: {
                  title: { type: 'string', pattern: '^[A-Z]', nullable: true },
                  copies: { 'x-kubernetes-int-or-string': true, anyOf: [{ type: 'integer' }, { type: 'string' }] },
                  shelf: { type: 'object', 'x-kubernetes-embedded-resource': true },
                  notes: { type: 'object', additionalProperties: { type: 'string' } },
                },
              },
            },
          },
        },
      },
    ],
  },
} as unknown as CustomResourceDefinition

test('the documents of a custom kind are valid, in version 2 together with those of the built-in kinds', async () => {
  const { tables, kinds, gitVersion } = await optionsOf('1.36')
  const common = { tables, definition, version: 'v1' }
  const three = customDocument({ ...common, form: 3, descriptions })
  const info = { title: 'Custom', version: 'v1' }
  const whole = { openapi: '3.0.0', info, paths: three.paths, components: { schemas: three.definitions } }
  assert.deepEqual(await complaintsOf(whole), [])
  const two = customDocument({ ...common, form: 2 })
  const own = openApiV2({ tables, kinds, gitVersion, descriptions }) as Record<string, Record<string, unknown>>
  assert.deepEqual(
    await complaintsOf({
      ...own,
      paths: { ...own['paths'], ...two.paths },
      definitions: { ...own['definitions'], ...two.definitions },
    }),
    [],
  )
})
