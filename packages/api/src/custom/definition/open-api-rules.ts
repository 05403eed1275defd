// The rules on each schema of a definition beyond being structural: what upstream does not support, list and map types,
// and how rules in CEL are written.

import { forbidden, invalid, notSupported, required, type FieldError } from '../../field-errors.ts'
import type { JSONSchemaProps, ValidationRule } from '../../types/apiextensions-v1.ts'
import { isSchema } from '../schema-node.ts'
import { listTypeErrors, mapKeyErrors } from './list-type-rules.ts'
import { isValidFieldPath } from './field-path.ts'

/** What holds for a schema because of where it stands. */
interface Place {
  /** Why defaults may not be set; undefined where they may. */
  readonly noDefaults?: string
  readonly insideMetadata: boolean
}

const types = ['array', 'boolean', 'integer', 'number', 'object', 'string']
const metaFields: ReadonlySet<string> = new Set(['metadata', 'kind', 'apiVersion'])

export function openApiErrors(root: JSONSchemaProps, path: string): readonly FieldError[] {
  return schemaErrors(root, path, { insideMetadata: false }, true)
}

function schemaErrors(schema: JSONSchemaProps, path: string, place: Place, isRoot = false): readonly FieldError[] {
  const errors = [...supportErrors(schema, path, place)]
  const { additionalProperties, properties = {} } = schema
  if (schema.uniqueItems === true)
    errors.push(
      forbidden(
        `${path}.uniqueItems`,
        'uniqueItems cannot be set to true since the runtime complexity becomes quadratic',
      ),
    )
  if (additionalProperties !== undefined) {
    if (Object.keys(properties).length > 0 && additionalProperties !== true)
      errors.push(forbidden(`${path}.additionalProperties`, 'additionalProperties and properties are mutual exclusive'))
    const inner = place.insideMetadata
      ? { ...place, noDefaults: 'inside additionalProperties applying to object metadata' }
      : place
    if (typeof additionalProperties === 'object')
      errors.push(...schemaErrors(additionalProperties, `${path}.additionalProperties`, inner))
  }
  for (const [key, one] of Object.entries(properties)) {
    const isMeta = (isRoot || schema['x-kubernetes-embedded-resource'] === true) && metaFields.has(key)
    const inner = {
      ...place,
      ...(isMeta ? { insideMetadata: true } : {}),
      ...(isMeta && isRoot ? { noDefaults: `in top-level ${key}` } : {}),
    }
    errors.push(...schemaErrors(one, `${path}.properties[${key}]`, inner))
  }
  errors.push(...junctorErrors(schema, path, place))
  if (isSchema(schema.items)) errors.push(...schemaErrors(schema.items, `${path}.items`, place))
  errors.push(...extensionErrors(schema, path), ...listTypeErrors(schema, path), ...mapKeyErrors(schema, path))
  for (const [index, rule] of (schema['x-kubernetes-validations'] ?? []).entries())
    errors.push(...ruleErrors(schema, rule, `${path}.x-kubernetes-validations[${index}]`))
  return errors
}

function junctorErrors(schema: JSONSchemaProps, path: string, place: Place): readonly FieldError[] {
  const errors = schema.not === undefined ? [] : [...schemaErrors(schema.not, `${path}.not`, place)]
  for (const name of ['allOf', 'oneOf', 'anyOf'] as const)
    for (const [index, one] of (schema[name] ?? []).entries())
      errors.push(...schemaErrors(one, `${path}.${name}[${index}]`, place))
  return errors
}

const unsupported = ['id', 'additionalItems', 'patternProperties', 'definitions', 'dependencies', '$ref'] as const

function supportErrors(schema: JSONSchemaProps, path: string, place: Place): readonly FieldError[] {
  const errors: FieldError[] = []
  const { type = '' } = schema
  if (type !== '' && !types.includes(type)) errors.push(notSupported(`${path}.type`, type, types))
  if (schema.default !== undefined && place.noDefaults !== undefined)
    errors.push(forbidden(`${path}.default`, `must not be set ${place.noDefaults}`))
  for (const name of unsupported) {
    const value = schema[name]
    if (value !== undefined && value !== '') errors.push(forbidden(`${path}.${name}`, `${name} is not supported`))
  }
  if (type === 'null')
    errors.push(forbidden(`${path}.type`, 'type cannot be set to null, use nullable as an alternative'))
  if (Array.isArray(schema.items) && schema.items.length > 0)
    errors.push(forbidden(`${path}.items`, 'items must be a schema object and not an array'))
  if (place.insideMetadata && schema['x-kubernetes-embedded-resource'] === true)
    errors.push(forbidden(`${path}.x-kubernetes-embedded-resource`, 'must not be used inside of resource meta'))
  return errors
}

function extensionErrors(schema: JSONSchemaProps, path: string): readonly FieldError[] {
  const errors: FieldError[] = []
  if (schema['x-kubernetes-preserve-unknown-fields'] === false)
    errors.push(invalid(`${path}.x-kubernetes-preserve-unknown-fields`, false, 'must be true or undefined'))
  const mapType = schema['x-kubernetes-map-type']
  if (mapType === undefined) return errors
  const words = 'must be object if x-kubernetes-map-type is specified'
  if ((schema.type ?? '') === '') errors.push(required(`${path}.type`, words))
  else if (schema.type !== 'object') errors.push(invalid(`${path}.type`, schema.type, words))
  if (mapType !== 'atomic' && mapType !== 'granular')
    errors.push(notSupported(`${path}.x-kubernetes-map-type`, mapType, ['atomic', 'granular']))
  return errors
}

const ruleReasons = ['FieldValueDuplicate', 'FieldValueForbidden', 'FieldValueInvalid', 'FieldValueRequired']

function ruleErrors(schema: JSONSchemaProps, rule: ValidationRule, path: string): readonly FieldError[] {
  const { message = '', messageExpression = '', reason, fieldPath = '' } = rule
  const errors: FieldError[] = []
  const isBlank = (text: string): boolean => text !== '' && text.trim() === ''
  if (rule.rule.trim() === '') errors.push(required(`${path}.rule`, 'rule is not specified'))
  else if (isBlank(message)) errors.push(invalid(`${path}.message`, message, 'must be non-empty if specified'))
  else if (hasNewline(message.trim())) errors.push(invalid(`${path}.message`, message, 'must not contain line breaks'))
  else if (hasNewline(rule.rule.trim()) && message.trim() === '')
    errors.push(required(`${path}.message`, 'message must be specified if rule contains line breaks'))
  if (isBlank(messageExpression))
    errors.push(required(`${path}.messageExpression`, 'messageExpression must be non-empty if specified'))
  if (reason !== undefined && !ruleReasons.includes(reason))
    errors.push(notSupported(`${path}.reason`, reason, ruleReasons))
  if (isBlank(fieldPath)) errors.push(invalid(`${path}.fieldPath`, fieldPath, 'must be non-empty if specified'))
  if (hasNewline(fieldPath)) errors.push(invalid(`${path}.fieldPath`, fieldPath, 'must not contain line breaks'))
  if (fieldPath !== '' && !isValidFieldPath(fieldPath, schema))
    errors.push(invalid(`${path}.fieldPath`, fieldPath, 'must be a valid path'))
  return errors
}

function hasNewline(text: string): boolean {
  return /[\n\r]/.test(text)
}
