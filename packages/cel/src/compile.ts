// The front door: text in, a program out that is evaluated many times.

import { check } from './checker.ts'
import { estimateCost } from './cost-estimate.ts'
import type { CostRange } from './cost-ranges.ts'
import type { Environment } from './environment.ts'
import { Frame, plan, type Resolve } from './interpreter.ts'
import { parse } from './parser.ts'
import { CelEvaluationError } from './problems.ts'
import type { CelType } from './types.ts'
import { validateLiterals } from './literal-rules.ts'
import type { Value } from './values.ts'

/** Most that one expression may cost by its estimate, and all rules of one CRD version. */
export const estimatedCostMax = 10_000_000
export const estimatedCostPerCrdMax = 100_000_000
/** Most that one evaluation may cost. */
export const costPerCallMax = 1_000_000
/** Most that all rules of one object, or of one policy binding, may cost. */
export const costPerRequestMax = 10_000_000
export const costOfMatchConditionsMax = 2_500_000

export interface Program {
  readonly expression: string
  readonly outputType: CelType
  /** Units, from the cheapest to the dearest outcome; counted when first asked for. */
  estimatedCost(): CostRange
  /**
   * Computes the expression. `resolve` gives each variable's raw JSON or value. Throws CelEvaluationError, and
   * CelCostError where `costMax` units are spent.
   */
  evaluate(resolve: Resolve | Readonly<Record<string, unknown>>, options?: EvaluateOptions): Evaluated
}

export interface EvaluateOptions {
  /** Units; `costPerCallMax` where it is not given. */
  readonly costMax?: number
  /** Told what was spent, also where the evaluation fails. */
  readonly onCost?: (units: number) => void
}

export interface Evaluated {
  readonly value: Value
  /** Units spent. */
  readonly cost: number
}

/** Throws CelCompileError. */
export function compile(expression: string, environment: Environment): Program {
  const { expr, nodes } = parse(expression, environment.hasBindings)
  const checked = check(expression, expr, nodes, environment)
  validateLiterals(expression, checked)
  const step = plan(checked, environment)
  let estimated: CostRange | undefined
  return {
    expression,
    outputType: checked.output,
    estimatedCost: () => (estimated ??= estimateCost(checked, environment.variables)),
    evaluate(resolve, { costMax = costPerCallMax, onCost } = {}) {
      const frame = new Frame(typeof resolve === 'function' ? resolve : (name) => resolve[name], costMax)
      try {
        return { value: step(frame), cost: frame.cost }
      } catch (error) {
        throw error instanceof RangeError ? new CelEvaluationError('evaluation ran out of memory') : error
      } finally {
        onCost?.(frame.cost)
      }
    },
  }
}
