// Gives every node a type and every call its overloads, or says in upstream's words what does not fit.

import { Substitution } from './substitution.ts'
import type { ComprehensionExpr, CallExpr, Expr, ListExpr, MapExpr, SelectExpr, StructExpr } from './ast.ts'
import type { Environment } from './environment.ts'
import type { Resolved } from './functions.ts'
import { CelCompileError, type Problem } from './problems.ts'
import {
  boolType,
  bytesType,
  doubleType,
  dynType,
  errorType,
  intType,
  isDynamic,
  isOptionalType,
  listOf,
  mapOf,
  nullType,
  optionalOf,
  sameType,
  stringType,
  typeName,
  uintType,
  type CelType,
} from './types.ts'
import { Uint } from './values.ts'

export interface Checked {
  readonly expr: Expr
  readonly types: readonly CelType[]
  /** Overloads that may be meant, per call. */
  readonly overloads: ReadonlyMap<number, readonly Resolved[]>
  /** Calls `ns.f(x)` where `ns.f` is a function's whole name. */
  readonly qualified: ReadonlyMap<number, string>
  readonly output: CelType
}

/** Throws CelCompileError. */
export function check(source: string, expr: Expr, nodes: number, environment: Environment): Checked {
  const checker = new Checker(environment, nodes)
  const output = checker.check(expr)
  if (checker.problems.length > 0) throw new CelCompileError(source, checker.problems)
  return checker.finish(expr, output)
}

class Checker {
  readonly problems: Problem[] = []
  readonly #environment: Environment
  readonly #types: CelType[]
  readonly #overloads = new Map<number, readonly Resolved[]>()
  readonly #qualified = new Map<number, string>()
  readonly #locals: (readonly [string, CelType])[] = []
  readonly #substitution = new Substitution()
  #fresh = 0

  constructor(environment: Environment, nodes: number) {
    this.#environment = environment
    this.#types = Array.from<CelType>({ length: nodes }).fill(dynType)
  }

  finish(expr: Expr, output: CelType): Checked {
    return {
      expr,
      types: this.#types.map((type) => this.#substitution.apply(type, true)),
      overloads: this.#overloads,
      qualified: this.#qualified,
      output: this.#substitution.apply(output, true),
    }
  }

  check(expr: Expr): CelType {
    const type = this.#typeOf(expr)
    this.#types[expr.id] = type
    return type
  }

