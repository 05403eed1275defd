// MutatingAdmissionPolicy and its binding: changes in CEL that writes are given.

import { applyConfigurationOutput, jsonPatchOutput } from '@aksel/cel/library/json-patch'
import { validateExpression, validateVariables, type PolicyExpressions } from '../admission/expressions.ts'
import {
  defaultMatchResources,
  failurePolicies,
  reinvocationPolicies,
  validateMatchConditions,
  validateMatchResources,
  validateParamKind,
  validateParamRef,
} from '../admission/rules.ts'
import { deepEqual } from '../deep-equal.ts'
import { invalid, required, type FieldError } from '../field-errors.ts'
import type { KindRules } from '../kind-row.ts'
import { ageOf } from '../times.ts'
import type {
  MutatingAdmissionPolicy,
  MutatingAdmissionPolicyBinding,
  Mutation,
} from '../types/admissionregistration-v1.ts'
import { requiredOneOf } from '../validation/values.ts'
import { ageColumn, column, nameColumn } from './columns.ts'
import { paramKindText, paramRefText, validateConstraints, validatePolicyName } from './validating-admission-policy.ts'

const patchTypes = ['ApplyConfiguration', 'JSONPatch']

function validate({ spec }: MutatingAdmissionPolicy, old?: MutatingAdmissionPolicy): readonly FieldError[] {
  const hasParams = spec.paramKind !== undefined
  const sameConditions =
    old !== undefined &&
    deepEqual(spec.paramKind, old.spec.paramKind) &&
    deepEqual(spec.matchConditions, old.spec.matchConditions)
  const expressions: PolicyExpressions = { hasParams, hasPatches: true, variables: {} }
  const mutations = spec.mutations ?? []
  return [
    ...requiredOneOf(spec.failurePolicy, failurePolicies, 'spec.failurePolicy'),
    ...validateParamKind(spec.paramKind, 'spec.paramKind'),
    ...validateConstraints(spec.matchConstraints, 'spec.matchConstraints'),
    ...(sameConditions ? [] : validateMatchConditions(spec.matchConditions, hasParams, 'spec.matchConditions')),
    ...validateVariables(spec.variables, expressions, 'spec.variables'),
    ...(mutations.length === 0 ? [required('spec.mutations', 'mutations must contain at least one item')] : []),
    ...mutations.flatMap((mutation, index) => validateMutation(mutation, expressions, `spec.mutations[${index}]`)),
    ...requiredOneOf(spec.reinvocationPolicy, reinvocationPolicies, 'spec.reinvocationPolicy'),
  ]
}

function validateMutation(
  { patchType, applyConfiguration, jsonPatch }: Mutation,
  expressions: PolicyExpressions,
  path: string,
): readonly FieldError[] {
  const wrong = requiredOneOf(patchType, patchTypes, `${path}.patchType`)
  if (wrong.length > 0) return wrong
  const isApply = patchType === 'ApplyConfiguration'
  const [own, ownField, other, otherField] = isApply
    ? ([applyConfiguration, 'applyConfiguration', jsonPatch, 'jsonPatch'] as const)
    : ([jsonPatch, 'jsonPatch', applyConfiguration, 'applyConfiguration'] as const)
  const errors: FieldError[] = []
  if (other !== undefined) {
    errors.push(
      invalid(`${path}.${otherField}`, '{}', `${otherField} must not be specified when patchType is ${patchType}`),
    )
  }
  const at = `${path}.${ownField}`
  if (own === undefined)
    return [...errors, required(at, `${ownField} must be specified when patchType is ${patchType}`)]
  const text = own.expression ?? ''
  if (text.trim() === '') return [...errors, required(`${at}.expression`, 'expression is not specified')]
  const outputs = [isApply ? applyConfigurationOutput : jsonPatchOutput]
  return [
    ...errors,
    ...validateExpression({ text, path: `${at}.expression`, outputs, hasAuthorizer: true }, expressions),
  ]
}

function rulesOf(version: string): KindRules<MutatingAdmissionPolicy> {
  return {
    group: 'admissionregistration.k8s.io',
    version,
    kind: 'MutatingAdmissionPolicy',
    generationFields: ['spec'],
    default({ spec }) {
      spec.failurePolicy ??= 'Fail'
      defaultMatchResources(spec.matchConstraints)
    },
    validateCreate: (policy) => validate(policy),
    validateUpdate: (next, old) => validate(next, old),
    columns: [
      nameColumn,
      column('Mutations', 'How many mutations it has.', 'integer'),
      column('ParamKind', 'The kind of its parameters.'),
      ageColumn,
    ],
    cells: ({ metadata, spec }, nowMs) => [
      metadata.name,
      (spec.mutations ?? []).length,
      paramKindText(spec.paramKind),
      ageOf(metadata.creationTimestamp, nowMs),
    ],
  }
}

function validateBinding({ spec }: MutatingAdmissionPolicyBinding): readonly FieldError[] {
  return [
    ...validatePolicyName(spec.policyName, 'spec.policyName'),
    ...validateParamRef(spec.paramRef, 'spec.paramRef'),
    // The path is upstream's, spelling included.
    ...validateMatchResources(spec.matchResources, 'spec.matchResouces'),
  ]
}

function bindingRulesOf(version: string): KindRules<MutatingAdmissionPolicyBinding> {
  return {
    group: 'admissionregistration.k8s.io',
    version,
    kind: 'MutatingAdmissionPolicyBinding',
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
      spec.policyName ?? '',
      paramRefText(spec.paramRef),
      ageOf(metadata.creationTimestamp, nowMs),
    ],
  }
}

/** v1 since 1.36; before that a beta that has to be switched on. */
export const mutatingAdmissionPolicyRules: readonly KindRules[] = ['v1', 'v1beta1'].flatMap((version) => [
  rulesOf(version) as KindRules,
  bindingRulesOf(version) as KindRules,
])
