// ValidatingAdmissionPolicy: judges a write by expressions, and refuses, warns or notes as the binding says.

import type { KubernetesObject } from '@aksel/api/resource'
import type {
  ValidatingAdmissionPolicy,
  ValidatingAdmissionPolicyBinding,
} from '@aksel/api/types/admissionregistration-v1'
import { ApiError, type Reason } from '@aksel/base/errors'
import { costPerRequestMax } from '@aksel/cel/compile'
import { forbiddenError } from '../../refusals.ts'
import type { PolicyCheck } from '../admission-metrics.ts'
import type { AdmissionContext, AdmissionPlugin, AdmissionRequest } from '../admission.ts'
import type { CachedList } from './cached-list.ts'
import { evaluationError, judgeConditions } from './conditions.ts'
import { Evaluation, OutOfBudget, RequestAuthorizer } from './evaluation.ts'
import { findInvocations, type Invocation } from './invocations.ts'
import { isExempt, namespaceOf } from './matching.ts'
import type { PolicyHook } from './policy-source.ts'
import { shownOf } from './shown.ts'
import { nameOf } from './webhook-call.ts'

export type ValidatingHook = PolicyHook<ValidatingAdmissionPolicy, ValidatingAdmissionPolicyBinding>
type ValidatingInvocation = Invocation<ValidatingAdmissionPolicy, ValidatingAdmissionPolicyBinding>

interface Denial {
  readonly policy: string
  readonly binding: string | undefined
  readonly message: string
  readonly reason: string | undefined
}

interface NotedFailure {
  readonly message: string
  readonly policy: string
  readonly binding: string
  readonly expressionIndex: number
  readonly validationActions: readonly string[]
}

/** What came of one request. */
interface Outcome {
  readonly denials: Denial[]
  readonly failures: NotedFailure[]
  /** By policy and key: the distinct values. */
  readonly annotations: Map<string, Set<string>>
}

const notedFailuresMax = 50
const annotationLengthMax = 10 * 1024
const messageLengthMax = 5 * 1024

export function validatingPolicies(source: CachedList<ValidatingHook>): AdmissionPlugin {
  return {
    name: 'ValidatingAdmissionPolicy',
    handles: (request) => !source.isEmpty && !isExempt(request),
    async validate(request, context) {
      const outcome: Outcome = { denials: [], failures: [], annotations: new Map() }
      const { invocations, wrong } = await findInvocations(source, request, context)
      for (const { hook, binding, message } of wrong) {
        if (!hook.isFailClosed) continue
        const policy = hook.policy.metadata.name
        outcome.denials.push({ policy, binding: binding?.metadata.name, message, reason: undefined })
      }
      const authorizer = new RequestAuthorizer(context.authorizer, request.user)
      for (const invocation of invocations) {
        for (const params of invocation.params) {
          await judge(invocation, params, { request, context, authorizer, outcome })
        }
      }
      publish(request, outcome)
      if (outcome.denials.length > 0) throw refusal(request, outcome.denials[0]!)
    },
  }
}

interface Judging {
  readonly request: AdmissionRequest
  readonly context: AdmissionContext
  readonly authorizer: RequestAuthorizer
  readonly outcome: Outcome
}

interface Decision {
  readonly message: string
  readonly reason?: string | undefined
  readonly problem?: PolicyCheck['problem']
}

async function judge(
  invocation: ValidatingInvocation,
  params: KubernetesObject | undefined,
  judging: Judging,
): Promise<void> {
  const { hook, row } = invocation
  const { request, context, authorizer, outcome } = judging
  const shown = await shownOf(request, row)
  const see = {
    request,
    row,
    shown,
    authorizer,
    params,
    variables: hook.compiled.variables,
    namespace: await shownNamespace(request, context),
  }
  const conditions = new Evaluation({ ...see, budget: costPerRequestMax / 4 })
  const check = checking(invocation, context)
  const verdict = await judgeConditions(
    hook.compiled.conditions,
    conditions,
    { kind: 'policy', type: 'validate', name: hook.policy.metadata.name, isFailClosed: hook.isFailClosed },
    context,
  )
  if (verdict === 'not met') return
  if (verdict !== 'met')
    return record(invocation, outcome, request, 0, { message: verdict.error, problem: 'invalid_error' }, check)
  const decisions = await decide(hook, new Evaluation({ ...see, budget: costPerRequestMax }))
  for (const [index, decision] of decisions.entries()) {
    if (decision === undefined) check('allow', 'no_error')
    else record(invocation, outcome, request, index, decision, check)
  }
  await annotate(invocation, new Evaluation({ ...see, budget: costPerRequestMax }), outcome)
}

type Check = (action: PolicyCheck['action'], problem: PolicyCheck['problem']) => void

function checking({ hook, binding }: ValidatingInvocation, { clock, metrics }: AdmissionContext): Check {
  const startMs = clock.monotonicMs()
  return (action, problem) =>
    metrics.observeCheck({
      policy: hook.policy.metadata.name,
      binding: binding.metadata.name,
      action,
      problem,
      seconds: (clock.monotonicMs() - startMs) / 1000,
    })
}

