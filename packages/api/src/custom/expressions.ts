// Holds an object to the rules in CEL of its schema: with a budget for all of them, transition rules where there is an old
// value, and without a word about what an update left unchanged.

import { costPerCallMax, costPerRequestMax, type Program } from '@aksel/cel/compile'
import { CelCostError, CelEvaluationError } from '@aksel/cel/problems'
import { Optional } from '@aksel/cel/values'
import { deepEqual } from '../deep-equal.ts'
import { duplicate, forbidden, invalid, required, type FieldError } from '../field-errors.ts'
import type { JSONSchemaProps, ValidationRule } from '../types/apiextensions-v1.ts'
import { correlatedField, correlatedItems, type Correlated } from './correlate.ts'
import { ruleTree, type CompiledRule, type RuleNode } from './rule-tree.ts'
import { fieldPath, isObject } from './schema-node.ts'

export interface ExpressionRules {
  /**
   * `from`: the value before, on updates. `path`: where the value stands, '' for a whole object. `warn` is told of what an
   * update left unchanged though it is wrong.
   */
  validate(
    value: unknown,
    from: Correlated | undefined,
    path?: string,
    warn?: (sentence: string) => void,
  ): readonly FieldError[]
}

/** Undefined for a schema without rules. They are compiled when first needed. */
export function expressionRules(schema: JSONSchemaProps, isRoot: boolean): ExpressionRules | undefined {
  let tree: { readonly node: RuleNode | undefined } | undefined
  return {
    validate(value, from, path = '', warn) {
      tree ??= { node: ruleTree(schema, isRoot) }
      if (tree.node === undefined) return []
      const run = new Run(warn)
      run.visit(tree.node, value, path, { from, unchanged: lazily(value, from) })
      return run.errors
    },
  }
}

/** Is the value, or the nearest one around it that has an old one, as it was? */
type Unchanged = () => boolean

interface Before {
  readonly from: Correlated | undefined
  readonly unchanged: Unchanged
}

function lazily(value: unknown, from: Correlated | undefined): Unchanged {
  let known: boolean | undefined
  return () => (known ??= from !== undefined && deepEqual(value, from.old))
}

const messageMaxBytes = 5 * 1024

class Run {
  readonly errors: FieldError[] = []
  readonly #warn: ((sentence: string) => void) | undefined
  #budget = costPerRequestMax
  #isOver = false

  constructor(warn: ((sentence: string) => void) | undefined) {
    this.#warn = warn
  }

