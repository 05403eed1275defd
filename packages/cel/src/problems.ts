// What is wrong with an expression, and where, in the layout that CEL tools share: message, source line, and a caret.

export interface Problem {
  readonly offset: number
  readonly message: string
}

/** An expression that cannot be used: it does not parse, or its types do not fit. */
export class CelCompileError extends Error {
  readonly problems: readonly Problem[]

  constructor(source: string, problems: readonly Problem[]) {
    super(problems.map((problem) => display(source, problem)).join('\n'))
    this.name = 'CelCompileError'
    this.problems = problems
  }
}

/** An evaluation that failed; `&&`, `||`, `all` and `exists` may absorb it. */
export class CelEvaluationError extends Error {
  constructor(message: string) {
    super(message)
    this.name = 'CelEvaluationError'
  }
}

/** The budget of one evaluation is spent. Nothing absorbs it. */
export class CelCostError extends Error {
  constructor() {
    super('operation cancelled: actual cost limit exceeded')
    this.name = 'CelCostError'
  }
}

const snippetMax = 16_384

function display(source: string, { offset, message }: Problem): string {
  const points = Array.from(source)
  const before = points.slice(0, offset).join('')
  const line = before.split('\n').length
  const column = Array.from(before.slice(before.lastIndexOf('\n') + 1)).length
  const head = `ERROR: <input>:${line}:${column + 1}: ${message}`
  const snippet = source.split('\n')[line - 1]
  if (snippet === undefined || snippet.length > snippetMax) return head
  const shown = snippet.replaceAll('\t', ' ')
  const dots = Array.from(shown)
    .slice(0, column)
    .map((point) => (isWide(point) ? '\u{ff0e}' : '.'))
  const under = Array.from(shown)[column]
  return `${head}\n | ${shown}\n | ${dots.join('')}${under !== undefined && isWide(under) ? '\u{ff3e}' : '^'}`
}

function isWide(point: string): boolean {
  return point.codePointAt(0)! > 0x7f
}
