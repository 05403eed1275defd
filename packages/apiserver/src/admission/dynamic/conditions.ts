// Match conditions: all must be true; a false one decides, an error decides by failure policy.

import type { Program } from '@aksel/cel/compile'
import { CelCostError, CelEvaluationError } from '@aksel/cel/problems'
import { admissionEnvironment, compileAdmission } from '@aksel/cel/admission'
import { boolType } from '@aksel/cel/types'
import type { MatchCondition } from '@aksel/api/types/admissionregistration-v1'
import type { AdmissionContext } from '../admission.ts'
import { OutOfBudget, type Evaluation } from './evaluation.ts'

export interface CompiledCondition {
  readonly expression: string
  readonly program: Program | undefined
  readonly complaint: string | undefined
}

export function compileConditions(
  conditions: readonly MatchCondition[] | undefined,
  hasParams: boolean,
): readonly CompiledCondition[] {
  return (conditions ?? []).map(({ expression }) => {
    const env = admissionEnvironment({ hasParams, hasAuthorizer: true })
    const { program, complaint } = compileAdmission(expression.trim(), env, boolType)
    return { expression, program, complaint }
  })
}

export type ConditionsVerdict = 'met' | 'not met' | { readonly error: string }

/** Whose conditions they are, as metrics name it. */
export interface ConditionsOwner {
  readonly kind: 'webhook' | 'policy'
  readonly type: 'admit' | 'validating' | 'validate' | 'mutate'
  readonly name: string
  readonly isFailClosed: boolean
}

/** Where conditions fail closed an error is told; else it means that they are not met. */
export async function judgeConditions(
  conditions: readonly CompiledCondition[],
  evaluation: Evaluation,
  { isFailClosed, ...owner }: ConditionsOwner,
  { clock, metrics }: Pick<AdmissionContext, 'clock' | 'metrics'>,
): Promise<ConditionsVerdict> {
  if (conditions.length === 0) return 'met'
  const startMs = clock.monotonicMs()
  const errors: string[] = []
  const verdict = await verdictOf(conditions, evaluation, isFailClosed, errors)
  const { operation } = evaluation
  const seconds = (clock.monotonicMs() - startMs) / 1000
  const excluded = verdict === 'not met' && errors.length === 0
  metrics.observeConditions({ ...owner, operation, seconds, excluded, failed: errors.length > 0 })
  return verdict
}

async function verdictOf(
  conditions: readonly CompiledCondition[],
  evaluation: Evaluation,
  isFailClosed: boolean,
  errors: string[],
): Promise<ConditionsVerdict> {
  for (const { expression, program, complaint } of conditions) {
    if (program === undefined) {
      errors.push(complaint ?? '')
      continue
    }
    try {
      if ((await evaluation.evaluate(program)) === false) {
        errors.length = 0
        return 'not met'
      }
    } catch (error) {
      if (error instanceof OutOfBudget) errors.push(error.message)
      if (error instanceof OutOfBudget) return isFailClosed ? { error: error.message } : 'not met'
      errors.push(evaluationError(expression, error))
    }
  }
  if (errors.length === 0) return 'met'
  if (!isFailClosed) return 'not met'
  return { error: errors.length === 1 ? errors[0]! : `[${errors.join(', ')}]` }
}

/** Upstream's words for an expression that failed; anything else goes on. */
export function evaluationError(expression: string, error: unknown): string {
  if (!(error instanceof CelEvaluationError) && !(error instanceof CelCostError)) throw error
  return `expression '${expression}' resulted in error: ${error.message}`
}
