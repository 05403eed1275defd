// Turns a checked expression into closures that compute it and count what it costs, stopping where the budget ends.

import type { CallExpr, ComprehensionExpr, Expr, ListExpr, MapExpr, SelectExpr, StructExpr } from './ast.ts'
import type { Checked } from './checker.ts'
import type { Environment } from './environment.ts'
import { adapt } from './json-values.ts'
import { noSuchOverload } from './functions.ts'
import { planCall } from './calls.ts'
import { CelCostError, CelEvaluationError } from './problems.ts'
import {
  ArrayList,
  GrowingList,
  ListValue,
  LiteralMap,
  MapValue,
  ObjectValue,
  Optional,
  plainKey,
  StructValue,
  TypeValue,
  type Value,
} from './values.ts'
import type { typeName } from './types.ts'

/** Gives the raw value of a variable, or undefined where it is not bound. */
export type Resolve = (name: string) => unknown

/** What one evaluation carries along. */
export class Frame {
  readonly resolve: Resolve
  readonly locals: (Value | Failed)[] = []
  readonly limit: number
  cost = 0

  constructor(resolve: Resolve, limit: number) {
    this.resolve = resolve
    this.limit = limit
  }

  spend(units: number): void {
    this.cost += units
    if (this.cost > this.limit) throw new CelCostError()
  }
}

/** An error that `all` and `exists` carry in their accumulator until something absorbs it. */
class Failed {
  readonly error: CelEvaluationError

  constructor(error: CelEvaluationError) {
    this.error = error
  }
}

export type Step = (frame: Frame) => Value

const listCost = 10
const mapCost = 30
const structCost = 40

export function plan(checked: Checked, environment: Environment): Step {
  return new Planner(checked, environment).plan(checked.expr)
}

export class Planner {
  readonly checked: Checked
  readonly #environment: Environment
  readonly #scope: string[] = []

  constructor(checked: Checked, environment: Environment) {
    this.checked = checked
    this.#environment = environment
  }

  plan(expr: Expr): Step {
    switch (expr.kind) {
      case 'literal': {
        const { value } = expr
        return () => value
      }
      case 'ident':
        return this.#ident(expr.name)
      case 'select':
        return this.#select(expr)
      case 'call':
        return this.#call(expr)
      case 'list':
        return this.#list(expr)
      case 'map':
        return this.#map(expr)
      case 'struct':
        return this.#struct(expr)
      case 'comprehension':
        return this.#comprehension(expr)
      default:
        return expr satisfies never
    }
  }

