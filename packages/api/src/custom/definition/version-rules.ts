// The rules on one version of a definition: its schema, subresources, printer columns and selectable fields.

import {
  duplicate,
  faultsOfEach,
  forbidden,
  invalid,
  isFull,
  required,
  tooMany,
  type FieldError,
} from '../../field-errors.ts'
import type {
  CustomResourceColumnDefinition,
  CustomResourceDefinitionVersion,
  CustomResourceSubresources,
  JSONSchemaProps,
  SelectableField,
} from '../../types/apiextensions-v1.ts'
import { byteLength } from '../../validation/metadata.ts'
import { defaultErrors } from './default-rules.ts'
import { expressionErrors } from './expression-rules.ts'
import { findField } from './field-path.ts'
import { openApiErrors } from './open-api-rules.ts'
import { structuralErrors } from './structural-rules.ts'

const selectableMax = 8

export interface VersionOptions {
  /** Selectable fields beyond the limit are let be where they were there before. */
  readonly allowTooManyFields: boolean
  /** Rules that are dearer than allowed are let be where the schema did not change. */
  readonly allowDearRules: boolean
}

export function versionErrors(
  version: CustomResourceDefinitionVersion,
  path: string,
  { allowTooManyFields, allowDearRules }: VersionOptions,
): readonly FieldError[] {
  const { deprecationWarning, schema, subresources, selectableFields = [] } = version
  const errors: FieldError[] = deprecationComplaints(version).map((words) =>
    invalid(`${path}.deprecationWarning`, deprecationWarning ?? '', words),
  )
  const properties = schema?.openAPIV3Schema
  if (properties !== undefined)
    errors.push(
      ...schemaErrors(properties, `${path}.schema.openAPIV3Schema`, {
        hasStatus: subresources?.status !== undefined,
        allowDearRules,
      }),
    )
  errors.push(...subresourceErrors(subresources, `${path}.subresources`))
  errors.push(
    ...faultsOfEach(version.additionalPrinterColumns ?? [], (column, index) =>
      columnErrors(column, `${path}.additionalPrinterColumns[${index}]`),
    ),
  )
  if (selectableFields.length === 0) return errors
  const at = `${path}.selectableFields`
  if (properties === undefined)
    return [...errors, invalid(at, '', 'may only be set when `version.schema.openAPIV3Schema` is not included')]
  return [...errors, ...selectableErrors(selectableFields, properties, at, allowTooManyFields)]
}

function deprecationComplaints({
  deprecated = false,
  deprecationWarning: warning,
}: CustomResourceDefinitionVersion): readonly string[] {
  if (warning === undefined) return []
  if (!deprecated) return ['can only be set for deprecated versions']
  const wrong: string[] = []
  if (byteLength(warning) > 256) wrong.push('must be <= 256 characters long')
  if (warning === '') wrong.push('must not be an empty string')
  const bad = /[^\P{C}\p{Co}]/u.exec(warning)
  if (bad !== null)
    wrong.push(`must only contain printable UTF-8 characters; non-printable character found at index ${bad.index}`)
  return wrong
}

/** What may stand at the root beside a status that is judged by itself. */
const besideStatus: ReadonlySet<string> = new Set([
  'description',
  'type',
  'format',
  'title',
  'maximum',
  'exclusiveMaximum',
  'minimum',
  'exclusiveMinimum',
  'maxLength',
  'minLength',
  'pattern',
  'maxItems',
  'minItems',
  'uniqueItems',
  'multipleOf',
  'required',
  'items',
  'properties',
  'externalDocs',
  'example',
  'x-kubernetes-preserve-unknown-fields',
  'x-kubernetes-validations',
])

const besideStatusShown =
  '[Description Type Format Title Maximum ExclusiveMaximum Minimum ExclusiveMinimum MaxLength MinLength Pattern MaxItems MinItems UniqueItems MultipleOf Required Items Properties ExternalDocs Example XPreserveUnknownFields XValidations]'

function schemaErrors(
  schema: JSONSchemaProps,
  path: string,
  { hasStatus, allowDearRules }: { readonly hasStatus: boolean; readonly allowDearRules: boolean },
): readonly FieldError[] {
  const errors = hasStatus ? [...rootErrors(schema, path)] : []
  if (schema.nullable === true) errors.push(forbidden(`${path}.nullable`, 'nullable cannot be true at the root'))
  const unusable = openApiErrors(schema, path)
  const structural = structuralErrors(schema, path)
  errors.push(...structural)
  // Defaults are judged by a schema that is sound otherwise.
  if (structural.length === 0 && unusable.length === 0)
    errors.push(...defaultErrors(schema, path), ...expressionErrors(schema, path, { allowDearRules }))
  return [...errors, ...unusable]
}

