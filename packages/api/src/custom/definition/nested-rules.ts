// What may stand below allOf, anyOf, oneOf and not: restrictions on values, and nothing that gives an object its shape.

import { deepEqual } from '../../deep-equal.ts'
import { forbidden, invalid, type FieldError } from '../../field-errors.ts'
import type { JSONSchemaProps } from '../../types/apiextensions-v1.ts'
import { patternComplaint } from '../patterns.ts'
import { isSchema } from '../schema-node.ts'

const intOrString = [{ type: 'integer' }, { type: 'string' }]

/** `skipsAnyOf`: anyOf is the one that int-or-string is written with. */
export function nestedErrors(
  schema: JSONSchemaProps,
  path: string,
  { skipsAnyOf = false }: { readonly skipsAnyOf?: boolean } = {},
): readonly FieldError[] {
  const { anyOf = [], allOf = [], oneOf = [], not, items, properties = {}, pattern = '' } = schema
  const errors: FieldError[] = []
  if (!(skipsAnyOf && deepEqual(anyOf, intOrString)))
    for (const [index, one] of anyOf.entries()) errors.push(...nestedErrors(one, `${path}.anyOf[${index}]`))
  for (const [index, one] of allOf.entries()) errors.push(...nestedErrors(one, `${path}.allOf[${index}]`))
  for (const [index, one] of oneOf.entries()) errors.push(...nestedErrors(one, `${path}.oneOf[${index}]`))
  if (not !== undefined) errors.push(...nestedErrors(not, `${path}.not`))
  errors.push(...patternErrors(pattern, path))
  if (isSchema(items)) errors.push(...nestedErrors(items, `${path}.items`))
  for (const [key, one] of Object.entries(properties)) errors.push(...nestedErrors(one, `${path}.properties[${key}]`))
  errors.push(...shapeErrors(schema, path))
  if (Object.hasOwn(properties, 'metadata'))
    errors.push(forbidden(`${path}.properties[metadata]`, 'must not be specified in a nested context'))
  return errors
}

/** Field, whether it says something, and what it must be. */
const shapes: readonly (readonly [keyof JSONSchemaProps, string])[] = [
  ['type', 'must be empty to be structural'],
  ['additionalProperties', 'must be undefined to be structural'],
  ['default', 'must be undefined to be structural'],
  ['title', 'must be empty to be structural'],
  ['description', 'must be empty to be structural'],
  ['nullable', 'must be false to be structural'],
  ['x-kubernetes-preserve-unknown-fields', 'must be false to be structural'],
  ['x-kubernetes-embedded-resource', 'must be false to be structural'],
  ['x-kubernetes-int-or-string', 'must be false to be structural'],
  ['x-kubernetes-list-map-keys', 'must be empty to be structural'],
  ['x-kubernetes-list-type', 'must be undefined to be structural'],
  ['x-kubernetes-map-type', 'must be undefined to be structural'],
  ['x-kubernetes-validations', 'must be empty to be structural'],
]

function shapeErrors(schema: JSONSchemaProps, path: string): readonly FieldError[] {
  return shapes
    .filter(([name]) => schema[name] !== undefined && schema[name] !== null && schema[name] !== false)
    .map(([name, words]) => forbidden(`${path}.${name}`, words))
}

export function patternErrors(pattern: string, path: string): readonly FieldError[] {
  const wrong = pattern === '' ? undefined : patternComplaint(pattern)
  if (wrong === undefined) return []
  return [invalid(`${path}.pattern`, pattern, `must be a valid regular expression, but isn't: ${wrong}`)]
}
