// The template expression language: from the text between square brackets to a tree.

import { ExpressionError } from './errors.ts'

export type Expression =
  | { readonly kind: 'literal'; readonly value: string | number }
  /** `name` is in lower case; `namespace` too, where the function is one of the template's own. */
  | {
      readonly kind: 'call'
      readonly name: string
      readonly written: string
      readonly namespace?: string
      readonly args: readonly Expression[]
    }
  /** `safe`: `.?name` and `[?index]` are null where there is nothing. */
  | { readonly kind: 'member'; readonly of: Expression; readonly key: Expression; readonly safe: boolean }

/** Resource Manager's own limit, characters of one expression. */
export const expressionCharactersMax = 24_576
/** Deeper than any template that a person or Bicep writes; it keeps the stack whole. */
const depthMax = 200

/** `[…]` is an expression, `[[…` a text that begins with a bracket. */
export function isExpression(text: string): boolean {
  return text.startsWith('[') && text.endsWith(']') && !text.startsWith('[[')
}

/** What a text that is no expression stands for. */
export function unescaped(text: string): string {
  return text.startsWith('[[') ? text.slice(1) : text
}

/** A text that stands for itself when a template is read again. */
export function escaped(text: string): string {
  return text.startsWith('[') ? `[${text}` : text
}

/** The tree of `[…]`; throws ExpressionError. */
export function parseExpression(text: string): Expression {
  if (text.length > expressionCharactersMax) {
    throw new ExpressionError(
      `The language expression length limit exceeded. Limit: '${expressionCharactersMax}' and actual: '${text.length}'`,
    )
  }
  const parser = new Parser(text.slice(1, -1), text)
  const tree = parser.expression(0)
  parser.expectEnd()
  return tree
}

/** Every call in the tree, outermost first. */
export function* callsIn(expression: Expression): Generator<Expression & { readonly kind: 'call' }> {
  switch (expression.kind) {
    case 'literal':
      return
    case 'member':
      yield* callsIn(expression.of)
      yield* callsIn(expression.key)
      return
    case 'call':
      yield expression
      for (const argument of expression.args) yield* callsIn(argument)
      return
    default:
      return expression satisfies never
  }
}

class Parser {
  readonly #text: string
  readonly #whole: string
  #at = 0

  constructor(text: string, whole: string) {
    this.#text = text
    this.#whole = whole
  }

  expression(depth: number): Expression {
    if (depth > depthMax) throw this.#wrong(`it is nested deeper than ${depthMax}`)
    let tree = this.#primary(depth)
    while (true) {
      this.#space()
      if (this.#take('.')) {
        const safe = this.#take('?')
        this.#space()
        tree = { kind: 'member', of: tree, key: { kind: 'literal', value: this.#name() }, safe }
      } else if (this.#take('[')) {
        const safe = this.#take('?')
        const key = this.expression(depth + 1)
        this.#expect(']')
        tree = { kind: 'member', of: tree, key, safe }
      } else return tree
    }
  }

  expectEnd(): void {
    this.#space()
    if (this.#at < this.#text.length) throw this.#unexpected('the end')
  }

  #primary(depth: number): Expression {
    this.#space()
    const next = this.#text[this.#at]
    if (next === "'") return { kind: 'literal', value: this.#quoted() }
    if (next !== undefined && /[-\d]/.test(next)) return { kind: 'literal', value: this.#number() }
    const first = this.#name()
    let [namespace, written]: [string | undefined, string] = [undefined, first]
    if (this.#text[this.#at] === '.') {
      this.#at += 1
      ;[namespace, written] = [first, this.#name()]
    }
    this.#space()
    this.#expect('(')
    const args = this.#arguments(depth)
    return {
      kind: 'call',
      name: written.toLowerCase(),
      written,
      ...(namespace === undefined ? {} : { namespace: namespace.toLowerCase() }),
      args,
    }
  }

  #arguments(depth: number): readonly Expression[] {
    const args: Expression[] = []
    this.#space()
    if (this.#take(')')) return args
    do args.push(this.expression(depth + 1))
    while (this.#take(','))
    this.#expect(')')
    return args
  }

  #quoted(): string {
    let value = ''
    this.#at += 1
    while (true) {
      const end = this.#text.indexOf("'", this.#at)
      if (end === -1) throw this.#wrong('a text has no closing quote')
      value += this.#text.slice(this.#at, end)
      this.#at = end + 1
      if (this.#text[this.#at] !== "'") return value
      value += "'"
      this.#at += 1
    }
  }

  #number(): number {
    const match = /^-?\d+/.exec(this.#text.slice(this.#at))
    if (match === null) throw this.#unexpected('a number')
    this.#at += match[0].length
    return Number(match[0])
  }

  #name(): string {
    const match = /^[A-Za-z_$][\w$]*/.exec(this.#text.slice(this.#at, this.#at + 256))
    if (match === null) throw this.#unexpected('a name')
    this.#at += match[0].length
    return match[0]
  }

  #space(): void {
    while (/\s/.test(this.#text[this.#at] ?? '')) this.#at += 1
  }

  #take(character: string): boolean {
    this.#space()
    if (this.#text[this.#at] !== character) return false
    this.#at += 1
    return true
  }

  #expect(character: string): void {
    if (!this.#take(character)) throw this.#unexpected(`'${character}'`)
  }

  #unexpected(wanted: string): ExpressionError {
    const found = this.#text[this.#at]
    return this.#wrong(
      `expected ${wanted} and found ${found === undefined ? 'the end' : `'${found}'`} at position ${this.#at + 1}`,
    )
  }

  #wrong(what: string): ExpressionError {
    return new ExpressionError(`Unable to parse language expression '${this.#whole.slice(1, -1)}': ${what}`)
  }
}
