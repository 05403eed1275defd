// The rules on a whole CustomResourceDefinition, on creation and on change, in upstream's words.

import { deepEqual } from '../../deep-equal.ts'
import { invalid, required, type FieldError } from '../../field-errors.ts'
import type {
  CustomResourceDefinition,
  CustomResourceDefinitionNames,
  CustomResourceDefinitionSpec,
} from '../../types/apiextensions-v1.ts'
import { dnsLabel1035, dnsSubdomain } from '../../validation/names.ts'
import { requiredOneOf, unchanged } from '../../validation/values.ts'
import { caBundleErrors } from '../../validation/webhooks.ts'
import { approvalErrors } from './approval.ts'
import { isConditionTrue } from './conditions.ts'
import { conversionErrors, isRecognized, type ConversionOptions } from './conversion-rules.ts'
import { versionErrors } from './version-rules.ts'

export function definitionErrors(
  definition: CustomResourceDefinition,
  old: CustomResourceDefinition | undefined,
): readonly FieldError[] {
  const { spec } = definition
  const options: ConversionOptions = {
    requireRecognizedVersion:
      old === undefined || isRecognized(old.spec.conversion?.webhook?.conversionReviewVersions ?? []),
    allowInvalidCaBundle: old === undefined || allowsInvalidBundle(old),
  }
  return [
    ...specErrors(definition, old, options),
    ...(old === undefined ? [] : changeErrors(spec, old)),
    ...statusErrors(definition),
    ...storedVersionErrors(definition),
    ...approvalErrors(definition, old),
    ...preserveErrors(definition, old),
  ]
}

/** Also for writes of the status alone. */
export function statusErrors({ status }: CustomResourceDefinition): readonly FieldError[] {
  return status === undefined ? [] : nameErrors(status.acceptedNames, 'status.acceptedNames')
}

function allowsInvalidBundle(old: CustomResourceDefinition): boolean {
  if (!isConditionTrue(old, 'Established')) return true
  const bundle = old.spec.conversion?.webhook?.clientConfig?.caBundle ?? ''
  return bundle !== '' && caBundleErrors(bundle, '').length > 0
}

function specErrors(
  { spec }: CustomResourceDefinition,
  old: CustomResourceDefinition | undefined,
  options: ConversionOptions,
): readonly FieldError[] {
  const errors = [...groupErrors(spec.group), ...requiredOneOf(spec.scope, ['Cluster', 'Namespaced'], 'spec.scope')]
  for (const [index, version] of spec.versions.entries())
    if (version.schema?.openAPIV3Schema === undefined)
      errors.push(required(`spec.versions[${index}].schema.openAPIV3Schema`))
  for (const [index, version] of spec.versions.entries()) {
    const path = `spec.versions[${index}]`
    const wrong = dnsLabel1035(version.name)
    if (wrong.length > 0) errors.push(invalid(`${path}.name`, version.name, wrong.join(',')))
    const before = old?.spec.versions.find(({ name }) => name === version.name)
    const allowTooManyFields =
      (before?.selectableFields?.length ?? 0) > 8 && deepEqual(before?.selectableFields, version.selectableFields)
    const allowDearRules = before !== undefined && deepEqual(before.schema, version.schema)
    errors.push(...versionErrors(version, path, { allowTooManyFields, allowDearRules }))
  }
  if (new Set(spec.versions.map(({ name }) => name)).size !== spec.versions.length)
    errors.push(invalid('spec.versions', spec.versions, 'must contain unique version names'))
  if (spec.versions.filter(({ storage }) => storage).length !== 1)
    errors.push(invalid('spec.versions', spec.versions, 'must have exactly one version marked as storage version'))
  for (const name of ['plural', 'singular', 'kind', 'listKind'] as const)
    if ((spec.names[name] ?? '') === '') errors.push(required(`spec.names.${name}`))
  errors.push(...nameErrors(spec.names, 'spec.names'))
  if (spec.preserveUnknownFields === true && (spec.conversion?.strategy ?? 'None') !== 'None')
    errors.push(
      invalid(
        'spec.conversion.strategy',
        spec.conversion!.strategy,
        'must be None if spec.preserveUnknownFields is true',
      ),
    )
  return [...errors, ...conversionErrors(spec.conversion, 'spec.conversion', options)]
}

