// The cost an expression may have before any value is known: from the bounds that schemas give and the rules upstream
// counts by, so that a rule refused there is refused here.

import {
  accumulatorName,
  type CallExpr,
  type ComprehensionExpr,
  type Expr,
  type ListExpr,
  type MapExpr,
} from './ast.ts'
import type { Checked } from './checker.ts'
import {
  exactly,
  plus,
  times,
  union,
  unbounded,
  unknownSize,
  type CallEstimate,
  type CostRange,
  type EstimatedNode,
} from './cost-ranges.ts'
import type { CelType } from './types.ts'
import { stringSize, Uint } from './values.ts'

const zero = exactly(0)
const one = exactly(1)

/** Sizes of what a list or map holds. */
interface EntrySizes {
  readonly kind: 'list' | 'map'
  readonly key: CostRange
  readonly value: CostRange
}

interface Local {
  readonly name: string
  readonly declared: CelType | undefined
  readonly size: CostRange | undefined
  readonly entries: EntrySizes | undefined
}

/** Costs from cheapest to dearest outcome. */
export function estimateCost(checked: Checked, variables: ReadonlyMap<string, CelType>): CostRange {
  return new Estimator(checked, variables).cost(checked.expr)
}

class Estimator {
  readonly #checked: Checked
  readonly #variables: ReadonlyMap<string, CelType>
  readonly #sizes = new Map<number, CostRange>()
  readonly #entries = new Map<number, EntrySizes>()
  /** The schema a node's value stands under, found along its path from a variable. */
  readonly #declared = new Map<number, CelType>()
  readonly #locals: Local[] = []

  constructor(checked: Checked, variables: ReadonlyMap<string, CelType>) {
    this.#checked = checked
    this.#variables = variables
  }

  cost(expr: Expr): CostRange {
    switch (expr.kind) {
      case 'literal':
        return zero
      case 'ident':
        this.#declare(expr, this.#local(expr.name)?.declared ?? this.#variables.get(expr.name))
        return one
      case 'select':
        return this.#select(expr)
      case 'call':
        return this.#call(expr)
      case 'list':
        return this.#list(expr)
      case 'map':
        return this.#map(expr)
      case 'struct':
        return expr.fields.reduce((sum, field) => plus(sum, this.cost(field.value)), exactly(40))
      case 'comprehension':
        return isBinding(expr) ? this.#binding(expr) : this.#comprehension(expr)
      default:
        return expr satisfies never
    }
  }

