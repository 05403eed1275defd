// ValidatingAdmissionPolicy and its binding: rules in CEL that writes must satisfy.

import { boolType, nullType, stringType } from '@aksel/cel/types'
import { draftOf, type Draft } from '@aksel/base/draft'
import { validateExpression, validateVariables, type PolicyExpressions } from '../admission/expressions.ts'
import {
  defaultMatchResources,
  failurePolicies,
  validateMatchConditions,
  validateMatchResources,
  validateParamKind,
  validateParamRef,
} from '../admission/rules.ts'
import { deepEqual } from '../deep-equal.ts'
import { duplicate, invalid, notSupported, required, type FieldError } from '../field-errors.ts'
import type { KindRules } from '../kind-row.ts'
import { ageOf } from '../times.ts'
import type {
  AuditAnnotation,
  MatchResources,
  ParamKind,
  ParamRef,
  Validation,
  ValidatingAdmissionPolicy,
  ValidatingAdmissionPolicyBinding,
} from '../types/admissionregistration-v1.ts'
import { dnsSubdomain, qualifiedName } from '../validation/names.ts'
import { complain, oneOf, requiredOneOf } from '../validation/values.ts'
import { ageColumn, column, nameColumn } from './columns.ts'

const reasons = ['Forbidden', 'Invalid', 'RequestEntityTooLarge', 'Unauthorized']
const actions = ['Audit', 'Deny', 'Warn']
const auditAnnotationsMax = 20
const valueExpressionBytesMax = 5 * 1024
const somethingToDo = 'validations or auditAnnotations must contain at least one item'

export function validateConstraints(match: MatchResources | undefined, path: string): readonly FieldError[] {
  if (match === undefined) return [required(path)]
  const rules = (match.resourceRules ?? []).length === 0 ? [required(`${path}.resourceRules`)] : []
  return [...validateMatchResources(match, path), ...rules]
}

function validate(policy: ValidatingAdmissionPolicy, old?: ValidatingAdmissionPolicy): readonly FieldError[] {
  const { spec, metadata } = policy
  const hasParams = spec.paramKind !== undefined
  const sameConditions =
    old !== undefined &&
    deepEqual(spec.paramKind, old.spec.paramKind) &&
    deepEqual(spec.matchConditions, old.spec.matchConditions)
  const expressions: PolicyExpressions = { hasParams, hasPatches: false, variables: {} }
  return [
    ...requiredOneOf(spec.failurePolicy, failurePolicies, 'spec.failurePolicy'),
    ...validateParamKind(spec.paramKind, 'spec.paramKind'),
    ...validateConstraints(spec.matchConstraints, 'spec.matchConstraints'),
    ...(sameConditions ? [] : validateMatchConditions(spec.matchConditions, hasParams, 'spec.matchConditions')),
    ...validateVariables(spec.variables, expressions, 'spec.variables'),
    ...validateWork(spec.validations ?? [], spec.auditAnnotations ?? [], metadata.name, expressions),
  ]
}

function validateWork(
  validations: readonly Validation[],
  annotations: readonly AuditAnnotation[],
  policyName: string,
  expressions: PolicyExpressions,
): readonly FieldError[] {
  if (validations.length === 0 && annotations.length === 0) {
    return [required('spec.validations', somethingToDo), required('spec.auditAnnotations', somethingToDo)]
  }
  const errors = validations.flatMap((validation, index) =>
    validateValidation(validation, expressions, `spec.validations[${index}]`),
  )
  if (annotations.length > auditAnnotationsMax) {
    errors.push(
      invalid('spec.auditAnnotations', annotations, `must not have more than ${auditAnnotationsMax} auditAnnotations`),
    )
  }
  const keys = new Set<string>()
  for (const [index, annotation] of annotations.entries()) {
    const path = `spec.auditAnnotations[${index}]`
    errors.push(...validateAnnotation(annotation, policyName, expressions, path))
    if (keys.has(annotation.key)) errors.push(duplicate(`${path}.key`, annotation.key))
    keys.add(annotation.key)
  }
  return errors
}

function validateValidation(
  { expression, message = '', messageExpression = '', reason }: Validation,
  expressions: PolicyExpressions,
  path: string,
): readonly FieldError[] {
  const errors: FieldError[] = []
  const judged = { text: expression, path: `${path}.expression`, outputs: [boolType], hasAuthorizer: true }
  if (expression.trim() === '') errors.push(required(`${path}.expression`, 'expression is not specified'))
  else errors.push(...validateExpression(judged, expressions))
  if (messageExpression !== '') {
    const at = `${path}.messageExpression`
    if (messageExpression.trim() === '') {
      errors.push(invalid(at, messageExpression, 'must be non-empty if specified'))
    } else {
      const outputs = [stringType]
      errors.push(
        ...validateExpression({ text: messageExpression, path: at, outputs, hasAuthorizer: false }, expressions),
      )
    }
  }
  if (message !== '' && message.trim() === '') {
    errors.push(invalid(`${path}.message`, message, 'message must be non-empty if specified'))
  } else if (/[\n\r]/.test(message.trim())) {
    errors.push(invalid(`${path}.message`, message, 'message must not contain line breaks'))
  }
  return [...errors, ...oneOf(reason, reasons, `${path}.reason`)]
}

