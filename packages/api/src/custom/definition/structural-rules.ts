// What makes a schema structural: every field has a type outside of allOf, anyOf, oneOf and not, and those only add
// restrictions. In upstream's words, sorted as upstream sorts them.

import { deepEqual } from '../../deep-equal.ts'
import { forbidden, invalid, required, type FieldError } from '../../field-errors.ts'
import type { JSONSchemaProps } from '../../types/apiextensions-v1.ts'
import { isSchema } from '../schema-node.ts'
import { completenessErrors } from './completeness.ts'
import { nestedErrors, patternErrors } from './nested-rules.ts'

type Level = 'root' | 'item' | 'field'

export function structuralErrors(schema: JSONSchemaProps, path: string): readonly FieldError[] {
  const errors = [...invariants(schema, 'root', path), ...completenessErrors(schema, schema, path, path)]
  return errors.toSorted((a, b) => (textOf(a) < textOf(b) ? -1 : textOf(a) > textOf(b) ? 1 : 0))
}

function textOf({ field, message }: FieldError): string {
  return `${field}: ${message}`
}

function invariants(schema: JSONSchemaProps, level: Level, path: string): readonly FieldError[] {
  const errors: FieldError[] = []
  const { items, additionalProperties } = schema
  if (schema.type === 'array' && items === undefined) errors.push(required(`${path}.items`, 'must be specified'))
  if (isSchema(items)) errors.push(...invariants(items, 'item', `${path}.items`))
  for (const [key, one] of Object.entries(schema.properties ?? {}))
    errors.push(...invariants(one, 'field', `${path}.properties[${key}]`))
  if (additionalProperties !== undefined) {
    const at = `${path}.additionalProperties`
    if (level === 'root') errors.push(forbidden(at, 'must not be used at the root'))
    if (typeof additionalProperties === 'object') errors.push(...invariants(additionalProperties, 'field', at))
  }
  errors.push(...extensionErrors(schema, path), ...valueErrors(schema, path), ...typeErrors(schema, level, path))
  return [...errors, ...metadataErrors(schema, level, path)]
}

function extensionErrors(schema: JSONSchemaProps, path: string): readonly FieldError[] {
  if (schema['x-kubernetes-int-or-string'] !== true) return []
  return (['x-kubernetes-preserve-unknown-fields', 'x-kubernetes-embedded-resource'] as const)
    .filter((name) => schema[name] === true)
    .map((name) => invalid(`${path}.${name}`, true, 'must be false if x-kubernetes-int-or-string is true'))
}

const intOrString = [{ type: 'integer' }, { type: 'string' }]

/** The junctors, with the one shape that int-or-string may have. */
function valueErrors(schema: JSONSchemaProps, path: string): readonly FieldError[] {
  const { anyOf = [], allOf = [], oneOf = [], not, pattern = '' } = schema
  const errors: FieldError[] = []
  if (!deepEqual(anyOf, intOrString))
    for (const [index, one] of anyOf.entries()) errors.push(...nestedErrors(one, `${path}.anyOf[${index}]`))
  for (const [index, one] of allOf.entries()) {
    const skipsAnyOf = index === 0 && deepEqual(one.anyOf, intOrString)
    errors.push(...nestedErrors(one, `${path}.allOf[${index}]`, { skipsAnyOf }))
  }
  for (const [index, one] of oneOf.entries()) errors.push(...nestedErrors(one, `${path}.oneOf[${index}]`))
  if (not !== undefined) errors.push(...nestedErrors(not, `${path}.not`))
  return [...errors, ...patternErrors(pattern, path)]
}

const emptyTypeWords: Readonly<Record<Level, string>> = {
  root: 'must not be empty at the root',
  item: 'must not be empty for specified array items',
  field: 'must not be empty for specified object fields',
}

function typeErrors(schema: JSONSchemaProps, level: Level, path: string): readonly FieldError[] {
  const { type = '', additionalProperties, properties = {} } = schema
  const errors: FieldError[] = []
  const isEmbedded = schema['x-kubernetes-embedded-resource'] === true
  const preserves = schema['x-kubernetes-preserve-unknown-fields'] === true
  const at = `${path}.type`
  const embeddedWords = 'must be object if x-kubernetes-embedded-resource is true'
  if (isEmbedded && type !== 'object')
    errors.push(type === '' ? required(at, embeddedWords) : invalid(at, type, embeddedWords))
  else if (type === '' && schema['x-kubernetes-int-or-string'] !== true && !preserves)
    errors.push(required(at, emptyTypeWords[level]))
  if (isEmbedded && additionalProperties !== undefined)
    errors.push(forbidden(`${path}.additionalProperties`, 'must not be used if x-kubernetes-embedded-resource is set'))
  if (level === 'root' && type !== '' && type !== 'object') errors.push(invalid(at, type, 'must be object at the root'))
  if (isEmbedded && !preserves && Object.keys(properties).length === 0)
    errors.push(
      required(
        `${path}.properties`,
        'must not be empty if x-kubernetes-embedded-resource is true without x-kubernetes-preserve-unknown-fields',
      ),
    )
  return errors
}

/** What a schema may say of apiVersion, kind and metadata. */
function metadataErrors(schema: JSONSchemaProps, level: Level, path: string): readonly FieldError[] {
  const { kind, apiVersion, metadata } = schema.properties ?? {}
  const checks = level === 'root' || schema['x-kubernetes-embedded-resource'] === true
  const errors: FieldError[] = []
  const at = (key: string): string => `${path}.properties[${key}]`
  for (const [key, one] of [
    ['kind', kind],
    ['apiVersion', apiVersion],
  ] as const) {
    if (checks && one !== undefined && one.type !== 'string')
      errors.push(invalid(`${at(key)}.type`, one.type ?? '', 'must be string'))
  }
  if (metadata === undefined) return errors
  if (checks && metadata.type !== 'object')
    errors.push(invalid(`${at('metadata')}.type`, metadata.type ?? '', 'must be object'))
  if (level === 'root' && saysMore(metadata))
    errors.push(
      forbidden(
        at('metadata'),
        'must not specify anything other than name and generateName, but metadata is implicitly specified',
      ),
    )
  return errors
}

function saysMore({ type: _type, description: _description, properties = {}, ...rest }: JSONSchemaProps): boolean {
  if (Object.values(rest).some((value) => value !== undefined)) return true
  return Object.keys(properties).some((key) => key !== 'name' && key !== 'generateName')
}
