// What is written out is judged when it is compiled: patterns, durations and timestamps that no evaluation could use.

import type { CallExpr, Expr, ListExpr, MapExpr } from './ast.ts'
import type { Checked } from './checker.ts'
import { compilePattern } from './patterns.ts'
import { CelCompileError, CelEvaluationError, type Problem } from './problems.ts'
import { isOptionalType, sameType, typeName, type CelType } from './types.ts'
import { parseDuration, parseTimestamp } from './times.ts'

const judges: Readonly<Record<string, (text: string) => unknown>> = {
  matches: compilePattern,
  duration: parseDuration,
  timestamp: parseTimestamp,
}

/** Throws CelCompileError. */
export function validateLiterals(source: string, checked: Checked): void {
  const problems: Problem[] = []
  visit(checked.expr, false, (expr, isExempt) => {
    if (expr.kind === 'call') problems.push(...judgeCall(expr))
    else if (!isExempt && expr.kind === 'list') problems.push(...mixed(listItems(expr, checked)))
    else if (!isExempt && expr.kind === 'map') {
      problems.push(...mixed(expr.entries.map(({ key }) => ({ expr: key, type: checked.types[key.id]! }))))
      problems.push(...mixed(mapItems(expr, checked)))
    }
  })
  if (problems.length > 0) throw new CelCompileError(source, problems)
}

function judgeCall(expr: CallExpr): readonly Problem[] {
  const judge = Object.hasOwn(judges, expr.name) ? judges[expr.name] : undefined
  const literal = expr.args.at(-1)
  if (judge === undefined || literal?.kind !== 'literal' || typeof literal.value !== 'string') return []
  try {
    judge(literal.value)
    return []
  } catch (error) {
    if (!(error instanceof CelEvaluationError)) throw error
    return [{ offset: literal.offset, message: `invalid ${expr.name} argument` }]
  }
}

interface Item {
  readonly expr: Expr
  readonly type: CelType
}

function listItems(expr: ListExpr, checked: Checked): readonly Item[] {
  return expr.elements.map((element, index) => item(element, checked, expr.optional.has(index)))
}

function mapItems(expr: MapExpr, checked: Checked): readonly Item[] {
  return expr.entries.map(({ value, isOptional }) => item(value, checked, isOptional))
}

function item(expr: Expr, checked: Checked, isOptional: boolean): Item {
  const type = checked.types[expr.id]!
  return { expr, type: isOptional && isOptionalType(type) ? type.parameters[0]! : type }
}

/** Literals hold one type of thing, except among the arguments of `format`. */
function mixed(items: readonly Item[]): readonly Problem[] {
  const [first] = items
  const other = items.find(({ type }) => !sameType(type, first!.type))
  if (other === undefined) return []
  const message = `expected type '${typeName(first!.type)}' but found '${typeName(other.type)}'`
  return [{ offset: other.expr.offset, message }]
}

function visit(expr: Expr, isExempt: boolean, see: (expr: Expr, isExempt: boolean) => void): void {
  see(expr, isExempt)
  const exempts = isExempt || (expr.kind === 'call' && expr.name === 'format')
  for (const child of childrenOf(expr)) visit(child, exempts, see)
}

function childrenOf(expr: Expr): readonly Expr[] {
  switch (expr.kind) {
    case 'literal':
    case 'ident':
      return []
    case 'select':
      return [expr.operand]
    case 'call':
      return expr.target === undefined ? expr.args : [expr.target, ...expr.args]
    case 'list':
      return expr.elements
    case 'map':
      return expr.entries.flatMap(({ key, value }) => [key, value])
    case 'struct':
      return expr.fields.map(({ value }) => value)
    case 'comprehension':
      return [expr.range, expr.initial, expr.condition, expr.step, expr.result]
    default:
      return expr satisfies never
  }
}
