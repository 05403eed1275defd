// How functions are declared: signatures for the checker, an implementation per overload, and what a call costs.

import { CelEvaluationError } from './problems.ts'
import {
  boolType,
  bytesType,
  doubleType,
  durationType,
  dynType,
  intType,
  listOf,
  mapOf,
  nullType,
  opaque,
  stringType,
  timestampType,
  uintType,
  type CelType,
} from './types.ts'
import {
  Duration,
  ListValue,
  MapValue,
  ObjectValue,
  OpaqueValue,
  Optional,
  Timestamp,
  TypeValue,
  Uint,
  type Value,
} from './values.ts'
import type { CostRange, EstimatedCall, CallEstimate } from './cost-ranges.ts'

export interface Overload {
  readonly isMember: boolean
  /** The target first, where there is one. */
  readonly params: readonly CelType[]
  readonly result: CelType
  readonly implementation: (...args: never[]) => Value
}

export interface FunctionDeclaration {
  readonly name: string
  readonly overloads: readonly Overload[]
  /** What a call cost; one unit where it says nothing. */
  readonly cost?: CostOf | undefined
  readonly estimate?: EstimateOf | undefined
}

export type CostOf = (args: readonly Value[], result: Value) => number
export type EstimateOf = (call: EstimatedCall) => CallEstimate | CostRange

export type FunctionTable = ReadonlyMap<string, readonly FunctionDeclaration[]>

/** Declares an overload: `(string, int) -> bool` for a function, `string.(int) -> bool` for a member. */
export function overload(signature: string, implementation: (...args: never[]) => Value): Overload {
  const reader = new SignatureReader(signature)
  return { ...reader.signature(), implementation }
}

export function declare(
  name: string,
  overloads: Readonly<Record<string, (...args: never[]) => Value>>,
  costs: { readonly cost?: CostOf; readonly estimate?: EstimateOf } = {},
): FunctionDeclaration {
  return {
    name,
    overloads: Object.entries(overloads).map(([signature, implementation]) => overload(signature, implementation)),
    ...costs,
  }
}

export function functionTable(libraries: readonly (readonly FunctionDeclaration[])[]): FunctionTable {
  const table = new Map<string, FunctionDeclaration[]>()
  for (const declaration of libraries.flat()) {
    const known = table.get(declaration.name)
    if (known === undefined) table.set(declaration.name, [declaration])
    else known.push(declaration)
  }
  return table
}

const named: Readonly<Record<string, CelType>> = {
  bool: boolType,
  int: intType,
  uint: uintType,
  double: doubleType,
  string: stringType,
  bytes: bytesType,
  null_type: nullType,
  timestamp: timestampType,
  duration: durationType,
  dyn: dynType,
  type: { kind: 'type', of: undefined },
}

class SignatureReader {
  readonly #text: string
  #at = 0

  constructor(text: string) {
    this.#text = text.replaceAll(' ', '')
  }

  signature(): { isMember: boolean; params: readonly CelType[]; result: CelType } {
    const params: CelType[] = []
    const isMember = this.#text[0] !== '('
    if (isMember) {
      params.push(this.#type())
      this.#expect('.')
    }
    this.#expect('(')
    while (!this.#take(')')) {
      params.push(this.#type())
      this.#take(',')
    }
    this.#expect('->')
    return { isMember, params, result: this.#type() }
  }

  #type(): CelType {
    const [name] = /^[\w.]*\w/.exec(this.#text.slice(this.#at))!
    this.#at += name.length
    const params: CelType[] = []
    if (this.#take('<')) {
      while (!this.#take('>')) {
        params.push(this.#type())
        this.#take(',')
      }
    }
    if (name === 'list') return listOf(params[0]!)
    if (name === 'map') return mapOf(params[0]!, params[1]!)
    if (name === 'optional') return opaque('optional_type', ...params)
    if (/^[A-Z]$/.test(name)) return { kind: 'param', name }
    if (name === 'typeOf') return { kind: 'type', of: params[0] }
    return named[name] ?? opaque(name, ...params)
  }

  #take(text: string): boolean {
    if (!this.#text.startsWith(text, this.#at)) return false
    this.#at += text.length
    return true
  }

  #expect(text: string): void {
    if (!this.#take(text)) throw new Error(`bad signature ${this.#text} at ${this.#at}`)
  }
}

/** Whether a value may be given where this type is declared. */
export function fits(value: Value, type: CelType): boolean {
  switch (type.kind) {
    case 'dyn':
    case 'param':
    case 'error':
      return true
    case 'bool':
      return typeof value === 'boolean'
    case 'int':
      return typeof value === 'bigint'
    case 'double':
      return typeof value === 'number'
    case 'string':
      return typeof value === 'string'
    case 'null_type':
      return value === null
    case 'uint':
      return value instanceof Uint
    case 'bytes':
      return value instanceof Uint8Array
    case 'timestamp':
      return value instanceof Timestamp
    case 'duration':
      return value instanceof Duration
    case 'list':
      return value instanceof ListValue
    case 'map':
      return value instanceof MapValue || value instanceof ObjectValue
    case 'object':
      return value instanceof ObjectValue && value.typeName === type.name
    case 'opaque':
      return type.name === 'optional_type'
        ? value instanceof Optional
        : value instanceof OpaqueValue && value.typeName === type.name
    case 'type':
      return value instanceof TypeValue
    default:
      return type satisfies never
  }
}

export interface Resolved {
  readonly declaration: FunctionDeclaration
  readonly overload: Overload
}

export function noSuchOverload(): CelEvaluationError {
  return new CelEvaluationError('no such overload')
}
