// Evaluates trees in a frame: what parameters, variables, loops and lambdas mean there, and what is known of resources.

import { BadArgument, ExpressionError } from './errors.ts'
import { escaped, isExpression, parseExpression, unescaped, type Expression } from './expression.ts'
import type { Frame } from './frame.ts'
import { functions } from './functions/table.ts'
import { specialForms } from './special-forms.ts'
import { isArrayValue, isObjectValue, memberOf, propertyOf, textOf, type Value } from './values.ts'

export function evaluate(expression: Expression, frame: Frame): Value {
  switch (expression.kind) {
    case 'literal':
      return expression.value
    case 'member': {
      const of = evaluate(expression.of, frame)
      return expression.safe && of === null ? null : memberOf(of, evaluate(expression.key, frame), expression.safe)
    }
    case 'call':
      return expression.namespace === undefined ? callBuiltIn(expression, frame) : callOwn(expression, frame)
    default:
      return expression satisfies never
  }
}

/** A value of a template with all expressions in it evaluated, and its `copy` loops run. */
export function evaluateDeep(value: Value, frame: Frame): Value {
  if (typeof value === 'string') {
    return isExpression(value) ? evaluate(parseExpression(value), frame) : unescaped(value)
  }
  if (isArrayValue(value)) return value.map((item) => evaluateDeep(item, frame))
  if (!isObjectValue(value)) return value
  const evaluated: Record<string, Value> = {}
  for (const [name, item] of Object.entries(value)) {
    const loops = name.toLowerCase() === 'copy' ? loopsOf(item) : undefined
    if (loops !== undefined) {
      for (const loop of loops)
        evaluated[loop.name] = turnsOf(loop, frame).map((turn) => evaluateDeep(loop.input, turn))
    } else evaluated[isExpression(name) ? textOf(evaluateDeep(name, frame)) : name] = evaluateDeep(item, frame)
  }
  return evaluated
}

/** Resource Manager's own limit for one loop. */
export const turnsMax = 800

export interface Loop {
  readonly name: string
  readonly count: Value
}

/** A frame for each turn of the loop. */
export function turnsOf({ name, count }: Loop, frame: Frame): readonly Frame[] {
  const turns = evaluateDeep(count, frame)
  if (typeof turns !== 'number' || !Number.isInteger(turns) || turns < 0 || turns > turnsMax) {
    throw new ExpressionError(
      `The template copy definition '${name}' has an invalid copy count. The value must be an integer between 0 and ${turnsMax}`,
    )
  }
  return Array.from({ length: turns }, (_, index) => ({
    ...frame,
    loopIndex: (wanted) =>
      wanted === undefined || wanted.toLowerCase() === name.toLowerCase() ? index : frame.loopIndex(wanted),
  }))
}

/** The loops of a `copy` array; undefined where it is a property like any other. */
function loopsOf(value: Value): readonly (Loop & { readonly input: Value })[] | undefined {
  if (!isArrayValue(value)) return undefined
  const loops = value.map((loop) => {
    if (!isObjectValue(loop)) return undefined
    const [name, count, input] = ['name', 'count', 'input'].map((key) => propertyOf(loop, key))
    return typeof name === 'string' && count !== undefined && input !== undefined ? { name, count, input } : undefined
  })
  return loops.every((loop) => loop !== undefined) ? loops : undefined
}

/** The same value written so that a template may hold it. */
export function escapedDeep(value: Value): Value {
  if (typeof value === 'string') return escaped(value)
  if (isArrayValue(value)) return value.map(escapedDeep)
  if (!isObjectValue(value)) return value
  return Object.fromEntries(Object.entries(value).map(([name, item]) => [name, escapedDeep(item)]))
}

function callBuiltIn(call: Expression & { readonly kind: 'call' }, frame: Frame): Value {
  const special = specialForms.get(call.name) ?? (/^list\w+$/.test(call.name) ? specialForms.get('list*') : undefined)
  if (special !== undefined) return special({ call, frame, evaluate })
  const known = functions.get(call.name)
  if (known === undefined) throw new ExpressionError(`The template function '${call.written}' is not valid`)
  const { min, max, run } = known
  if (call.args.length < min || call.args.length > max) {
    const wanted = min === max ? `${min}` : max === Infinity ? `at least ${min}` : `${min} to ${max}`
    throw new ExpressionError(
      `Unable to evaluate template language function '${call.written}': function requires ${wanted} argument(s) while ${call.args.length} were provided`,
    )
  }
  const args = call.args.map((argument) => evaluate(argument, frame))
  try {
    return run(args, frame)
  } catch (error) {
    if (!(error instanceof BadArgument)) throw error
    throw new ExpressionError(`The template language function '${call.written}' ${error.message}`)
  }
}

function callOwn(call: Expression & { readonly kind: 'call' }, frame: Frame): Value {
  const name = `${call.namespace}.${call.name}`
  const own = frame.userFunctions.get(name)
  if (own === undefined) throw new ExpressionError(`The template function '${name}' is not valid`)
  if (call.args.length !== own.parameters.length) {
    throw new ExpressionError(
      `The template function '${name}' requires ${own.parameters.length} argument(s) while ${call.args.length} were provided`,
    )
  }
  const given = new Map(own.parameters.map((parameter, at) => [parameter.toLowerCase(), call.args[at]!]))
  const values = new Map([...given].map(([parameter, argument]) => [parameter, evaluate(argument, frame)]))
  // A function of the template's own sees its parameters and nothing else of the template.
  return evaluateDeep(own.output, {
    facts: frame.facts,
    parameter: (wanted) => {
      const value = values.get(wanted.toLowerCase())
      if (value === undefined) throw new ExpressionError(`The template function '${name}' has no parameter '${wanted}'`)
      return value
    },
    variable: () => {
      throw new ExpressionError(`The template function '${name}' may not use variables`)
    },
    loopIndex: () => undefined,
    lambdas: new Map(),
    userFunctions: frame.userFunctions,
  })
}
