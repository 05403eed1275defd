// Functions that look at their arguments themselves: they evaluate one of several, bring names of their own, or ask for what
// only the frame knows.

import { text, integer } from './arguments.ts'
import { ExpressionError } from './errors.ts'
import type { Expression } from './expression.ts'
import { StateNeeded, type Frame, type StateRequest } from './frame.ts'
import { isArrayValue, isObjectValue, typeName, type Value } from './values.ts'

type Call = Expression & { readonly kind: 'call' }

export interface SpecialCall {
  readonly call: Call
  readonly frame: Frame
  readonly evaluate: (expression: Expression, frame: Frame) => Value
}

export type SpecialForm = (special: SpecialCall) => Value

function argument({ call, frame, evaluate }: SpecialCall, at: number): Value {
  const expression = call.args[at]
  if (expression === undefined)
    throw new ExpressionError(`The template function '${call.written}' lacks argument ${at + 1}`)
  return evaluate(expression, frame)
}

function judgeCount({ call }: SpecialCall, min: number, max: number): void {
  if (call.args.length >= min && call.args.length <= max) return
  const wanted = min === max ? `${min}` : `${min} to ${max}`
  throw new ExpressionError(
    `Unable to evaluate template language function '${call.written}': function requires ${wanted} argument(s) while ${call.args.length} were provided`,
  )
}

function condition(special: SpecialCall, at: number): boolean {
  const value = argument(special, at)
  if (typeof value === 'boolean') return value
  throw new ExpressionError(
    `The template language function '${special.call.written}' expects parameter ${at + 1} to be of type 'Boolean'. The provided value is of type '${typeName(value)}'`,
  )
}

/** A text among the arguments. */
function word(special: SpecialCall, at: number): string {
  return text([argument(special, at)], 0)
}

interface Lambda {
  readonly names: readonly string[]
  readonly apply: (values: readonly Value[]) => Value
}

function lambdaOf(special: SpecialCall, at: number): Lambda {
  const expression = special.call.args[at]
  if (expression?.kind !== 'call' || expression.name !== 'lambda' || expression.args.length === 0) {
    throw new ExpressionError(`The template function '${special.call.written}' expects a lambda as argument ${at + 1}`)
  }
  const names = expression.args.slice(0, -1).map((name) => {
    if (name.kind === 'literal' && typeof name.value === 'string') return name.value.toLowerCase()
    throw new ExpressionError('The names of a lambda are literal texts')
  })
  const body = expression.args.at(-1)!
  const apply = (values: readonly Value[]): Value => {
    const lambdas = new Map(special.frame.lambdas)
    for (const [index, name] of names.entries()) lambdas.set(name, values[index] ?? null)
    return special.evaluate(body, { ...special.frame, lambdas })
  }
  return { names, apply }
}

function items(special: SpecialCall): readonly Value[] {
  const value = argument(special, 0)
  if (isArrayValue(value)) return value
  throw new ExpressionError(
    `The template function '${special.call.written}' expects an array. The provided value is of type '${typeName(value)}'`,
  )
}

function entries(special: SpecialCall): readonly (readonly [string, Value])[] {
  const value = argument(special, 0)
  if (isObjectValue(value)) return Object.entries(value)
  throw new ExpressionError(
    `The template function '${special.call.written}' expects an object. The provided value is of type '${typeName(value)}'`,
  )
}

/** `lambda('a', 'b', …)`: the first is not less than the second where it says false. */
function sorted(special: SpecialCall): Value {
  const { apply } = lambdaOf(special, 1)
  return items(special).toSorted((left, right) => {
    if (apply([left, right]) === true) return -1
    return apply([right, left]) === true ? 1 : 0
  })
}

function toObject(special: SpecialCall): Value {
  const key = lambdaOf(special, 1)
  const value = special.call.args.length > 2 ? lambdaOf(special, 2) : undefined
  return Object.fromEntries(
    items(special).map((item) => [text([key.apply([item])], 0), value === undefined ? item : value.apply([item])]),
  )
}

function groupBy(special: SpecialCall): Value {
  const { apply } = lambdaOf(special, 1)
  const groups: Record<string, Value[]> = {}
  for (const item of items(special)) (groups[text([apply([item])], 0)] ??= []).push(item)
  return groups
}

function copyIndex(special: SpecialCall): Value {
  judgeCount(special, 0, 2)
  const given = special.call.args.map((_, at) => argument(special, at))
  const name = typeof given[0] === 'string' ? given[0] : undefined
  const offset = name === undefined ? given[0] : given[1]
  const index = special.frame.loopIndex(name)
  if (index === undefined) {
    throw new ExpressionError("The template function 'copyIndex' is not expected at this location")
  }
  return index + (offset === undefined ? 0 : integer([offset], 0))
}

function state(special: SpecialCall, request: StateRequest): Value {
  const { state: known } = special.frame
  if (known === undefined) {
    throw new ExpressionError(`The template function '${special.call.written}' is not expected at this location`)
  }
  const value = known(request)
  if (value === undefined) throw new StateNeeded(request)
  return value
}

function reference(special: SpecialCall): Value {
  judgeCount(special, 1, 3)
  const count = special.call.args.length
  return state(special, {
    kind: 'reference',
    target: word(special, 0),
    apiVersion: count > 1 ? word(special, 1) : undefined,
    full: count > 2 && word(special, 2).toLowerCase() === 'full',
  })
}

function list(special: SpecialCall): Value {
  judgeCount(special, 2, 3)
  return state(special, {
    kind: 'list',
    action: special.call.written,
    target: word(special, 0),
    apiVersion: word(special, 1),
    body: special.call.args.length > 2 ? argument(special, 2) : undefined,
  })
}

export const specialForms: ReadonlyMap<string, SpecialForm> = new Map<string, SpecialForm>([
  [
    'if',
    (special) => {
      judgeCount(special, 3, 3)
      return argument(special, condition(special, 0) ? 1 : 2)
    },
  ],
  ['and', (special) => special.call.args.every((_, at) => condition(special, at))],
  ['or', (special) => special.call.args.some((_, at) => condition(special, at))],
  ['parameters', (special) => special.frame.parameter(word(special, 0))],
  ['variables', (special) => special.frame.variable(word(special, 0))],
  [
    'lambdavariables',
    (special) => {
      const name = word(special, 0)
      const value = special.frame.lambdas.get(name.toLowerCase())
      if (value === undefined) throw new ExpressionError(`The lambda variable '${name}' is not found`)
      return value
    },
  ],
  ['map', (special) => items(special).map((item, at) => lambdaOf(special, 1).apply([item, at]))],
  ['filter', (special) => items(special).filter((item, at) => lambdaOf(special, 1).apply([item, at]) === true)],
  [
    'reduce',
    (special) =>
      items(special).reduce((sum, item, at) => lambdaOf(special, 2).apply([sum, item, at]), argument(special, 1)),
  ],
  ['sort', sorted],
  ['toobject', toObject],
  ['groupby', groupBy],
  [
    'mapvalues',
    (special) =>
      Object.fromEntries(entries(special).map(([name, value]) => [name, lambdaOf(special, 1).apply([value])])),
  ],
  ['copyindex', copyIndex],
  ['reference', reference],
  ['list*', list],
])
