// Defaults in a schema must themselves be what the schema allows.

import { deepEqual } from '../../deep-equal.ts'
import { invalid, type FieldError } from '../../field-errors.ts'
import type { JSONSchemaProps } from '../../types/apiextensions-v1.ts'
import { validateEmbedded } from '../embedded.ts'
import { expressionRules } from '../expressions.ts'
import { prune } from '../prune.ts'
import { hasRules } from '../rule-tree.ts'
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
  const values = embedded.length > 0 ? embedded : valueValidator(schema).validate(preset, path)
  if (values.length > 0 || !hasRules(schema)) return [...errors, ...values]
  // It must be good as a value that was there before, and as one that is new.
  const rules = expressionRules(schema, false)
  const kept = rules?.validate(preset, { old: preset }, path) ?? []
  return [...errors, ...(kept.length > 0 ? kept : (rules?.validate(preset, undefined, path) ?? []))]
}