  #declare(expr: Expr, type: CelType | undefined): void {
    if (type !== undefined) this.#declared.set(expr.id, type)
  }

  #declaredOf(expr: Expr): CelType | undefined {
    if (expr.kind === 'ident') {
      const local = this.#local(expr.name)
      if (local !== undefined) return local.declared
    }
    return this.#declared.get(expr.id)
  }

  #local(name: string): Local | undefined {
    return this.#locals.findLast((local) => local.name === name)
  }

  #typeOf(expr: Expr): CelType {
    return this.#checked.types[expr.id]!
  }

  #select(expr: Extract<Expr, { kind: 'select' }>): CostRange {
    const whole = this.#checked.qualified.get(expr.id)
    if (whole !== undefined) {
      this.#declare(expr, this.#variables.get(whole))
      return one
    }
    const operand = this.cost(expr.operand)
    if (expr.isTest) return operand
    const { kind } = this.#typeOf(expr.operand)
    this.#declare(expr, fieldOf(this.#declaredOf(expr.operand), expr.field))
    return kind === 'map' || kind === 'object' || kind === 'param' ? plus(operand, one) : operand
  }

  #call(expr: CallExpr): CostRange {
    if (expr.name === 'dyn') return this.#dyn(expr)
    const argCosts = expr.args.map((arg) => this.cost(arg))
    const overloads = this.#checked.overloads.get(expr.id) ?? []
    const isMember = expr.target !== undefined && !this.#checked.qualified.has(expr.id)
    const targetCost = isMember ? this.cost(expr.target!) : zero
    if (overloads.length === 0) return expr.name === '_?._' ? this.#optionalSelect(expr, argCosts) : zero
    const args = expr.args.map((arg) => this.#node(arg))
    const target = isMember ? this.#node(expr.target!) : undefined
    const special = this.#special(expr, argCosts)
    let cost: CostRange = { min: unbounded, max: 0 }
    let size: CostRange | undefined
    for (const { declaration, overload } of overloads) {
      const found = special ?? declaration.estimate?.({ args, target, params: overload.params }) ?? one
      const estimate: CallEstimate = 'cost' in found ? found : { cost: found }
      cost = union(cost, special === undefined ? argCosts.reduce(plus, estimate.cost) : estimate.cost)
      if (estimate.resultSize !== undefined)
        size = size === undefined ? estimate.resultSize : union(size, estimate.resultSize)
    }
    this.#noteResult(expr, size)
    return plus(targetCost, cost)
  }

  #dyn(expr: CallExpr): CostRange {
    const [arg] = expr.args as [Expr]
    const cost = plus(one, this.cost(arg))
    this.#setSize(expr, this.#size(arg))
    this.#setEntries(expr, this.#entriesOf(arg))
    return cost
  }

  #optionalSelect(expr: CallExpr, argCosts: readonly CostRange[]): CostRange {
    const field = expr.args[1]
    if (field?.kind === 'literal' && typeof field.value === 'string') {
      this.#declare(expr, fieldOf(this.#declaredOf(expr.args[0]!), field.value))
    }
    return argCosts.reduce(plus, one)
  }

  /** Operators that compute only some operands. */
  #special(expr: CallExpr, argCosts: readonly CostRange[]): CallEstimate | undefined {
    const [first, second, third] = argCosts
    switch (expr.name) {
      case '_&&_':
      case '_||_':
        return { cost: { min: first!.min, max: plus(first!, second!).max } }
      case '_?_:_': {
        const [, yes, no] = expr.args as [Expr, Expr, Expr]
        this.#setEntries(expr, joinEntries(this.#entriesOf(yes), this.#entriesOf(no)))
        return {
          cost: plus(first!, union(second!, third!)),
          resultSize: union(this.#size(yes) ?? unknownSize, this.#size(no) ?? unknownSize),
        }
      }
      default:
        return undefined
    }
  }

  #noteResult(expr: CallExpr, size: CostRange | undefined): void {
    const [first, second] = expr.args
    if (expr.name === '_[_]') {
      const entries = this.#entriesOf(first!)
      this.#declare(expr, elementOf(this.#declaredOf(first!)))
      this.#setSize(expr, entries?.value ?? this.#size(expr))
      return
    }
    if (expr.name === '_+_') this.#setEntries(expr, joinEntries(this.#entriesOf(first!), this.#entriesOf(second!)))
    this.#setSize(expr, size ?? this.#size(expr))
  }

  #list(expr: ListExpr): CostRange {
    let cost = exactly(10)
    let value: CostRange = { min: expr.elements.length === 0 ? 0 : unbounded, max: 0 }
    for (const element of expr.elements) {
      cost = plus(cost, this.cost(element))
      value = union(value, this.#size(element) ?? unknownSize)
    }
    this.#setEntries(expr, { kind: 'list', key: one, value })
    return cost
  }

  #map(expr: MapExpr): CostRange {
    let cost = exactly(30)
    const start: CostRange = { min: expr.entries.length === 0 ? 0 : unbounded, max: 0 }
    let key = start
    let value = start
    for (const entry of expr.entries) {
      cost = plus(plus(cost, this.cost(entry.key)), this.cost(entry.value))
      key = union(key, this.#size(entry.key) ?? unknownSize)
      value = union(value, this.#size(entry.value) ?? unknownSize)
    }
    this.#setEntries(expr, { kind: 'map', key, value })
    return cost
  }

  #comprehension(expr: ComprehensionExpr): CostRange {
    let cost = plus(this.cost(expr.range), this.cost(expr.initial))
    this.#locals.push({
      name: expr.accumulator,
      declared: undefined,
      size: this.#size(expr.initial),
      entries: this.#entriesOf(expr.initial),
    })
    const iterators = this.#iterators(expr)
    this.#locals.push(...iterators)
    const loop = this.cost(expr.condition)
    const step = this.cost(expr.step)
    this.#locals.length -= iterators.length
    cost = plus(cost, this.cost(expr.result))
    this.#locals.length -= 1
    const count = this.#size(expr.range) ?? unknownSize
    if (expr.initial.kind === 'literal') this.#setSize(expr, this.#size(expr.initial))
    else if (expr.initial.kind === 'list' || expr.initial.kind === 'map') {
      this.#setSize(expr, count)
      this.#setEntries(expr, this.#entriesOf(expr.step))
    }
    return plus(cost, times(count, plus(step, loop)))
  }

  #iterators(expr: ComprehensionExpr): readonly Local[] {
    const entries = this.#entriesOf(expr.range)
    const declared = this.#declaredOf(expr.range)
    const isList = (entries?.kind ?? this.#typeOf(expr.range).kind) === 'list'
    const value: Local = {
      name: expr.variable2 ?? expr.variable,
      declared: elementOf(declared),
      size: entries?.value,
      entries: undefined,
    }
    const key: Local = { name: expr.variable, declared: keyOf(declared), size: entries?.key, entries: undefined }
    if (expr.variable2 !== undefined) return [key, value]
    return [isList ? value : key]
  }

  #binding(expr: ComprehensionExpr): CostRange {
    const cost = plus(this.cost(expr.range), this.cost(expr.initial))
    this.#locals.push({
      name: expr.accumulator,
      declared: this.#declaredOf(expr.initial),
      size: this.#size(expr.initial),
      entries: this.#entriesOf(expr.initial),
    })
    const result = this.cost(expr.result)
    this.#locals.length -= 1
    this.#setSize(expr, this.#size(expr.result))
    this.#setEntries(expr, this.#entriesOf(expr.result))
    return plus(cost, result)
  }

  #setSize(expr: Expr, size: CostRange | undefined): void {
    if (size !== undefined) this.#sizes.set(expr.id, size)
  }

  #setEntries(expr: Expr, entries: EntrySizes | undefined): void {
    if (entries !== undefined) this.#entries.set(expr.id, entries)
  }

  #entriesOf(expr: Expr): EntrySizes | undefined {
    const known = this.#entries.get(expr.id)
    if (known !== undefined || expr.kind !== 'ident') return known
    return this.#local(expr.name)?.entries
  }

  #size(expr: Expr): CostRange | undefined {
    const known = this.#sizes.get(expr.id) ?? literalSize(expr)
    if (known !== undefined) return known
    const declared = this.#declaredOf(expr)
    if (declared !== undefined) return { min: 0, max: declared.maxElements ?? 0 }
    if (isScalar(this.#typeOf(expr))) return one
    return expr.kind === 'ident' ? this.#local(expr.name)?.size : undefined
  }

  #node(expr: Expr): EstimatedNode {
    const type = this.#typeOf(expr)
    const isAccumulator = expr.kind === 'ident' && expr.name === accumulatorName
    const element = isAccumulator ? undefined : elementOf(this.#declaredOf(expr))
    return {
      type,
      size: this.#size(expr) ?? unknownSize,
      elementSize: element === undefined ? unknownSize : { min: 0, max: element.maxElements ?? 0 },
      literalInt: expr.kind === 'literal' && typeof expr.value === 'bigint' ? expr.value : undefined,
    }
  }
}

