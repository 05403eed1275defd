// The tree of a CEL expression: eight node kinds, as the language definition has them, with macros already expanded to
// comprehensions.

import type { Uint } from './values.ts'

interface Node {
  /** Unique in one expression; the checker's and the estimator's findings are kept by it. */
  readonly id: number
  /** Code points from the start of the text, for messages. */
  readonly offset: number
}

export type Constant = null | boolean | bigint | number | string | Uint8Array | Uint

export interface LiteralExpr extends Node {
  readonly kind: 'literal'
  readonly value: Constant
}

export interface IdentExpr extends Node {
  readonly kind: 'ident'
  readonly name: string
}

export interface SelectExpr extends Node {
  readonly kind: 'select'
  readonly operand: Expr
  readonly field: string
  /** `has(a.b)`: asks whether the field is there. */
  readonly isTest: boolean
}

export interface CallExpr extends Node {
  readonly kind: 'call'
  readonly name: string
  readonly target: Expr | undefined
  readonly args: readonly Expr[]
}

export interface ListExpr extends Node {
  readonly kind: 'list'
  readonly elements: readonly Expr[]
  /** Indices written `?x`: left out where the optional is empty. */
  readonly optional: ReadonlySet<number>
}

export interface MapEntry {
  readonly id: number
  readonly key: Expr
  readonly value: Expr
  readonly isOptional: boolean
}

export interface MapExpr extends Node {
  readonly kind: 'map'
  readonly entries: readonly MapEntry[]
}

export interface StructField {
  readonly id: number
  readonly offset: number
  readonly name: string
  readonly value: Expr
  readonly isOptional: boolean
}

export interface StructExpr extends Node {
  readonly kind: 'struct'
  readonly typeName: string
  readonly fields: readonly StructField[]
}

export interface ComprehensionExpr extends Node {
  readonly kind: 'comprehension'
  readonly range: Expr
  readonly variable: string
  /** The value beside the key or index, in the two-variable forms. */
  readonly variable2: string | undefined
  readonly accumulator: string
  readonly initial: Expr
  readonly condition: Expr
  readonly step: Expr
  readonly result: Expr
}

export type Expr = LiteralExpr | IdentExpr | SelectExpr | CallExpr | ListExpr | MapExpr | StructExpr | ComprehensionExpr

/** The name no expression can write, which macros gather their result under. */
export const accumulatorName = '@result'
