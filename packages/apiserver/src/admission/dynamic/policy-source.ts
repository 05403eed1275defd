// The policies of a cluster with their bindings, compiled once.

import { admissionEnvironment, compileAdmission } from '@aksel/cel/admission'
import { compile, type Program } from '@aksel/cel/compile'
import { applyConfigurationOutput, jsonPatchOutput } from '@aksel/cel/library/json-patch'
import { CelCompileError } from '@aksel/cel/problems'
import { boolType, dynType, nullType, stringType, type CelType } from '@aksel/cel/types'
import type { KindRow } from '@aksel/api/kind-row'
import type { KubernetesObject } from '@aksel/api/resource'
import type {
  MatchResources,
  MutatingAdmissionPolicy,
  MutatingAdmissionPolicyBinding,
  ValidatingAdmissionPolicy,
  ValidatingAdmissionPolicyBinding,
  Variable,
} from '@aksel/api/types/admissionregistration-v1'
import type { RecordStore } from '../../registry/record-store.ts'
import { CachedList } from './cached-list.ts'
import { compileConditions, type CompiledCondition } from './conditions.ts'
import type { Composed } from './evaluation.ts'
import type { Match } from './matching.ts'

export type Policy = ValidatingAdmissionPolicy | MutatingAdmissionPolicy
export type Binding = ValidatingAdmissionPolicyBinding | MutatingAdmissionPolicyBinding

/** An expression, or why it cannot be used: stored policies compiled once, but not always for this version. */
export interface Compiled {
  readonly expression: string
  readonly program: Program | undefined
  readonly complaint: string | undefined
}

export interface CompiledPolicy {
  readonly conditions: readonly CompiledCondition[]
  readonly variables: readonly Composed[]
  /** Validations, or mutations. */
  readonly main: readonly Compiled[]
  /** Beside each validation; undefined where it has none. */
  readonly messages: readonly (Compiled | undefined)[]
  readonly annotations: readonly (Compiled & { readonly key: string })[]
}

export interface PolicyHook<P extends Policy, B extends Binding> {
  readonly policy: P
  readonly bindings: readonly B[]
  readonly match: Match
  readonly isFailClosed: boolean
  readonly compiled: CompiledPolicy
}

export function policySource<P extends Policy, B extends Binding>(
  records: RecordStore,
  rows: { readonly policies: KindRow | undefined; readonly bindings: KindRow | undefined },
  signal: AbortSignal,
): CachedList<PolicyHook<P, B>> {
  return new CachedList(records, [rows.policies, rows.bindings], signal, ([policies = [], bindings = []]) =>
    policies.flatMap((object) => {
      const policy = object as P
      const own = (bindings as readonly KubernetesObject[] as readonly B[]).filter(
        ({ spec }) => spec.policyName === policy.metadata.name,
      )
      return own.length === 0 ? [] : [hookOf<P, B>(policy, own)]
    }),
  )
}

function hookOf<P extends Policy, B extends Binding>(policy: P, bindings: readonly B[]): PolicyHook<P, B> {
  let compiled: CompiledPolicy | undefined
  return {
    policy,
    bindings,
    match: matchOf(policy.spec.matchConstraints),
    isFailClosed: policy.spec.failurePolicy !== 'Ignore',
    get compiled() {
      return (compiled ??= compilePolicy(policy))
    },
  }
}

export function matchOf(match: MatchResources | undefined): Match {
  return {
    rules: match?.resourceRules,
    excluded: match?.excludeResourceRules,
    matchPolicy: match?.matchPolicy,
    namespaceSelector: match?.namespaceSelector,
    objectSelector: match?.objectSelector,
  }
}

function compilePolicy(policy: Policy): CompiledPolicy {
  const hasParams = policy.spec.paramKind !== undefined
  const hasPatches = 'mutations' in policy.spec
  const variables: Record<string, CelType> = {}
  const composed = compileVariables(policy.spec.variables, { hasParams, hasPatches }, variables)
  const one = (expression: string, outputs: readonly CelType[], hasAuthorizer = true): Compiled => {
    const env = admissionEnvironment({ hasParams, hasAuthorizer, hasPatches, variables })
    const { program, complaint } = compileAdmission(expression, env, ...outputs)
    return { expression, program, complaint }
  }
  const shared = { conditions: compileConditions(policy.spec.matchConditions, hasParams), variables: composed }
  if (hasPatches) {
    const main = ((policy as MutatingAdmissionPolicy).spec.mutations ?? []).map(({ applyConfiguration, jsonPatch }) =>
      applyConfiguration === undefined
        ? one(jsonPatch?.expression ?? '', [jsonPatchOutput])
        : one(applyConfiguration.expression ?? '', [applyConfigurationOutput]),
    )
    return { ...shared, main, messages: [], annotations: [] }
  }
  const { validations = [], auditAnnotations = [] } = (policy as ValidatingAdmissionPolicy).spec
  return {
    ...shared,
    main: validations.map(({ expression }) => one(expression, [boolType])),
    messages: validations.map(({ messageExpression = '' }) =>
      messageExpression.trim() === '' ? undefined : one(messageExpression, [stringType], false),
    ),
    annotations: auditAnnotations.map(({ key, valueExpression }) => ({
      ...one(valueExpression.trim(), [stringType, nullType]),
      key,
    })),
  }
}

function compileVariables(
  variables: readonly Variable[] | undefined,
  options: { readonly hasParams: boolean; readonly hasPatches: boolean },
  types: Record<string, CelType>,
): readonly Composed[] {
  return (variables ?? []).flatMap(({ name, expression }) => {
    try {
      const program = compile(expression, admissionEnvironment({ ...options, hasAuthorizer: true, variables: types }))
      types[name] = program.outputType
      return [{ name, program }]
    } catch (error) {
      if (!(error instanceof CelCompileError)) throw error
      types[name] = dynType
      return []
    }
  })
}
