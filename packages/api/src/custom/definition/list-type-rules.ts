// The rules on x-kubernetes-list-type and its keys.

import { forbidden, invalid, notSupported, required, type FieldError } from '../../field-errors.ts'
import type { JSONSchemaProps } from '../../types/apiextensions-v1.ts'
import { hasDefault, isSchema } from '../schema-node.ts'

export function listTypeErrors(schema: JSONSchemaProps, path: string): readonly FieldError[] {
  const listType = schema['x-kubernetes-list-type']
  const keys = schema['x-kubernetes-list-map-keys'] ?? []
  const errors: FieldError[] = []
  if (listType !== undefined && schema.type !== 'array') {
    const words = 'must be array if x-kubernetes-list-type is specified'
    errors.push(
      (schema.type ?? '') === '' ? required(`${path}.type`, words) : invalid(`${path}.type`, schema.type, words),
    )
  } else if (listType === 'set' && isSchema(schema.items)) errors.push(...setItemErrors(schema.items, `${path}.items`))
  if (listType !== undefined && !['atomic', 'set', 'map'].includes(listType))
    errors.push(notSupported(`${path}.x-kubernetes-list-type`, listType, ['atomic', 'set', 'map']))
  if (keys.length > 0 && listType !== 'map') {
    const words = 'must be map if x-kubernetes-list-map-keys is non-empty'
    const at = `${path}.x-kubernetes-list-type`
    errors.push(listType === undefined ? required(at, words) : invalid(at, listType, words))
  }
  return listType === 'map' ? [...errors, ...mapErrors(schema, keys, path)] : errors
}

/** Items of a set are compared whole, so they may not be merged. */
function setItemErrors(items: JSONSchemaProps, path: string): readonly FieldError[] {
  const words = 'must be atomic as item of a list with x-kubernetes-list-type=set'
  const listType = items['x-kubernetes-list-type']
  if (items.type === 'array' && listType !== undefined && listType !== 'atomic')
    return [invalid(`${path}.x-kubernetes-list-type`, listType, words)]
  const mapType = items['x-kubernetes-map-type']
  if (items.type === 'object' && mapType !== 'atomic')
    return [invalid(`${path}.x-kubernetes-map-type`, listType ?? 'null', words)]
  return []
}

function mapErrors(schema: JSONSchemaProps, keys: readonly string[], path: string): readonly FieldError[] {
  const { items } = schema
  const at = `${path}.x-kubernetes-list-map-keys`
  const errors: FieldError[] = []
  if (keys.length === 0) errors.push(required(at, 'must not be empty if x-kubernetes-list-type is map'))
  if (items === undefined) errors.push(required(`${path}.items`, 'must have a schema if x-kubernetes-list-type is map'))
  if (!isSchema(items)) return errors
  if (items.type !== 'object') {
    const words = "must be object if parent array's x-kubernetes-list-type is map"
    return [...errors, invalid(`${path}.items.type`, items.type ?? '', words)]
  }
  for (const [index, key] of keys.entries()) {
    const property = items.properties?.[key]
    if (property === undefined) errors.push(invalid(at, keys, 'entries must all be names of item properties'))
    else if (property.type === 'array' || property.type === 'object')
      errors.push(
        invalid(
          `${path}.items.properties[${key}].type`,
          items.type,
          "must be a scalar type if parent array's x-kubernetes-list-type is map",
        ),
      )
    if (keys.indexOf(key) !== index) errors.push(invalid(at, keys, 'must not contain duplicate entries'))
  }
  return errors
}

/** Items and their keys are never null, and keys are always there. */
export function mapKeyErrors(schema: JSONSchemaProps, path: string): readonly FieldError[] {
  const listType = schema['x-kubernetes-list-type']
  const { items } = schema
  if (!isSchema(items) || (listType !== 'set' && listType !== 'map')) return []
  const errors: FieldError[] = []
  if (items.nullable === true)
    errors.push(forbidden(`${path}.items.nullable`, `cannot be nullable when x-kubernetes-list-type is ${listType}`))
  if (listType === 'set') return errors
  for (const key of schema['x-kubernetes-list-map-keys'] ?? []) {
    const property = items.properties?.[key]
    if (property === undefined) continue
    const at = `${path}.items.properties[${key}]`
    if (!(items.required ?? []).includes(key) && !hasDefault(property))
      errors.push(
        required(
          `${at}.default`,
          'this property is in x-kubernetes-list-map-keys, so it must have a default or be a required property',
        ),
      )
    if (property.nullable === true)
      errors.push(
        forbidden(`${at}.nullable`, 'this property is in x-kubernetes-list-map-keys, so it cannot be nullable'),
      )
  }
  return errors
}