  #ident(name: string): Step {
    const slot = this.#scope.lastIndexOf(name)
    if (slot >= 0) {
      return (frame) => {
        frame.spend(1)
        const value = frame.locals[slot]!
        if (value instanceof Failed) throw value.error
        return value
      }
    }
    const plain = name.startsWith('.') ? name.slice(1) : name
    const type = this.#environment.variables.get(plain)
    if (type === undefined) return this.#typeValue(plain)
    return (frame) => {
      frame.spend(1)
      const raw = frame.resolve(plain)
      if (raw === undefined) throw new CelEvaluationError(`no such attribute(s): ${plain}`)
      return adapt(raw, type)
    }
  }

  #typeValue(name: string): Step {
    const type = this.#environment.typeIdent(name)
    const inner = type?.kind === 'type' && type.of !== undefined ? type.of : undefined
    const shown =
      inner === undefined || inner.kind === 'list' || inner.kind === 'map' ? name : typeValueName(name, inner)
    const value = new TypeValue(shown)
    return () => value
  }

  #select(expr: SelectExpr): Step {
    const whole = this.checked.qualified.get(expr.id)
    if (whole !== undefined) return this.#ident(whole)
    const operand = this.plan(expr.operand)
    const { field } = expr
    if (expr.isTest) return (frame) => isPresent(operand(frame), field)
    return (frame) => {
      const container = operand(frame)
      frame.spend(1)
      return selectField(container, field)
    }
  }

  #call(expr: CallExpr): Step {
    const { name, args } = expr
    switch (name) {
      case '_&&_':
        return absorbing(this.plan(args[0]!), this.plan(args[1]!), false)
      case '_||_':
        return absorbing(this.plan(args[0]!), this.plan(args[1]!), true)
      case '_?_:_':
        return conditional(this.plan(args[0]!), this.plan(args[1]!), this.plan(args[2]!))
      case '@not_strictly_false':
        return notStrictlyFalse(this.plan(args[0]!))
      case '_?._':
        return this.#optionalSelect(args)
      case 'or':
      case 'orValue':
        if (expr.target !== undefined) return alternative(this.plan(expr.target), this.plan(args[0]!), name === 'or')
        break
      default:
        break
    }
    return planCall(this, expr)
  }

  #optionalSelect(args: readonly Expr[]): Step {
    const operand = this.plan(args[0]!)
    const field = args[1]!.kind === 'literal' ? (args[1]!.value as string) : ''
    return (frame) => {
      const container = operand(frame)
      frame.spend(1)
      const inner = container instanceof Optional ? container.value : container
      if (inner === undefined) return container
      return new Optional(isPresent(inner, field) ? selectField(inner, field) : undefined)
    }
  }

  #list(expr: ListExpr): Step {
    const elements = expr.elements.map((element) => this.plan(element))
    const { optional } = expr
    return (frame) => {
      const items: Value[] = []
      for (const [index, element] of elements.entries()) {
        const value = element(frame)
        if (!optional.has(index)) items.push(value)
        else if (!(value instanceof Optional)) throw noSuchOverload()
        else if (value.value !== undefined) items.push(value.value)
      }
      frame.spend(listCost)
      return new ArrayList(items)
    }
  }

  #map(expr: MapExpr): Step {
    const entries = expr.entries.map(({ key, value, isOptional }) => ({
      key: this.plan(key),
      value: this.plan(value),
      isOptional,
    }))
    return (frame) => {
      const map = new LiteralMap()
      for (const { key, value, isOptional } of entries) addEntry(map, key(frame), value(frame), isOptional)
      frame.spend(mapCost)
      return map
    }
  }

  #struct(expr: StructExpr): Step {
    const fields = expr.fields.map(({ name, value, isOptional }) => ({ name, value: this.plan(value), isOptional }))
    const { typeName: name } = expr
    return (frame) => {
      const values = new Map<string, Value>()
      for (const { name: field, value, isOptional } of fields) {
        const computed = value(frame)
        const given = isOptional && computed instanceof Optional ? computed.value : computed
        if (given !== undefined) values.set(field, given)
      }
      frame.spend(structCost)
      return new StructValue(name, values)
    }
  }

  #comprehension(expr: ComprehensionExpr): Step {
    const range = this.plan(expr.range)
    const initial = this.plan(expr.initial)
    const accumulator = this.#scope.push(expr.accumulator) - 1
    const first = this.#scope.push(expr.variable) - 1
    const second = expr.variable2 === undefined ? undefined : this.#scope.push(expr.variable2) - 1
    const condition = this.plan(expr.condition)
    const step = this.plan(expr.step)
    this.#scope.length = accumulator + 1
    const result = this.plan(expr.result)
    this.#scope.length = accumulator
    const isQuantifier = expr.condition.kind === 'call'
    const start = gathering(expr.initial)
    return (frame) => {
      const items = entriesOf(range(frame), second !== undefined)
      const { locals } = frame
      const begun = initial(frame)
      locals[accumulator] = start?.() ?? begun
      for (const [one, other] of items) {
        locals[first] = one
        if (second !== undefined) locals[second] = other
        if (condition(frame) !== true) break
        locals[accumulator] = isQuantifier ? attempt(step, frame) : step(frame)
      }
      const done = result(frame)
      return done instanceof GrowingList ? new ArrayList(done.items) : done
    }
  }
}