/** A cluster-wide object has none, and a namespace is not shown itself twice. */
export async function shownNamespace(request: AdmissionRequest, context: AdmissionContext): Promise<unknown> {
  if (!request.row.namespaced) return undefined
  return namespaceOf(request.namespace, context)
}

/** Per validation: why it does not hold, or undefined. */
async function decide(hook: ValidatingHook, evaluation: Evaluation): Promise<readonly (Decision | undefined)[]> {
  const decisions: (Decision | undefined)[] = []
  for (const [index, { expression, program, complaint }] of hook.compiled.main.entries()) {
    try {
      if (program === undefined) decisions.push(failed(hook, complaint ?? '', 'compile_error'))
      else if ((await evaluation.evaluate(program)) === true) decisions.push(undefined)
      else decisions.push(await denial(hook, index, evaluation))
    } catch (error) {
      if (error instanceof OutOfBudget) return [failed(hook, error.message, 'out_of_budget')]
      decisions.push(failed(hook, evaluationError(expression, error), 'invalid_error'))
    }
  }
  return decisions
}

/** An error refuses only where the policy fails closed. */
function failed(hook: ValidatingHook, message: string, problem: PolicyCheck['problem']): Decision | undefined {
  return hook.isFailClosed ? { message, problem } : undefined
}

async function denial(hook: ValidatingHook, index: number, evaluation: Evaluation): Promise<Decision> {
  const { message = '', expression, reason } = hook.policy.spec.validations![index]!
  const computed = await computedMessage(hook, index, evaluation)
  const shown =
    computed !== '' ? computed : message.trim() !== '' ? message.trim() : `failed expression: ${expression.trim()}`
  return { message: shown, reason: reason ?? 'Invalid' }
}

/** '' where it fails, is empty, too long, or has more than one line. */
async function computedMessage(hook: ValidatingHook, index: number, evaluation: Evaluation): Promise<string> {
  const message = hook.compiled.messages[index]
  if (message?.program === undefined) return ''
  try {
    const value = await evaluation.evaluate(message.program)
    const text = typeof value === 'string' ? value.trim() : ''
    return text.length > messageLengthMax || text.includes('\n') ? '' : text
  } catch (error) {
    if (error instanceof OutOfBudget) throw error
    evaluationError(message.expression, error)
    return ''
  }
}

function record(
  { hook, binding }: ValidatingInvocation,
  outcome: Outcome,
  request: AdmissionRequest,
  expressionIndex: number,
  { message, reason, problem = 'no_error' }: Decision,
  check: Check,
): void {
  const policy = hook.policy.metadata.name
  const name = binding.metadata.name
  const validationActions = binding.spec.validationActions ?? []
  for (const action of validationActions) {
    check(action.toLowerCase() as PolicyCheck['action'], problem)
    if (action === 'Deny') outcome.denials.push({ policy, binding: name, message, reason })
    else if (action === 'Audit') {
      outcome.failures.push({ message, policy, binding: name, expressionIndex, validationActions })
    } else if (action === 'Warn') {
      request.warnings.add(
        `Validation failed for ValidatingAdmissionPolicy '${policy}' with binding '${name}': ${message}`,
      )
    }
  }
}

async function annotate(
  { hook, binding }: ValidatingInvocation,
  evaluation: Evaluation,
  outcome: Outcome,
): Promise<void> {
  const policy = hook.policy.metadata.name
  for (const { key, expression, program, complaint } of hook.compiled.annotations) {
    try {
      const value = program === undefined ? undefined : await evaluation.evaluate(program)
      if (program === undefined) throw new OutOfBudget()
      const text = typeof value === 'string' ? value.trim().slice(0, annotationLengthMax) : ''
      if (text === '') continue
      const name = `${policy}/${key}`
      outcome.annotations.set(name, (outcome.annotations.get(name) ?? new Set()).add(text))
    } catch (error) {
      if (!hook.isFailClosed) continue
      const message = error instanceof OutOfBudget ? (complaint ?? error.message) : evaluationError(expression, error)
      outcome.denials.push({ policy, binding: binding.metadata.name, message, reason: undefined })
    }
  }
}

function publish({ annotations }: AdmissionRequest, outcome: Outcome): void {
  for (const [key, values] of outcome.annotations) annotations?.set(key, [...values].join(', '))
  if (outcome.failures.length === 0) return
  const noted = JSON.stringify(outcome.failures.slice(0, notedFailuresMax))
  annotations?.set('validation.policy.admission.k8s.io/validation_failure', noted)
}

const codes: Readonly<Record<string, number>> = { Forbidden: 403, Unauthorized: 401, RequestEntityTooLarge: 413 }

function refusal(request: AdmissionRequest, { policy, binding, message, reason = 'Invalid' }: Denial): ApiError {
  const by = binding === undefined ? '' : ` with binding '${binding}'`
  const text = `ValidatingAdmissionPolicy '${policy}'${by} denied request: ${message}`
  const shown = forbiddenError(request.row, nameOf(request), text)
  return new ApiError(reason as Reason, shown.message, {
    code: codes[reason] ?? 422,
    details: { ...shown.details, causes: [{ message: text } as never] },
  })
}
