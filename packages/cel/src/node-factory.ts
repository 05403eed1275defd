// Makes the nodes of one expression, each with its own number.

import { accumulatorName, type Constant, type Expr, type MapEntry, type StructField } from './ast.ts'

export interface Fold {
  readonly range: Expr
  readonly variable: string
  readonly variable2?: string | undefined
  readonly initial: Expr
  readonly condition: Expr
  readonly step: Expr
  readonly result: Expr
  readonly accumulator?: string
}

export class NodeFactory {
  readonly hasBindings: boolean
  #count = 0

  constructor(hasBindings = false) {
    this.hasBindings = hasBindings
  }

  /** Numbers given so far; ids are below it. */
  get count(): number {
    return this.#count
  }

  nextId(): number {
    return this.#count++
  }

  literal(offset: number, value: Constant): Expr {
    return { kind: 'literal', id: this.nextId(), offset, value }
  }

  ident(offset: number, name: string): Expr {
    return { kind: 'ident', id: this.nextId(), offset, name }
  }

  accumulator(offset: number): Expr {
    return this.ident(offset, accumulatorName)
  }

  select(offset: number, operand: Expr, field: string, isTest = false): Expr {
    return { kind: 'select', id: this.nextId(), offset, operand, field, isTest }
  }

  call(offset: number, name: string, args: readonly Expr[], target?: Expr): Expr {
    return { kind: 'call', id: this.nextId(), offset, name, target, args }
  }

  list(offset: number, elements: readonly Expr[], optional: ReadonlySet<number> = new Set()): Expr {
    return { kind: 'list', id: this.nextId(), offset, elements, optional }
  }

  map(offset: number, entries: readonly MapEntry[]): Expr {
    return { kind: 'map', id: this.nextId(), offset, entries }
  }

  struct(offset: number, typeName: string, fields: readonly StructField[]): Expr {
    return { kind: 'struct', id: this.nextId(), offset, typeName, fields }
  }

  fold(offset: number, fold: Fold): Expr {
    return {
      kind: 'comprehension',
      id: this.nextId(),
      offset,
      variable2: undefined,
      accumulator: accumulatorName,
      ...fold,
    }
  }
}
