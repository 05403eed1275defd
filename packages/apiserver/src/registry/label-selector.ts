// Label selectors as they stand in queries: `app=web,tier in (a,b),!old`. Read as upstream reads them, token by token, so that
// its complaints are upstream's too.

import { labelValue, qualifiedName } from '@aksel/api/validation/names'
import { ApiError } from '@aksel/base/errors'
import type { FacetTerm } from './facet-index.ts'

export type Labels = Readonly<Record<string, string>>

const operators = ['in', 'notin', '=', '==', '!=', '>', '<', 'exists', '!'] as const
type Operator = (typeof operators)[number]

export interface LabelRequirement {
  readonly key: string
  readonly operator: Operator
  readonly values: readonly string[]
}

/** Undefined for no condition at all. Throws BadRequest. */
export function parseLabelSelector(text: string): ((labels: Labels | undefined) => boolean) | undefined {
  const requirements = new Parser(text).requirements()
  if (requirements.length === 0) return undefined
  return (labels = {}) => requirements.every((requirement) => meets(requirement, labels))
}

/** Its conditions one by one. Throws BadRequest. */
export function labelRequirementsOf(text: string): readonly LabelRequirement[] {
  return new Parser(text).requirements()
}

/** What an object must carry to match: the conditions that an index can narrow down. Throws BadRequest. */
export function labelTermsOf(text: string): readonly FacetTerm[] {
  return new Parser(text).requirements().flatMap(({ key, operator, values }): readonly FacetTerm[] => {
    if (operator === 'in' || operator === '=' || operator === '==') return [{ kind: 'label', key, values }]
    return operator === 'exists' || operator === '>' || operator === '<'
      ? [{ kind: 'label', key, values: undefined }]
      : []
  })
}

function meets({ key, operator, values }: LabelRequirement, labels: Labels): boolean {
  const value = Object.hasOwn(labels, key) ? labels[key] : undefined
  switch (operator) {
    case 'in':
    case '=':
    case '==':
      return value !== undefined && values.includes(value)
    case 'notin':
    case '!=':
      return value === undefined || !values.includes(value)
    case 'exists':
      return value !== undefined
    case '!':
      return value === undefined
    case '>':
      return isInteger(value) && BigInt(value) > BigInt(values[0]!)
    case '<':
      return isInteger(value) && BigInt(value) < BigInt(values[0]!)
    default:
      return operator satisfies never
  }
}

function isInteger(text: string | undefined): text is string {
  return text !== undefined && /^[+-]?\d+$/.test(text)
}

type TokenKind = 'end' | 'word' | 'unknown' | '(' | ')' | ',' | '=' | '==' | '!=' | '!' | '<' | '>' | 'in' | 'notin'

interface Token {
  readonly kind: TokenKind
  readonly text: string
}

const symbols: ReadonlySet<string> = new Set(['(', ')', ',', '=', '==', '!=', '!', '<', '>'])
const isSymbol = (character: string): boolean => '=!(),><'.includes(character)

function tokensOf(text: string): readonly Token[] {
  const tokens: Token[] = []
  let at = 0
  while (at < text.length) {
    if (/[ \t\r\n]/.test(text[at]!)) {
      at += 1
      continue
    }
    if (isSymbol(text[at]!)) {
      // The longest symbol that exists; `=,` is two.
      const two = text.slice(at, at + 2)
      const found = two.length === 2 && symbols.has(two) ? two : text[at]!
      tokens.push({ kind: found as TokenKind, text: found })
      at += found.length
      continue
    }
    let end = at
    while (end < text.length && !isSymbol(text[end]!) && !/[ \t\r\n]/.test(text[end]!)) end += 1
    const word = text.slice(at, end)
    tokens.push({ kind: word === 'in' || word === 'notin' ? word : 'word', text: word })
    at = end
  }
  return tokens
}

const END: Token = { kind: 'end', text: '' }
const binaryOperators = 'in, notin, =, ==, !=, gt, lt'

class Parser {
  readonly #tokens: readonly Token[]
  #at = 0

  constructor(text: string) {
    this.#tokens = tokensOf(text)
  }