/** A fold that begins with an empty list or map gathers into one of its own. */
function gathering(initial: Expr): (() => Value) | undefined {
  if (initial.kind === 'list' && initial.elements.length === 0) return () => new GrowingList()
  if (initial.kind === 'map' && initial.entries.length === 0) return () => new LiteralMap()
  return undefined
}

function attempt(step: Step, frame: Frame): Value | Failed {
  try {
    return step(frame)
  } catch (error) {
    if (error instanceof CelEvaluationError) return new Failed(error)
    throw error
  }
}

function* entriesOf(range: Value, isTwo: boolean): Generator<readonly [Value, Value]> {
  if (range instanceof ListValue) {
    for (let index = 0; index < range.size; index += 1) {
      const item = range.at(index)
      yield isTwo ? [BigInt(index), item] : [item, null]
    }
  } else if (range instanceof MapValue) {
    for (const key of range.keys()) yield [key, isTwo ? range.get(key)! : null]
  } else if (range instanceof ObjectValue) {
    for (const field of range.fieldNames()) yield [field, isTwo ? range.get(field)! : null]
  } else throw noSuchOverload()
}

function addEntry(map: LiteralMap, key: Value, value: Value, isOptional: boolean): void {
  if (plainKey(key) === undefined) throw new CelEvaluationError('unsupported key type')
  const given = isOptional && value instanceof Optional ? value.value : value
  if (given === undefined) return
  if (map.get(key) !== undefined) throw new CelEvaluationError(`Failed with repeated key: ${String(plainKey(key))}`)
  map.set(key, given)
}

export function isPresent(container: Value, field: string): boolean {
  if (container instanceof ObjectValue) return container.has(field)
  if (container instanceof MapValue) return container.get(field) !== undefined
  if (container instanceof Optional) return container.value !== undefined && isPresent(container.value, field)
  throw noSuchOverload()
}

export function selectField(container: Value, field: string): Value {
  if (container instanceof ObjectValue || container instanceof MapValue) {
    const value = container.get(field)
    if (value === undefined) throw new CelEvaluationError(`no such key: ${field}`)
    return value
  }
  if (container instanceof Optional) {
    if (container.value === undefined) return container
    return new Optional(isPresent(container.value, field) ? selectField(container.value, field) : undefined)
  }
  throw noSuchOverload()
}

/** `&&` (decisive false) and `||` (decisive true): a decisive side decides even where the other fails. */
function absorbing(left: Step, right: Step, decisive: boolean): Step {
  return (frame) => {
    let first: Value | undefined
    let failure: unknown
    try {
      first = left(frame)
      if (first === decisive) return decisive
    } catch (error) {
      if (!(error instanceof CelEvaluationError)) throw error
      failure = error
    }
    const second = right(frame)
    if (second === decisive) return decisive
    if (failure !== undefined) throw failure
    if (typeof first !== 'boolean' || typeof second !== 'boolean') throw noSuchOverload()
    return !decisive
  }
}

function conditional(condition: Step, yes: Step, no: Step): Step {
  return (frame) => {
    const value = condition(frame)
    if (typeof value !== 'boolean') throw noSuchOverload()
    return value ? yes(frame) : no(frame)
  }
}

function notStrictlyFalse(operand: Step): Step {
  return (frame) => {
    frame.spend(1)
    try {
      return operand(frame) !== false
    } catch (error) {
      if (error instanceof CelEvaluationError) return true
      throw error
    }
  }
}

function alternative(target: Step, other: Step, isOptional: boolean): Step {
  return (frame) => {
    const optional = target(frame)
    if (!(optional instanceof Optional)) throw noSuchOverload()
    frame.spend(1)
    if (optional.value === undefined) return other(frame)
    return isOptional ? optional : optional.value
  }
}

function typeValueName(written: string, type: Parameters<typeof typeName>[0]): string {
  switch (type.kind) {
    case 'timestamp':
      return 'google.protobuf.Timestamp'
    case 'duration':
      return 'google.protobuf.Duration'
    case 'object':
    case 'opaque':
      return type.name
    default:
      return written
  }
}
