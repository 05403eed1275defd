// Plans a call: the overload that the checker found, or the first whose types the values have.

import type { CallExpr, Expr } from './ast.ts'
import { fits, noSuchOverload, type Resolved } from './functions.ts'
import type { Frame, Planner, Step } from './interpreter.ts'
import { compilePattern } from './patterns.ts'
import { isDynamic, type CelType } from './types.ts'
import { matching } from './cost-ranges.ts'
import { stringSize, type Value } from './values.ts'

export function planCall(planner: Planner, expr: CallExpr): Step {
  const { checked } = planner
  const operands: readonly Expr[] =
    expr.target === undefined || checked.qualified.has(expr.id) ? expr.args : [expr.target, ...expr.args]
  const args = operands.map((operand) => planner.plan(operand))
  const candidates = checked.overloads.get(expr.id) ?? []
  const pattern = operands[1]
  if (expr.name === 'matches' && pattern?.kind === 'literal' && typeof pattern.value === 'string') {
    return matchLiteral(args[0]!, pattern.value)
  }
  const only = candidates.length === 1 ? candidates[0] : undefined
  if (only !== undefined && operands.every((operand) => isKnown(checked.types[operand.id]!))) {
    return direct(only, args)
  }
  return dispatched(candidates, args)
}

/** Types that promise the value's kind: what is inside lists and maps is not asked. */
function isKnown(type: CelType): boolean {
  return !isDynamic(type) && type.kind !== 'param' && type.kind !== 'null_type'
}

type Implementation = (...args: Value[]) => Value

function direct({ declaration, overload }: Resolved, args: readonly Step[]): Step {
  const implementation = overload.implementation as unknown as Implementation
  const { cost } = declaration
  const [first, second] = args
  if (cost === undefined && args.length === 2) {
    return (frame) => {
      const left = first!(frame)
      const right = second!(frame)
      frame.spend(1)
      return implementation(left, right)
    }
  }
  return (frame) => {
    const values = args.map((arg) => arg(frame))
    const result = implementation(...values)
    frame.spend(cost === undefined ? 1 : cost(values, result))
    return result
  }
}

function dispatched(candidates: readonly Resolved[], args: readonly Step[]): Step {
  return (frame) => {
    const values = args.map((arg) => arg(frame))
    for (const { declaration, overload } of candidates) {
      if (!overload.params.every((type, index) => fits(values[index]!, type))) continue
      const result = (overload.implementation as unknown as Implementation)(...values)
      frame.spend(declaration.cost === undefined ? 1 : declaration.cost(values, result))
      return result
    }
    throw noSuchOverload()
  }
}

/** A pattern that is written out is compiled once. */
function matchLiteral(text: Step, pattern: string): Step {
  const compiled = compilePattern(pattern)
  const patternSize = stringSize(pattern)
  return (frame: Frame) => {
    const value = text(frame)
    if (typeof value !== 'string') throw noSuchOverload()
    frame.spend(matching(stringSize(value), patternSize))
    return compiled.found(value)
  }
}