function rootErrors(schema: JSONSchemaProps, path: string): readonly FieldError[] {
  if (schema.type !== undefined && schema.type !== 'object')
    return [
      invalid(
        `${path}.type`,
        schema.type,
        'only "object" is allowed as the type at the root of the schema if the status subresource is enabled',
      ),
    ]
  return Object.keys(schema).some((key) => !besideStatus.has(key) && schema[key as keyof JSONSchemaProps] !== undefined)
    ? [
        invalid(
          path,
          schema,
          `only ${besideStatusShown} fields are allowed at the root of the schema if the status subresource is enabled`,
        ),
      ]
    : []
}

function subresourceErrors(subresources: CustomResourceSubresources | undefined, path: string): readonly FieldError[] {
  const { scale } = subresources ?? {}
  if (scale === undefined) return []
  const errors = [
    ...replicaPathErrors(scale.specReplicasPath, '.spec.', `${path}.scale.specReplicasPath`),
    ...replicaPathErrors(scale.statusReplicasPath, '.status.', `${path}.scale.statusReplicasPath`),
  ]
  const { labelSelectorPath = '' } = scale
  if (labelSelectorPath === '') return errors
  const at = `${path}.scale.labelSelectorPath`
  const simple = simplePathErrors(labelSelectorPath, at)
  if (simple.length > 0) return [...errors, ...simple]
  return /^\.(spec|status)\./.test(labelSelectorPath)
    ? errors
    : [...errors, invalid(at, labelSelectorPath, 'should be a json path under either .spec or .status')]
}

function replicaPathErrors(text: string, prefix: string, path: string): readonly FieldError[] {
  if (text === '') return [required(path)]
  const simple = simplePathErrors(text, path)
  if (simple.length > 0 || text.startsWith(prefix)) return simple
  return [invalid(path, text, `should be a json path under ${prefix.slice(0, -1)}`)]
}

function simplePathErrors(text: string, path: string): readonly FieldError[] {
  return text.startsWith('.') ? [] : [invalid(path, text, 'must be a simple json path starting with .')]
}

const columnTypes = ['boolean', 'date', 'integer', 'number', 'string']
const columnFormats = ['byte', 'date', 'date-time', 'double', 'float', 'int32', 'int64', 'password']

function columnErrors(column: CustomResourceColumnDefinition, path: string): readonly FieldError[] {
  const { name, type, format = '', jsonPath } = column
  const errors: FieldError[] = []
  if (name === '') errors.push(required(`${path}.name`))
  const typeWords = `must be one of ${columnTypes.join(',')}`
  if (type === '') errors.push(required(`${path}.type`, typeWords))
  else if (!columnTypes.includes(type)) errors.push(invalid(`${path}.type`, type, typeWords))
  if (format !== '' && !columnFormats.includes(format))
    errors.push(invalid(`${path}.format`, format, `must be one of ${columnFormats.join(',')}`))
  if (jsonPath === '') errors.push(required(`${path}.JSONPath`))
  else errors.push(...simplePathErrors(jsonPath, `${path}.JSONPath`))
  return errors
}

function selectableErrors(
  fields: readonly SelectableField[],
  schema: JSONSchemaProps,
  path: string,
  allowTooMany: boolean,
): readonly FieldError[] {
  const errors: FieldError[] = []
  const seen = new Set<string>()
  for (const [index, { jsonPath }] of fields.entries()) {
    if (isFull(errors)) break
    const at = `${path}[${index}].jsonPath`
    if (jsonPath === '') {
      errors.push(required(at))
      continue
    }
    try {
      const { path: found, schema: own } = findField(jsonPath, schema, { brackets: false })
      if (/^metadata(\.|\[|$)/.test(found)) errors.push(invalid(at, jsonPath, 'must not point to fields in metadata'))
      if (!['string', 'boolean', 'integer'].includes(own.type ?? ''))
        errors.push(
          invalid(
            at,
            jsonPath,
            'must point to a field of type string, boolean or integer. Enum string fields and strings with formats are allowed.',
          ),
        )
      if (seen.has(found)) errors.push(duplicate(at, jsonPath))
      seen.add(found)
    } catch (error) {
      errors.push(invalid(at, jsonPath, `is an invalid path: ${(error as Error).message}`))
    }
  }
  if (seen.size > selectableMax && !allowTooMany) errors.push(tooMany(path, seen.size, selectableMax))
  return errors
}