function groupErrors(group: string): readonly FieldError[] {
  const path = 'spec.group'
  if (group === '') return [required(path)]
  const wrong = dnsSubdomain(group)
  if (wrong.length > 0) return [invalid(path, group, wrong.join(','))]
  return group.includes('.') ? [] : [invalid(path, group, 'should be a domain with at least one dot')]
}

/** What lies in the store by these names could not be found under others. */
function changeErrors(spec: CustomResourceDefinitionSpec, old: CustomResourceDefinition): readonly FieldError[] {
  const errors: FieldError[] = []
  if (isConditionTrue(old, 'Established')) {
    errors.push(...unchanged(spec.scope, old.spec.scope, 'spec.scope'))
    errors.push(...unchanged(spec.names.kind, old.spec.names.kind, 'spec.names.kind'))
  }
  errors.push(...unchanged(spec.group, old.spec.group, 'spec.group'))
  return [...errors, ...unchanged(spec.names.plural, old.spec.names.plural, 'spec.names.plural')]
}

function nameErrors(names: CustomResourceDefinitionNames, path: string): readonly FieldError[] {
  const { shortNames = [], categories = [] } = names
  const errors: FieldError[] = []
  const label = (text: string | undefined, at: string, lead = ''): void => {
    if (text === undefined || text === '') return
    const wrong = dnsLabel1035(lead === '' ? text : text.toLowerCase())
    if (wrong.length > 0) errors.push(invalid(at, text, lead + wrong.join(',')))
  }
  const mixed = 'may have mixed case, but should otherwise match: '
  label(names.plural, `${path}.plural`)
  label(names.singular, `${path}.singular`)
  label(names.kind, `${path}.kind`, mixed)
  label(names.listKind, `${path}.listKind`, mixed)
  for (const [index, name] of shortNames.entries()) label(name, `${path}.shortNames[${index}]`)
  if (names.kind !== '' && names.kind === names.listKind)
    errors.push(invalid(`${path}.listKind`, names.listKind, 'kind and listKind may not be the same'))
  for (const [index, name] of categories.entries()) label(name, `${path}.categories[${index}]`)
  return errors
}

function storedVersionErrors({ spec, status }: CustomResourceDefinition): readonly FieldError[] {
  const path = 'status.storedVersions'
  const stored = status?.storedVersions ?? []
  if (stored.length === 0) return [invalid(path, stored, 'must have at least one stored version')]
  const storage = spec.versions.find((version) => version.storage)?.name
  const errors: FieldError[] = []
  if (storage !== undefined && !stored.includes(storage))
    errors.push(invalid(path, stored, `must have the storage version ${storage}`))
  for (const [index, name] of stored.entries()) {
    if (spec.versions.some((version) => version.name === name)) continue
    const words = `missing from spec.versions; ${name} was previously a storage version, and must remain in spec.versions until a storage migration ensures no data remains persisted in ${name} and removes ${name} from status.storedVersions`
    errors.push(invalid(`${path}[${index}]`, name, words))
  }
  return errors
}

function preserveErrors(
  { spec }: CustomResourceDefinition,
  old: CustomResourceDefinition | undefined,
): readonly FieldError[] {
  if (old?.spec.preserveUnknownFields === true || spec.preserveUnknownFields !== true) return []
  return [
    invalid(
      'spec.preserveUnknownFields',
      true,
      'cannot set to true, set x-kubernetes-preserve-unknown-fields to true in spec.versions[*].schema instead',
    ),
  ]
}
