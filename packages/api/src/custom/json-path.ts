// The JSONPath that Kubernetes knows, for printer columns and field selectors: fields, indexes, slices, wildcards, unions,
// filters by comparison, and descent.

export type JsonPath = (value: unknown) => readonly unknown[]

/** Throws an Error for a path that cannot be read. */
export function parseJsonPath(text: string): JsonPath {
  const reader = new Reader(text)
  const steps = reader.steps()
  if (!reader.atEnd) throw new Error(`unrecognized character in path ${JSON.stringify(text)} at ${reader.at}`)
  return (value) => steps.reduce<readonly unknown[]>((found, step) => found.flatMap((one) => step(one)), [value])
}

type Step = (value: unknown) => readonly unknown[]

class Reader {
  at = 0
  readonly #text: string

  constructor(text: string) {
    this.#text = text
  }

  get atEnd(): boolean {
    return this.at >= this.#text.length
  }

  get #next(): string {
    return this.#text[this.at] ?? ''
  }

  steps(isEnd: (text: string) => boolean = () => false): readonly Step[] {
    const steps: Step[] = []
    if (this.#next === '$' || this.#next === '@') this.at += 1
    while (!this.atEnd && !isEnd(this.#text.slice(this.at))) {
      if (this.#next === '.') steps.push(this.#dotted())
      else if (this.#next === '[') steps.push(this.#bracketed())
      else break
    }
    return steps
  }

  #dotted(): Step {
    this.at += 1
    const isDescent = this.#next === '.'
    if (isDescent) this.at += 1
    const name = this.#name()
    if (name === '' && this.#next === '[' && !isDescent) return (value) => [value]
    if (name === '' && !isDescent) return (value) => [value]
    const step = name === '*' ? childrenOf : fieldStep(name)
    return isDescent ? (value) => descend(value).flatMap(name === '' ? (one) => [one] : step) : step
  }

  /** A field's name: a backslash takes the next character as it is. */
  #name(): string {
    let name = ''
    while (!this.atEnd && !/[.[\]\s=!<>,)]/.test(this.#next)) {
      if (this.#next === '\\') this.at += 1
      name += this.#next
      this.at += 1
    }
    return name
  }

  #bracketed(): Step {
    const end = this.#closing()
    const inner = this.#text.slice(this.at + 1, end).trim()
    this.at = end + 1
    if (inner.startsWith('?')) return filterStep(inner)
    const parts = splitUnion(inner).map((part) => bracketStep(part.trim(), inner))
    return (value) => parts.flatMap((part) => part(value))
  }

  #closing(): number {
    let quote = ''
    let depth = 0
    for (let at = this.at; at < this.#text.length; at += 1) {
      const character = this.#text[at]!
      if (quote !== '') {
        if (character === '\\') at += 1
        else if (character === quote) quote = ''
      } else if (character === "'" || character === '"') quote = character
      else if (character === '[') depth += 1
      else if (character === ']' && (depth -= 1) === 0) return at
    }
    throw new Error('unterminated array')
  }
}

function fieldStep(name: string): Step {
  return (value) => {
    if (typeof value !== 'object' || value === null || Array.isArray(value)) return []
    return Object.hasOwn(value, name) ? [(value as Readonly<Record<string, unknown>>)[name]] : []
  }
}

function childrenOf(value: unknown): readonly unknown[] {
  if (typeof value !== 'object' || value === null) return []
  return Array.isArray(value) ? value : Object.values(value)
}

function descend(value: unknown): readonly unknown[] {
  return [value, ...childrenOf(value).flatMap(descend)]
}

function splitUnion(inner: string): readonly string[] {
  return inner.match(/'(?:[^'\\]|\\.)*'|"(?:[^"\\]|\\.)*"|[^,]+/g) ?? []
}

function bracketStep(part: string, inner: string): Step {
  const quoted = /^(['"])(.*)\1$/s.exec(part)
  if (quoted !== null) return fieldStep(quoted[2]!.replaceAll(/\\(.)/gs, '$1'))
  if (part === '*') return childrenOf
  const slice = /^(-?\d*):(-?\d*)(?::(-?\d*))?$/.exec(part)
  if (slice !== null) return sliceStep(slice)
  if (/^-?\d+$/.test(part)) return (value) => (Array.isArray(value) ? itemAt(value, Number(part)) : [])
  throw new Error(`invalid array index ${inner}`)
}

function itemAt(list: readonly unknown[], index: number): readonly unknown[] {
  const at = index < 0 ? list.length + index : index
  return at >= 0 && at < list.length ? [list[at]] : []
}

function sliceStep([, from = '', to = '', step = '']: RegExpExecArray): Step {
  const every = step === '' ? 1 : Number(step)
  return (value) => {
    if (!Array.isArray(value) || every <= 0) return []
    const start = from === '' ? 0 : Number(from)
    const end = to === '' ? value.length : Number(to)
    return (value as readonly unknown[]).slice(start, end).filter((_item, index) => index % every === 0)
  }
}

const comparison = /^\s*(==|!=|<=|>=|<|>)\s*/

function filterStep(inner: string): Step {
  const body = /^\?\s*\((.*)\)$/s.exec(inner)?.[1]?.trim()
  if (body === undefined) throw new Error(`unterminated filter ${inner}`)
  const reader = new Reader(body)
  const left = operand(reader, body)
  const operator = comparison.exec(body.slice(reader.at))
  if (operator === null) {
    if (!reader.atEnd) throw new Error(`unrecognized filter ${inner}`)
    return (value) => (Array.isArray(value) ? value.filter((item) => left(item).length > 0) : [])
  }
  reader.at += operator[0].length
  const right = operand(reader, body)
  if (!reader.atEnd) throw new Error(`unrecognized filter ${inner}`)
  return (value) =>
    Array.isArray(value) ? value.filter((item) => holds(left(item)[0], operator[1]!, right(item)[0])) : []
}

function operand(reader: Reader, body: string): Step {
  const rest = body.slice(reader.at)
  if (/^[@$.]/.test(rest)) {
    const steps = reader.steps((text) => comparison.test(text))
    while (/\s/.test(body[reader.at] ?? '')) reader.at += 1
    return (value) => steps.reduce<readonly unknown[]>((found, step) => found.flatMap((one) => step(one)), [value])
  }
  const literal = /^(?:'((?:[^'\\]|\\.)*)'|"((?:[^"\\]|\\.)*)"|(-?\d+(?:\.\d+)?)|(true|false))\s*/s.exec(rest)
  if (literal === null) throw new Error(`unrecognized filter operand ${rest}`)
  reader.at += literal[0].length
  const [, single, double, number, boolean] = literal
  const text = single ?? double
  if (text !== undefined) return () => [text.replaceAll(/\\(.)/gs, '$1')]
  return () => [number === undefined ? boolean === 'true' : Number(number)]
}

function holds(left: unknown, operator: string, right: unknown): boolean {
  if (left === undefined || right === undefined) return false
  if (operator === '==') return left === right
  if (operator === '!=') return left !== right
  if (typeof left !== typeof right) return false
  const [a, b] = [left as number, right as number]
  if (operator === '<') return a < b
  if (operator === '<=') return a <= b
  return operator === '>' ? a > b : a >= b
}