function validateAnnotation(
  { key, valueExpression }: AuditAnnotation,
  policyName: string,
  expressions: PolicyExpressions,
  path: string,
): readonly FieldError[] {
  const name = `${policyName}/${key}`
  const errors: FieldError[] = [...complain(`${path}.key`, name, qualifiedName(name))]
  const at = `${path}.valueExpression`
  const trimmed = valueExpression.trim()
  if (trimmed === '') return [...errors, required(at, 'valueExpression is not specified')]
  if (trimmed.length > valueExpressionBytesMax) {
    return [...errors, required(at, `must not exceed ${valueExpressionBytesMax} bytes in length`)]
  }
  const judged = { text: trimmed, path: at, outputs: [stringType, nullType], hasAuthorizer: true }
  return [...errors, ...validateExpression(judged, expressions)]
}

export function paramKindText(kind: ParamKind | undefined): string {
  return kind === undefined ? '<unset>' : `${kind.apiVersion ?? ''}/${kind.kind ?? ''}`
}

export function paramRefText(ref: ParamRef | undefined): string {
  if (ref === undefined) return '<unset>'
  if (ref.name !== undefined && ref.name !== '') {
    return ref.namespace === undefined || ref.namespace === '' ? `*/${ref.name}` : `${ref.namespace}/${ref.name}`
  }
  return ref.selector === undefined ? '<unset>' : `${ref.namespace ?? ''}/${JSON.stringify(ref.selector)}`
}

export const validatingAdmissionPolicyRules: KindRules<ValidatingAdmissionPolicy> = {
  group: 'admissionregistration.k8s.io',
  version: 'v1',
  kind: 'ValidatingAdmissionPolicy',
  generationFields: ['spec'],
  default({ spec }) {
    spec.failurePolicy ??= 'Fail'
    defaultMatchResources(spec.matchConstraints)
  },
  validateCreate: (policy) => validate(policy),
  validateUpdate: (next, old) => validate(next, old),
  subresourceUpdates: {
    status: {
      prepareForUpdate(next, old) {
        next.spec = draftOf(old.spec) as Draft<ValidatingAdmissionPolicy>['spec']
      },
      validateUpdate: ({ status }) =>
        (status?.typeChecking?.expressionWarnings ?? []).flatMap(({ fieldRef, warning }, index) => {
          const path = `status.typeChecking.expressionWarnings[${index}]`
          const empty = (text: string | undefined): boolean => text === undefined || text.trim() === ''
          return [
            ...(empty(warning) ? [required(`${path}.warning`)] : []),
            ...(empty(fieldRef) ? [required(`${path}.fieldRef`)] : []),
          ]
        }),
    },
  },
  columns: [
    nameColumn,
    column('Validations', 'How many validations it has.', 'integer'),
    column('ParamKind', 'The kind of its parameters.'),
    ageColumn,
  ],
  cells: ({ metadata, spec }, nowMs) => [
    metadata.name,
    (spec.validations ?? []).length,
    paramKindText(spec.paramKind),
    ageOf(metadata.creationTimestamp, nowMs),
  ],
}

function validateBinding({ spec }: ValidatingAdmissionPolicyBinding): readonly FieldError[] {
  const { policyName, paramRef, matchResources, validationActions } = spec
  return [
    ...validatePolicyName(policyName, 'spec.policyName'),
    ...validateParamRef(paramRef, 'spec.paramRef'),
    // The path is upstream's, spelling included.
    ...validateMatchResources(matchResources, 'spec.matchResouces'),
    ...validateActions(validationActions ?? [], 'spec.validationActions'),
  ]
}

export function validatePolicyName(name: string | undefined, path: string): readonly FieldError[] {
  return name === undefined || name === '' ? [required(path)] : complain(path, name, dnsSubdomain(name))
}

function validateActions(given: readonly string[], path: string): readonly FieldError[] {
  const errors: FieldError[] = []
  const seen = new Set<string>()
  for (const [index, action] of given.entries()) {
    if (!actions.includes(action)) errors.push(notSupported(`${path}[${index}]`, action, actions))
    if (seen.has(action)) errors.push(duplicate(`${path}[${index}]`, action))
    seen.add(action)
  }
  if (seen.has('Deny') && seen.has('Warn')) {
    errors.push(
      invalid(
        path,
        given,
        'must not contain both Deny and Warn (repeating the same validation failure information in the API response and headers serves no purpose)',
      ),
    )
  }
  return seen.size === 0 ? [...errors, required(path, 'at least one validation action is required')] : errors
}

export const validatingAdmissionPolicyBindingRules: KindRules<ValidatingAdmissionPolicyBinding> = {
  group: 'admissionregistration.k8s.io',
  version: 'v1',
  kind: 'ValidatingAdmissionPolicyBinding',
  generationFields: ['spec'],
  default: ({ spec }) => defaultMatchResources(spec.matchResources),
  validateCreate: validateBinding,
  validateUpdate: (next) => validateBinding(next),
  columns: [
    nameColumn,
    column('PolicyName', 'The policy that it puts to work.'),
    column('ParamRef', 'Its parameters.'),
    ageColumn,
  ],
  cells: ({ metadata, spec }, nowMs) => [
    metadata.name,
    spec.policyName,
    paramRefText(spec.paramRef),
    ageOf(metadata.creationTimestamp, nowMs),
  ],
}
