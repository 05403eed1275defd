// Defaults in a schema must themselves be what the schema allows.

import { deepEqual } from '../../deep-equal.ts'
import { invalid, type FieldError } from '../../field-errors.ts'
import type { JSONSchemaProps } from '../../types/apiextensions-v1.ts'
import { validateEmbedded } from '../embedded.ts'
import { prune } from '../prune.ts'
import { hasDefault, isObject, isSchema, schemaNode, type Json } from '../schema-node.ts'
import { valueValidator } from '../validate-value.ts'

/** Defaults below additionalProperties are forbidden elsewhere, so they are not looked at. */
export function defaultErrors(schema: JSONSchemaProps, path: string): readonly FieldError[] {
  const errors = hasDefault(schema) ? [...judge(schema, `${path}.default`)] : []
  if (isSchema(schema.items)) errors.push(...defaultErrors(schema.items, `${path}.items`))
  for (const [key, one] of Object.entries(schema.properties ?? {}))
    errors.push(...defaultErrors(one, `${path}.properties[${key}]`))
  return errors
}

function judge(schema: JSONSchemaProps, path: string): readonly FieldError[] {
  const { default: preset } = schema
  const node = schemaNode(schema)
  const errors: FieldError[] = []
  const copy = structuredClone(preset)
  if (isObject(copy) || Array.isArray(copy)) {
    prune({ preset: copy } as Json, { ...node, properties: new Map([['preset', node]]), preservesUnknown: false })
    if (!deepEqual(copy, preset)) errors.push(invalid(path, preset, 'must not have unknown fields'))
  }
  const embedded = validateEmbedded(preset, node).map((error) => ({ ...error, field: `${path}.${error.field}` }))
  return [...errors, ...(embedded.length > 0 ? embedded : valueValidator(schema).validate(preset, path))]
}
