// MutatingAdmissionPolicy: changes a write by expressions that give an apply configuration or a JSON patch.

import type { KindRow } from '@aksel/api/kind-row'
import { deepEqual } from '@aksel/api/deep-equal'
import { mergeValues } from '@aksel/api/apply/merge-values'
import { deducedType, isMap, shapeOf, typeOfEntry, type TypeSchema } from '@aksel/api/apply/type-schema'
import { jsonPatch } from '@aksel/api/patch/json-patch'
import type { KubernetesObject } from '@aksel/api/resource'
import type { MutatingAdmissionPolicy, MutatingAdmissionPolicyBinding } from '@aksel/api/types/admissionregistration-v1'
import { ApiError } from '@aksel/base/errors'
import { costPerRequestMax } from '@aksel/cel/compile'
import { applyConfigurationOf, jsonPatchOf } from '@aksel/cel/library/json-patch'
import { CelEvaluationError } from '@aksel/cel/problems'
import { forbiddenError } from '../../refusals.ts'
import type { AdmissionContext, AdmissionPlugin, AdmissionRequest, Reinvocation } from '../admission.ts'
import type { CachedList } from './cached-list.ts'
import { evaluationError, judgeConditions } from './conditions.ts'
import { Evaluation, OutOfBudget, RequestAuthorizer } from './evaluation.ts'
import { findInvocations, type Invocation } from './invocations.ts'
import { isExempt } from './matching.ts'
import type { PolicyHook } from './policy-source.ts'
import { Rounds } from './rounds.ts'
import { shownOf, takeBack } from './shown.ts'
import { shownNamespace } from './validating-policies.ts'
import { nameOf } from './webhook-call.ts'

export type MutatingHook = PolicyHook<MutatingAdmissionPolicy, MutatingAdmissionPolicyBinding>
type MutatingInvocation = Invocation<MutatingAdmissionPolicy, MutatingAdmissionPolicyBinding>

interface PolicyError {
  readonly policy: string
  readonly binding: string | undefined
  readonly message: string
  readonly reason: 'Forbidden' | 'Invalid'
}

export function mutatingPolicies(source: CachedList<MutatingHook>): AdmissionPlugin {
  return {
    name: 'MutatingAdmissionPolicy',
    handles: (request) => !source.isEmpty && !isExempt(request),
    async admit(request, context, rounds) {
      const { invocations, wrong } = await findInvocations(source, request, context)
      const errors: PolicyError[] = wrong
        .filter(({ hook }) => hook.isFailClosed)
        .map(({ hook, binding, message }) => ({
          policy: hook.policy.metadata.name,
          binding: binding?.metadata.name,
          message,
          reason: 'Forbidden',
        }))
      const changed = await mutateAll(invocations, request, context, rounds, errors)
      if (errors.length > 0) throw refusal(request, errors)
      return changed
    },
  }
}

async function mutateAll(
  invocations: readonly MutatingInvocation[],
  request: AdmissionRequest,
  context: AdmissionContext,
  rounds: Reinvocation,
  errors: PolicyError[],
): Promise<boolean> {
  const own = Rounds.of(rounds, 'MutatingAdmissionPolicy')
  own.begin(request.object)
  const authorizer = new RequestAuthorizer(context.authorizer, request.user)
  let changed = false
  for (const invocation of invocations) {
    const { hook, binding } = invocation
    for (const params of invocation.params) {
      const { name = '', namespace = '' } = params?.metadata ?? {}
      const id = [hook.policy.metadata.name, binding.metadata.name, namespace, name].join('/')
      if (rounds.round > 0 && !own.isDue(id)) continue
      const before = structuredClone(request.object)
      const wasAsked = await mutate(invocation, params, { request, context, authorizer, errors })
      if (!wasAsked) continue
      if (!deepEqual(before, request.object)) {
        own.requireOthers()
        rounds.isDue = true
        changed = true
      }
      if (hook.policy.spec.reinvocationPolicy === 'IfNeeded') own.invoked(id)
    }
  }
  own.end(request.object)
  return changed
}

interface Mutating {
  readonly request: AdmissionRequest
  readonly context: AdmissionContext
  readonly authorizer: RequestAuthorizer
  readonly errors: PolicyError[]
}

