// Reads CEL text into a tree, with upstream's limits: 100,000 code points, 250 levels of any rule.

import { LexerError, tokenize, type Token } from './lexer.ts'
import { expandMacro } from './macros.ts'
import { NodeFactory } from './node-factory.ts'
import { CelCompileError } from './problems.ts'
import type { Expr, MapEntry, StructField } from './ast.ts'

export const sizeMax = 100_000
export const depthMax = 250

const reserved = new Set(
  'as break const continue else for function if import let loop package namespace return var void while'.split(' '),
)

const relations = new Set(['<', '<=', '>', '>=', '==', '!=', 'in'])

/** Throws CelCompileError. `hasBindings`: `cel.bind(x, value, e)` is understood. */
export function parse(source: string, hasBindings = false): { readonly expr: Expr; readonly nodes: number } {
  const size = source.length > sizeMax ? Array.from(source).length : source.length
  if (size > sizeMax) {
    throw new CelCompileError('', [
      { offset: 0, message: `expression code point size exceeds limit: size: ${size}, limit ${sizeMax}` },
    ])
  }
  try {
    const parser = new Parser(tokenize(source), hasBindings)
    const expr = parser.whole()
    return { expr, nodes: parser.make.count }
  } catch (error) {
    if (!(error instanceof LexerError)) throw error
    throw new CelCompileError(source, [{ offset: error.offset, message: error.message }])
  }
}

class Parser {
  readonly make: NodeFactory
  readonly #tokens: readonly Token[]
  #at = 0
  #depth = 0

  constructor(tokens: readonly Token[], hasBindings: boolean) {
    this.#tokens = tokens
    this.make = new NodeFactory(hasBindings)
  }

  whole(): Expr {
    const expr = this.#expression()
    if (this.#peek().kind !== 'end') this.#unexpected("extraneous input '%' expecting <EOF>")
    return expr
  }

  #peek(): Token {
    return this.#tokens[this.#at]!
  }