  #complain(offset: number, message: string): CelType {
    this.problems.push({ offset, message })
    return errorType
  }

  #typeOf(expr: Expr): CelType {
    switch (expr.kind) {
      case 'literal':
        return literalType(expr.value)
      case 'ident':
        return this.#ident(expr.name, expr.offset)
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

  #lookup(name: string): CelType | undefined {
    const plain = name.startsWith('.') ? name.slice(1) : name
    for (let index = this.#locals.length - 1; index >= 0; index -= 1) {
      if (this.#locals[index]![0] === name) return this.#locals[index]![1]
    }
    return this.#environment.variables.get(plain) ?? this.#environment.typeIdent(plain)
  }

  #ident(name: string, offset: number): CelType {
    return this.#lookup(name) ?? this.#complain(offset, `undeclared reference to '${name}' (in container '')`)
  }

  #select(expr: SelectExpr): CelType {
    const path = expr.isTest ? undefined : pathOf(expr)
    const root = path?.split('.')[0]
    if (path !== undefined && !this.#locals.some(([name]) => name === root)) {
      const whole = this.#environment.variables.get(path) ?? this.#environment.typeIdent(path)
      if (whole !== undefined) {
        this.#qualified.set(expr.id, path)
        return whole
      }
    }
    const operand = this.#substitution.apply(this.check(expr.operand))
    const type = isOptionalType(operand) ? operand.parameters[0]! : operand
    const field = this.#field(this.#substitution.apply(type), expr.field, expr.offset)
    if (expr.isTest) return boolType
    return isOptionalType(operand) ? optionalOf(field) : field
  }

  #field(type: CelType, field: string, offset: number): CelType {
    switch (type.kind) {
      case 'map':
        return type.value
      case 'object':
        return type.fields.get(field)?.type ?? this.#complain(offset, `undefined field '${field}'`)
      case 'dyn':
      case 'error':
        return dynType
      case 'param':
        this.#substitution.assign(type, dynType)
        return dynType
      default:
        return this.#complain(offset, `type '${typeName(type)}' does not support field selection`)
    }
  }

  #call(expr: CallExpr): CelType {
    if (expr.name === '_?._') return this.#optionalSelect(expr)
    if (expr.target !== undefined) {
      const path = pathOf(expr.target)
      const whole = path === undefined ? undefined : `${path}.${expr.name}`
      if (whole !== undefined && this.#environment.functions.has(whole)) {
        this.#qualified.set(expr.id, whole)
        return this.#resolve(expr, whole, expr.args, false)
      }
      return this.#resolve(expr, expr.name, [expr.target, ...expr.args], true)
    }
    return this.#resolve(expr, expr.name.replace(/^\./, ''), expr.args, false)
  }

  #optionalSelect(expr: CallExpr): CelType {
    const [operand, field] = expr.args as [Expr, Expr]
    const type = this.#substitution.apply(this.check(operand))
    if (field.kind !== 'literal' || typeof field.value !== 'string') {
      return this.#complain(expr.offset, 'unsupported optional field selection')
    }
    this.check(field)
    const inner = this.#field(isOptionalType(type) ? type.parameters[0]! : type, field.value, expr.offset)
    return isOptionalType(inner) ? inner : optionalOf(inner)
  }

  #resolve(expr: CallExpr, name: string, args: readonly Expr[], isMember: boolean): CelType {
    const types = args.map((arg) => this.check(arg))
    const declarations = this.#environment.functions.get(name)
    if (declarations === undefined) {
      return this.#complain(expr.offset, `undeclared reference to '${expr.name}' (in container '')`)
    }
    const found: Resolved[] = []
    let result: CelType | undefined
    for (const declaration of declarations) {
      for (const overload of declaration.overloads) {
        if (overload.isMember !== isMember || overload.params.length !== args.length) continue
        const renamed = this.#renamed([...overload.params, overload.result])
        const actual = types.map((type) => this.#substitution.apply(type))
        if (!this.#substitution.assignAll(renamed.slice(0, -1), actual)) continue
        found.push({ declaration, overload })
        const returned = this.#substitution.apply(renamed.at(-1)!)
        result = result === undefined || sameType(result, returned) ? returned : dynType
      }
    }
    if (result === undefined) return this.#noOverload(expr, name, types, isMember)
    this.#overloads.set(expr.id, found)
    return result
  }

  #noOverload(expr: CallExpr, name: string, types: readonly CelType[], isMember: boolean): CelType {
    const shown = types.map((type) => this.#substitution.apply(type, true))
    if (shown.some((type) => type.kind === 'error')) return errorType
    const names = shown.map(typeName)
    const signature = isMember ? `${names[0]!}.(${names.slice(1).join(', ')})` : `(${names.join(', ')})`
    return this.#complain(expr.offset, `found no matching overload for '${name}' applied to '${signature}'`)
  }

  /** The types with parameters of their own, so that two calls of one function do not share them. */
  #renamed(types: readonly CelType[]): readonly CelType[] {
    if (!types.some(hasParameter)) return types
    const suffix = `#${(this.#fresh += 1)}`
    return types.map((type) => rename(type, suffix))
  }

  #newParameter(): CelType {
    return { kind: 'param', name: `#v${(this.#fresh += 1)}` }
  }

  #list(expr: ListExpr): CelType {
    let element: CelType | undefined
    for (const [index, item] of expr.elements.entries()) {
      let type = this.check(item)
      if (expr.optional.has(index)) type = this.#unwrapOptional(type, item)
      element = this.#join(element, type)
    }
    return listOf(element ?? this.#newParameter())
  }

  #unwrapOptional(type: CelType, at: Expr): CelType {
    const resolved = this.#substitution.apply(type)
    if (isOptionalType(resolved)) return resolved.parameters[0]!
    if (isDynamic(resolved)) return dynType
    return this.#complain(
      at.offset,
      `expected type 'optional_type(${typeName(resolved)})' but found '${typeName(resolved)}'`,
    )
  }

  /** What a literal holds: the common type of its items, or anything. */
  #join(previous: CelType | undefined, current: CelType): CelType {
    if (previous === undefined) return current
    if (this.#substitution.assign(previous, current)) return isDynamic(current) ? current : previous
    return dynType
  }

  #map(expr: MapExpr): CelType {
    let key: CelType | undefined
    let value: CelType | undefined
    for (const entry of expr.entries) {
      key = this.#join(key, this.check(entry.key))
      let type = this.check(entry.value)
      if (entry.isOptional) type = this.#unwrapOptional(type, entry.value)
      value = this.#join(value, type)
    }
    return mapOf(key ?? this.#newParameter(), value ?? this.#newParameter())
  }

  #struct(expr: StructExpr): CelType {
    const type = this.#environment.structType(expr.typeName)
    if (type === undefined) {
      return this.#complain(expr.offset, `undeclared reference to '${expr.typeName}' (in container '')`)
    }
    for (const field of expr.fields) {
      let actual = this.check(field.value)
      if (field.isOptional) actual = this.#unwrapOptional(actual, field.value)
      const declared = type.fields.get(field.name)
      if (declared === undefined) {
        this.#complain(field.offset, `undefined field '${field.name}'`)
      } else if (!this.#substitution.assign(declared.type, actual)) {
        const shown = typeName(this.#substitution.apply(actual, true))
        this.#complain(
          field.offset,
          `expected type of field '${field.name}' is '${typeName(declared.type)}' but provided type is '${shown}'`,
        )
      }
    }
    return type
  }

  #comprehension(expr: ComprehensionExpr): CelType {
    const range = this.#substitution.apply(this.check(expr.range))
    const initial = this.check(expr.initial)
    const [first, second] = this.#iteration(expr, range)
    this.#locals.push([expr.accumulator, initial])
    this.#locals.push([expr.variable, first])
    if (expr.variable2 !== undefined) this.#locals.push([expr.variable2, second])
    this.#demand(expr.condition, boolType)
    this.#demand(expr.step, initial)
    this.#locals.length -= expr.variable2 === undefined ? 1 : 2
    const result = this.check(expr.result)
    this.#locals.length -= 1
    return this.#substitution.apply(result)
  }

  #iteration(expr: ComprehensionExpr, range: CelType): readonly [CelType, CelType] {
    const isTwo = expr.variable2 !== undefined
    const type = isOptionalType(range) ? range.parameters[0]! : range
    switch (type.kind) {
      case 'list':
        return isTwo ? [intType, type.element] : [type.element, dynType]
      case 'map':
        return [type.key, type.value]
      case 'dyn':
      case 'error':
        return [dynType, dynType]
      case 'param':
        this.#substitution.assign(type, dynType)
        return [dynType, dynType]
      default:
        this.#complain(
          expr.range.offset,
          `expression of type '${typeName(type)}' cannot be range of a comprehension (must be list, map, or dynamic)`,
        )
        return [errorType, errorType]
    }
  }

  #demand(expr: Expr, type: CelType): void {
    const actual = this.check(expr)
    if (this.#substitution.assign(type, actual)) return
    const names = [type, actual].map((each) => typeName(this.#substitution.apply(each, true)))
    this.#complain(expr.offset, `expected type '${names[0]!}' but found '${names[1]!}'`)
  }
}

function literalType(value: unknown): CelType {
  if (value === null) return nullType
  if (value instanceof Uint) return uintType
  if (value instanceof Uint8Array) return bytesType
  switch (typeof value) {
    case 'boolean':
      return boolType
    case 'bigint':
      return intType
    case 'number':
      return doubleType
    default:
      return stringType
  }
}

function pathOf(expr: Expr): string | undefined {
  if (expr.kind === 'ident') return expr.name.replace(/^\./, '')
  if (expr.kind !== 'select' || expr.isTest) return undefined
  const operand = pathOf(expr.operand)
  return operand === undefined ? undefined : `${operand}.${expr.field}`
}

function hasParameter(type: CelType): boolean {
  switch (type.kind) {
    case 'param':
      return true
    case 'list':
      return hasParameter(type.element)
    case 'map':
      return hasParameter(type.key) || hasParameter(type.value)
    case 'opaque':
      return type.parameters.some(hasParameter)
    case 'type':
      return type.of !== undefined && hasParameter(type.of)
    default:
      return false
  }
}

function rename(type: CelType, suffix: string): CelType {
  switch (type.kind) {
    case 'param':
      return { kind: 'param', name: type.name + suffix }
    case 'list':
      return { ...type, element: rename(type.element, suffix) }
    case 'map':
      return { ...type, key: rename(type.key, suffix), value: rename(type.value, suffix) }
    case 'opaque':
      return { ...type, parameters: type.parameters.map((parameter) => rename(parameter, suffix)) }
    case 'type':
      return type.of === undefined ? type : { ...type, of: rename(type.of, suffix) }
    default:
      return type
  }
}