/** False where the conditions leave the request out. */
async function mutate(
  { hook, binding, row }: MutatingInvocation,
  params: KubernetesObject | undefined,
  { request, context, authorizer, errors }: Mutating,
): Promise<boolean> {
  const complain = (message: string): void => {
    if (!hook.isFailClosed) return
    errors.push({ policy: hook.policy.metadata.name, binding: binding.metadata.name, message, reason: 'Invalid' })
  }
  const { variables, conditions, main } = hook.compiled
  const see = {
    request,
    row,
    shown: await shownOf(request, row),
    authorizer,
    params,
    variables,
    namespace: await shownNamespace(request, context),
  }
  const verdict = await judgeConditions(
    conditions,
    new Evaluation({ ...see, budget: costPerRequestMax / 4 }),
    { kind: 'policy', type: 'mutate', name: hook.policy.metadata.name, isFailClosed: hook.isFailClosed },
    context,
  )
  if (verdict === 'not met') return false
  if (verdict !== 'met') {
    complain(verdict.error)
    return false
  }
  for (const [index, { expression, program, complaint }] of main.entries()) {
    const shown = await shownOf(request, row)
    if (shown.object === null) continue
    if (program === undefined) {
      complain(complaint ?? '')
      continue
    }
    try {
      const evaluation = new Evaluation({ ...see, shown, budget: costPerRequestMax })
      const value = await evaluation.evaluate(program)
      const isApply = hook.policy.spec.mutations![index]!.patchType === 'ApplyConfiguration'
      const next = isApply
        ? merged(row, shown.object, applyConfigurationOf(value))
        : jsonPatch(shown.object, jsonPatchOf(value))
      await takeBack(context, request, row, next)
    } catch (error) {
      complain(wordsFor(expression, error))
    }
  }
  return true
}

function wordsFor(expression: string, error: unknown): string {
  if (error instanceof OutOfBudget || error instanceof AtomicChange) return error.message
  if (error instanceof ApiError) return `JSON Patch: ${error.message}`
  if (error instanceof CelEvaluationError) return evaluationError(expression, error)
  if (error instanceof TypeError || error instanceof RangeError) throw error
  return error instanceof Error && error.name !== 'CelCostError' ? error.message : evaluationError(expression, error)
}

class AtomicChange extends Error {}

/** The object with the configuration merged in as server-side apply merges, only nothing is ever removed. */
function merged(row: KindRow, object: unknown, configuration: unknown): unknown {
  const type = row.ownership?.type() ?? deducedType
  const atomic = atomicPaths(type, configuration, '')
  if (atomic.length > 0) {
    throw new AtomicChange(
      `error applying patch: invalid ApplyConfiguration: may not mutate atomic arrays, maps or structs: ${atomic.join(', ')}`,
    )
  }
  return mergeValues(type, object, configuration)
}

function atomicPaths(type: TypeSchema, value: unknown, path: string): readonly string[] {
  const shape = shapeOf(type, value)
  if (shape === 'list' && Array.isArray(value)) {
    if (type.list!.kind === 'atomic') return [path]
    return value.flatMap((item) => atomicPaths(type.list!.item(), item, path))
  }
  if (shape !== 'map' || !isMap(value)) return []
  if (type.map!.atomic) return [path]
  return Object.entries(value).flatMap(([key, inner]) => {
    const field = typeOfEntry(type.map!, key)
    return field === undefined ? [] : atomicPaths(field, inner, `${path}.${key}`)
  })
}

function refusal(request: AdmissionRequest, errors: readonly PolicyError[]): ApiError {
  const texts = errors.map(({ policy, binding, message }) =>
    binding === undefined
      ? `policy ${JSON.stringify(policy)} denied request: ${message}`
      : `policy '${policy}' with binding '${binding}' denied request: ${message}`,
  )
  const shown = forbiddenError(request.row, nameOf(request), 'admission request denied by policy')
  const { reason } = errors[0]!
  return new ApiError(reason, texts[0]!, {
    code: 403,
    details: { ...shown.details, causes: texts.map((message) => ({ message }) as never) },
  })
}