  #next(): Token {
    const token = this.#peek()
    if (token.kind !== 'end') this.#at += 1
    return token
  }

  #isOperator(text: string): boolean {
    const token = this.#peek()
    return token.kind === 'operator' && token.text === text
  }

  #take(text: string): boolean {
    if (!this.#isOperator(text)) return false
    this.#at += 1
    return true
  }

  #expect(text: string): void {
    if (!this.#take(text)) this.#unexpected(`mismatched input '%' expecting '${text}'`)
  }

  #unexpected(pattern: string): never {
    const token = this.#peek()
    throw new LexerError(token.offset, `Syntax error: ${pattern.replace('%', () => token.text)}`)
  }

  #nested<T>(read: () => T): T {
    this.#depth += 1
    this.#bound(this.#depth)
    const result = read()
    this.#depth -= 1
    return result
  }

  #bound(depth: number): void {
    if (depth <= depthMax) return
    throw new LexerError(this.#peek().offset, `expression recursion limit exceeded: ${depthMax}`)
  }

  #expression(): Expr {
    return this.#nested(() => {
      const condition = this.#logical('||')
      const { offset } = this.#peek()
      if (!this.#take('?')) return condition
      const yes = this.#logical('||')
      this.#expect(':')
      return this.make.call(offset, '_?_:_', [condition, yes, this.#expression()])
    })
  }

  /** Chains of one operator become a balanced tree, so that long ones are not deep. */
  #logical(operator: '||' | '&&'): Expr {
    const terms: Expr[] = []
    const offsets: number[] = []
    do {
      terms.push(operator === '||' ? this.#logical('&&') : this.#relation())
      offsets.push(this.#peek().offset)
    } while (this.#take(operator))
    return this.#balance(terms, offsets, `_${operator}_`)
  }

  #balance(terms: readonly Expr[], offsets: readonly number[], name: string): Expr {
    if (terms.length === 1) return terms[0]!
    const middle = Math.ceil(terms.length / 2)
    return this.make.call(offsets[middle - 1]!, name, [
      this.#balance(terms.slice(0, middle), offsets.slice(0, middle), name),
      this.#balance(terms.slice(middle), offsets.slice(middle), name),
    ])
  }

  #leftChain(operators: ReadonlySet<string>, operand: () => Expr): Expr {
    let left = operand()
    for (let depth = 1; ; depth += 1) {
      const token = this.#peek()
      if (token.kind !== 'operator' || !operators.has(token.text)) return left
      this.#bound(this.#depth + depth)
      this.#next()
      const name = token.text === 'in' ? '@in' : `_${token.text}_`
      left = this.make.call(token.offset, name, [left, operand()])
    }
  }

  #relation(): Expr {
    return this.#leftChain(relations, () => this.#addition())
  }

  #addition(): Expr {
    return this.#leftChain(additive, () => this.#leftChain(multiplicative, () => this.#unary()))
  }

  #unary(): Expr {
    const token = this.#peek()
    if (token.kind !== 'operator' || (token.text !== '!' && token.text !== '-')) return this.#member()
    let count = 0
    while (this.#take(token.text)) count += 1
    this.#bound(count)
    const following = this.#peek()
    if (token.text === '-' && following.kind === 'literal' && count % 2 === 1 && isNumber(following.value)) {
      this.#next()
      return this.#memberOf(this.make.literal(token.offset, -following.value))
    }
    const operand = this.#member()
    return count % 2 === 0 ? operand : this.make.call(token.offset, token.text === '!' ? '!_' : '-_', [operand])
  }

  #member(): Expr {
    return this.#memberOf(this.#primary())
  }

  #memberOf(start: Expr): Expr {
    let expr = start
    for (let depth = 1; ; depth += 1) {
      const token = this.#peek()
      if (this.#take('.')) expr = this.#selection(expr, token.offset)
      else if (this.#take('[')) expr = this.#index(expr, token.offset)
      else if (this.#isOperator('{') && typeNameOf(expr) !== undefined)
        expr = this.#struct(typeNameOf(expr)!, token.offset)
      else return expr
      this.#bound(this.#depth + depth)
    }
  }

  #selection(operand: Expr, offset: number): Expr {
    const isOptional = this.#take('?')
    const name = this.#next()
    if (name.kind !== 'ident' && name.kind !== 'quotedIdent') {
      this.#at -= name.kind === 'end' ? 0 : 1
      this.#unexpected("no viable alternative at input '%'")
    }
    if (isOptional) {
      return this.make.call(offset, '_?._', [operand, this.make.literal(name.offset, name.text)])
    }
    if (name.kind === 'quotedIdent' || !this.#isOperator('(')) return this.make.select(offset, operand, name.text)
    const open = this.#next()
    const args = this.#list(')')
    return expandMacro(this.make, { name: name.text, target: operand, args, offset: open.offset })
  }

  #index(operand: Expr, offset: number): Expr {
    const isOptional = this.#take('?')
    const index = this.#expression()
    this.#expect(']')
    return this.make.call(offset, isOptional ? '_[?_]' : '_[_]', [operand, index])
  }

  /** Expressions up to the closing token, a trailing comma allowed only where upstream allows it. */
  #list(closing: string): Expr[] {
    const items: Expr[] = []
    if (this.#take(closing)) return items
    do items.push(this.#expression())
    while (this.#take(','))
    this.#expect(closing)
    return items
  }

  #primary(): Expr {
    const token = this.#peek()
    if (token.kind === 'literal') {
      this.#next()
      if (token.value === 2n ** 63n) throw new LexerError(token.offset, 'Syntax error: invalid int literal')
      return this.make.literal(token.offset, token.value)
    }
    if (this.#take('(')) {
      const inner = this.#expression()
      this.#expect(')')
      return inner
    }
    if (this.#take('[')) return this.#listLiteral(token.offset)
    if (this.#take('{')) return this.#mapLiteral(token.offset)
    const isRooted = this.#take('.')
    const name = this.#peek()
    if (name.kind !== 'ident') return this.#unexpected(primaryExpected)
    this.#next()
    if (reserved.has(name.text)) {
      throw new LexerError(name.offset, `Syntax error: reserved identifier: ${name.text}`)
    }
    const text = isRooted ? `.${name.text}` : name.text
    if (!this.#isOperator('(')) return this.make.ident(name.offset, text)
    const open = this.#next()
    return expandMacro(this.make, { name: text, target: undefined, args: this.#list(')'), offset: open.offset })
  }

  #listLiteral(offset: number): Expr {
    const elements: Expr[] = []
    const optional = new Set<number>()
    while (!this.#take(']')) {
      if (this.#take('?')) optional.add(elements.length)
      elements.push(this.#expression())
      if (this.#take(',')) continue
      this.#expect(']')
      break
    }
    return this.make.list(offset, elements, optional)
  }

  #mapLiteral(offset: number): Expr {
    const entries: MapEntry[] = []
    while (!this.#take('}')) {
      const isOptional = this.#take('?')
      const key = this.#expression()
      this.#expect(':')
      entries.push({ id: this.make.nextId(), key, value: this.#expression(), isOptional })
      if (this.#take(',')) continue
      this.#expect('}')
      break
    }
    return this.make.map(offset, entries)
  }

  #struct(typeName: string, offset: number): Expr {
    this.#next()
    const fields: StructField[] = []
    while (!this.#take('}')) {
      const isOptional = this.#take('?')
      const name = this.#next()
      if (name.kind !== 'ident' && name.kind !== 'quotedIdent') {
        this.#at -= name.kind === 'end' ? 0 : 1
        this.#unexpected("extraneous input '%' expecting {'}', ',', '`', IDENTIFIER}")
      }
      const colon = this.#peek().offset
      this.#expect(':')
      fields.push({ id: this.make.nextId(), offset: colon, name: name.text, value: this.#expression(), isOptional })
      if (this.#take(',')) continue
      this.#expect('}')
      break
    }
    return this.make.struct(offset, typeName, fields)
  }
}

const additive: ReadonlySet<string> = new Set(['+', '-'])
const multiplicative: ReadonlySet<string> = new Set(['*', '/', '%'])

const primaryExpected =
  "mismatched input '%' expecting {'[', '{', '(', '.', '-', '!', 'true', 'false', 'null', NUM_FLOAT, NUM_INT, NUM_UINT, STRING, BYTES, IDENTIFIER}"

function isNumber(value: unknown): value is number | bigint {
  return typeof value === 'number' || typeof value === 'bigint'
}

/** `a.b.C` where the tree is such a path, for `a.b.C{…}`. */
function typeNameOf(expr: Expr): string | undefined {
  if (expr.kind === 'ident') return expr.name
  if (expr.kind !== 'select' || expr.isTest) return undefined
  const operand = typeNameOf(expr.operand)
  return operand === undefined ? undefined : `${operand}.${expr.field}`
}