function isBinding(expr: ComprehensionExpr): boolean {
  return expr.accumulator !== accumulatorName && expr.range.kind === 'list' && expr.range.elements.length === 0
}

function joinEntries(left: EntrySizes | undefined, right: EntrySizes | undefined): EntrySizes | undefined {
  if (left === undefined || right === undefined) return undefined
  return { kind: left.kind, key: union(left.key, right.key), value: union(left.value, right.value) }
}

function literalSize(expr: Expr): CostRange | undefined {
  switch (expr.kind) {
    case 'literal': {
      const { value } = expr
      if (typeof value === 'string') return exactly(stringSize(value))
      if (value instanceof Uint8Array) return exactly(value.length)
      return value === null || value instanceof Uint || typeof value !== 'object' ? one : undefined
    }
    case 'list':
      return exactly(expr.elements.length)
    case 'map':
      return exactly(expr.entries.length)
    default:
      return undefined
  }
}

function isScalar(type: CelType): boolean {
  if (type.kind === 'opaque') return type.name === 'optional_type' && isScalar(type.parameters[0]!)
  return ['bool', 'double', 'duration', 'int', 'timestamp', 'uint'].includes(type.kind)
}

/** Only an object's fields are known by name. */
function fieldOf(type: CelType | undefined, field: string): CelType | undefined {
  return type?.kind === 'object' ? type.fields.get(field)?.type : undefined
}

function elementOf(type: CelType | undefined): CelType | undefined {
  if (type?.kind === 'list') return type.element
  return type?.kind === 'map' ? type.value : undefined
}

function keyOf(type: CelType | undefined): CelType | undefined {
  return type?.kind === 'map' ? type.key : undefined
}