  requirements(): readonly LabelRequirement[] {
    const found: LabelRequirement[] = []
    while (true) {
      const first = this.#peek()
      if (first.kind === 'end') return found
      if (first.kind !== 'word' && first.kind !== '!')
        throw unreadable(`found '${first.text}', expected: !, identifier, or 'end of string'`)
      found.push(this.#requirement())
      const after = this.#take()
      if (after.kind === 'end') return found
      if (after.kind !== ',') throw unreadable(`found '${after.text}', expected: ',' or 'end of string'`)
      const next = this.#peek()
      if (next.kind !== 'word' && next.kind !== '!')
        throw unreadable(`found '${next.text}', expected: identifier after ','`)
    }
  }

  /** Where values are meant, `in` and `notin` are words like any other. */
  #peek(): Token {
    const token = this.#tokens[this.#at] ?? END
    return token.kind === 'in' || token.kind === 'notin' ? { kind: 'word', text: token.text } : token
  }

  #take(): Token {
    const token = this.#peek()
    this.#at += 1
    return token
  }

  #requirement(): LabelRequirement {
    let first = this.#take()
    const isAbsence = first.kind === '!'
    if (isAbsence) first = this.#take()
    if (first.kind !== 'word') throw unparsable(`found '${first.text}', expected: identifier`)
    const key = first.text
    const wrong = qualifiedName(key)
    if (wrong.length > 0) throw unparsable(`<nil>: Invalid value: ${JSON.stringify(key)}: ${wrong.join('; ')}`)
    const next = this.#peek()
    if (isAbsence) return { key, operator: '!', values: [] }
    if (next.kind === 'end' || next.kind === ',') return { key, operator: 'exists', values: [] }
    const operator = this.#operator()
    const values = operator === 'in' || operator === 'notin' ? this.#values() : [this.#exactValue()]
    return checked({ key, operator, values })
  }

  #operator(): Operator {
    const token = this.#tokens[this.#at] ?? END
    this.#at += 1
    switch (token.kind) {
      case 'in':
      case 'notin':
      case '=':
      case '==':
      case '!=':
      case '>':
      case '<':
        return token.kind
      case '(':
      case ')':
      case ',':
      case '!':
      case 'word':
      case 'unknown':
      case 'end':
        throw unparsable(`found '${token.text}', expected: ${binaryOperators}`)
      default:
        return token.kind satisfies never
    }
  }

  #exactValue(): string {
    const next = this.#peek()
    if (next.kind === 'end' || next.kind === ',') return ''
    const token = this.#take()
    if (token.kind !== 'word') throw unparsable(`found '${token.text}', expected: identifier`)
    return token.text
  }

  /** `(a,b)`; between commas stands the empty value. */
  #values(): readonly string[] {
    const open = this.#take()
    if (open.kind !== '(') throw unparsable(`found '${open.text}' expected: '('`)
    const first = this.#peek()
    if (first.kind === ')') {
      this.#take()
      return []
    }
    if (first.kind !== 'word' && first.kind !== ',')
      throw unparsable(`found '${first.text}', expected: ',', ')' or identifier`)
    const values: string[] = []
    let isValueDue = true
    while (true) {
      const token = this.#take()
      if (token.kind === 'word') {
        values.push(token.text)
        const next = this.#peek()
        if (next.kind !== ',' && next.kind !== ')') throw unparsable(`found '${next.text}', expected: ',' or ')'`)
        isValueDue = false
      } else if (token.kind === ',') {
        if (isValueDue) values.push('')
        isValueDue = true
      } else if (token.kind === ')') {
        if (isValueDue) values.push('')
        return [...new Set(values)].sort()
      } else throw unparsable(`found '${token.text}', expected: ',', or identifier`)
    }
  }
}

function checked(requirement: LabelRequirement): LabelRequirement {
  const { key, operator, values } = requirement
  if ((operator === 'in' || operator === 'notin') && values.length === 0)
    throw unparsable("values: Invalid value: []: for 'in', 'notin' operators, values set can't be empty")
  if (operator === '>' || operator === '<') {
    if (!isInteger(values[0]))
      throw unparsable(
        `values[0]: Invalid value: ${JSON.stringify(values[0])}: for 'Gt', 'Lt' operators, the value must be an integer`,
      )
    return requirement
  }
  for (const [at, value] of values.entries()) {
    const wrong = labelValue(value)
    if (wrong.length > 0)
      throw unparsable(`values[${at}][${key}]: Invalid value: ${JSON.stringify(value)}: ${wrong.join('; ')}`)
  }
  return requirement
}

function unparsable(complaint: string): ApiError {
  return unreadable(`unable to parse requirement: ${complaint}`)
}

function unreadable(complaint: string): ApiError {
  return new ApiError('BadRequest', complaint)
}