  visit(node: RuleNode, value: unknown, path: string, before: Before): void {
    if (this.#isOver || value === undefined || value === null) return
    this.#judge(node, value, path, before)
    if (this.#isOver) return
    if (Array.isArray(value)) {
      if (node.items === undefined) return
      const oldItem = correlatedItems(node.schema, before.from)
      for (const [index, item] of value.entries())
        this.visit(node.items, item, `${path}[${index}]`, below(before, item, oldItem(item)))
    } else if (isObject(value)) {
      for (const key of Object.keys(value)) {
        const known = node.properties.get(key)
        const child = known ?? (node.schema.properties?.[key] === undefined ? node.additional : undefined)
        if (child === undefined) continue
        const at = known === undefined ? `${path}[${key}]` : fieldPath(path, key)
        this.visit(child, value[key], at, below(before, value[key], correlatedField(before.from, key)))
      }
    }
  }

  #judge(node: RuleNode, value: unknown, path: string, before: Before): void {
    for (const compiled of node.rules) {
      if (this.#isOver) return
      if (compiled.program === undefined) {
        if (compiled.error !== undefined) this.#add(path, node, `rule compile error: ${compiled.error}`)
        continue
      }
      const isOptional = compiled.rule.optionalOldSelf === true
      // Transition rules hold where there is something to compare with.
      const old = before.from?.old ?? undefined
      if (compiled.usesOldSelf && old === undefined && !isOptional) continue
      const oldSelf = isOptional && old === undefined ? new Optional(undefined) : old
      this.#evaluate(node, compiled, value, path, { self: value, oldSelf }, before)
    }
  }

  #evaluate(
    node: RuleNode,
    compiled: CompiledRule,
    value: unknown,
    path: string,
    variables: Readonly<Record<string, unknown>>,
    before: Before,
  ): void {
    const { rule } = compiled
    try {
      if (this.#run(compiled.program!, variables) === true) return
    } catch (error) {
      return this.#failed(node, rule, path, error)
    }
    const detail = this.#detail(node, compiled, path, variables)
    if (detail === undefined) return
    const error = errorFor(fieldPathBelow(path, compiled.fieldPath), node, value, detail, rule.reason)
    if (compiled.usesOldSelf || !before.unchanged()) this.errors.push(error)
    else this.#warn?.(`${error.field}: ${error.message}`)
  }

  /** Throws what the evaluation throws, and BudgetSpent. */
  #run(program: Program, variables: Readonly<Record<string, unknown>>): unknown {
    let spent = 0
    try {
      return program.evaluate(variables, { costMax: costPerCallMax, onCost: (units) => (spent = units) }).value
    } finally {
      this.#budget -= spent
    }
  }

  #failed(node: RuleNode, rule: ValidationRule, path: string, error: unknown): void {
    if (this.#spent(node, path)) return
    const text = rule.message?.trim() || rule.rule.trim()
    if (error instanceof CelCostError) {
      this.#isOver = true
      return this.#add(
        path,
        node,
        `'${error.message}': no further validation rules will be run due to call cost exceeds limit for rule: ${text}`,
      )
    }
    if (!(error instanceof CelEvaluationError)) throw error
    this.#add(
      path,
      node,
      error.message.startsWith('no such overload')
        ? `'${error.message}': call arguments did not match a supported operator, function or macro signature for rule: ${text}`
        : `${error.message} evaluating rule: ${text}`,
    )
  }

  /** The budget of all rules is gone: nothing is judged any more. */
  #spent(node: RuleNode, path: string): boolean {
    if (this.#budget >= 0) return false
    this.#isOver = true
    this.#add(
      path,
      node,
      'validation failed due to running out of cost budget, no further validation rules will be run',
    )
    return true
  }

  /** What is wrong, in the rule's words; undefined where the budget ended. */
  #detail(
    node: RuleNode,
    { rule, message }: CompiledRule,
    path: string,
    variables: Readonly<Record<string, unknown>>,
  ): string | undefined {
    if (this.#spent(node, path)) return undefined
    const own = message === undefined ? undefined : this.#message(message, variables)
    if (this.#spent(node, path)) return undefined
    if (own !== undefined) return own
    const { message: text = '' } = rule
    return text === '' ? `failed rule: ${rule.rule.trim()}` : text.trim()
  }

  /** A message that cannot be made, or is of no use, gives way to the plain one. */
  #message(program: Program, variables: Readonly<Record<string, unknown>>): string | undefined {
    try {
      const value = this.#run(program, variables)
      const text = typeof value === 'string' ? value.trim() : ''
      return text === '' || text.includes('\n') || text.length > messageMaxBytes ? undefined : text
    } catch (error) {
      if (error instanceof CelEvaluationError || error instanceof CelCostError) return undefined
      throw error
    }
  }

  #add(path: string, node: RuleNode, detail: string): void {
    this.errors.push(invalid(path === '' ? '<nil>' : path, node.schema.type ?? '', detail))
  }
}

function below(before: Before, value: unknown, from: Correlated | undefined): Before {
  return { from, unchanged: from === undefined ? before.unchanged : lazily(value, from) }
}

function fieldPathBelow(path: string, own: string): string {
  if (own === '') return path === '' ? '<nil>' : path
  return fieldPath(path, own)
}

/** Objects and lists are too big to be shown. */
function errorFor(
  field: string,
  { schema }: RuleNode,
  value: unknown,
  detail: string,
  reason: string | undefined,
): FieldError {
  const isShown = schema.type !== 'object' && schema.type !== 'array'
  switch (reason) {
    case 'FieldValueForbidden':
      return forbidden(field, detail)
    case 'FieldValueRequired':
      return required(field, detail)
    case 'FieldValueDuplicate':
      return isShown ? duplicate(field, value) : { reason: 'FieldValueDuplicate', field, message: 'Duplicate value' }
    default:
      return isShown
        ? invalid(field, value, detail)
        : { reason: 'FieldValueInvalid', field, message: `Invalid value: ${detail}` }
  }
}
