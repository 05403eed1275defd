// The Corefile's grammar: server blocks, directives a line each, and options of a directive between braces.

export interface Directive {
  readonly name: string
  readonly args: readonly string[]
  /** Lines between its braces; undefined without braces. */
  readonly options?: readonly (readonly string[])[]
  readonly line: number
}

export interface ServerBlock {
  /** `example.org:53`, as they stand there. */
  readonly keys: readonly string[]
  readonly directives: readonly Directive[]
  readonly line: number
}

/** A text that is no Corefile, or asks for what is not done here; says which line. */
export class CorefileError extends Error {
  override readonly name = 'CorefileError'

  constructor(line: number, why: string) {
    super(`line ${line}: ${why}`)
  }
}

interface Line {
  readonly words: readonly string[]
  readonly line: number
}

/** Directives that stand outside of a server block: the value of a `*.override` key. */
export function parseDirectives(text: string): readonly Directive[] {
  const lines = linesOf(text)
  const directives: Directive[] = []
  for (let at = 0; at < lines.length;) {
    const [directive, next] = readDirective(lines, at)
    directives.push(directive)
    at = next
  }
  return directives
}

/** Whole server blocks: the value of a `*.server` key. */
export function parseServerBlocks(text: string): readonly ServerBlock[] {
  const lines = linesOf(text)
  const blocks: ServerBlock[] = []
  for (let at = 0; at < lines.length;) {
    const { line } = lines[at]!
    const keys: string[] = []
    for (let isOpen = false; !isOpen; at += 1) {
      const current = lines[at]
      if (current === undefined) throw new CorefileError(line, 'a server block needs "{" behind its names')
      isOpen = current.words.at(-1) === '{'
      keys.push(...(isOpen ? current.words.slice(0, -1) : current.words))
    }
    const names = keys.flatMap((key) => key.split(',')).filter((key) => key !== '')
    if (names.length === 0) throw new CorefileError(line, 'a server block needs a name before "{"')
    const snippet = names.find((key) => key.startsWith('(') || key === 'import')
    if (snippet !== undefined) throw new CorefileError(line, `"${snippet}": snippets and imports are not supported`)
    const directives: Directive[] = []
    while (lines[at]?.words[0] !== '}') {
      if (at >= lines.length) throw new CorefileError(line, `the server block of "${names[0]}" has no "}"`)
      const [directive, next] = readDirective(lines, at)
      directives.push(directive)
      at = next
    }
    mustBeAlone(lines[at]!)
    at += 1
    blocks.push({ keys: names, directives, line })
  }
  return blocks
}

function readDirective(lines: readonly Line[], from: number): readonly [Directive, number] {
  const { words, line } = lines[from]!
  const [name = '', ...args] = words
  if (name === '}' || name === '{') throw new CorefileError(line, `"${name}" stands where a directive should`)
  if (args.at(-1) !== '{') return [{ name, args, line }, from + 1]
  const options: (readonly string[])[] = []
  let at = from + 1
  for (; lines[at]?.words[0] !== '}'; at += 1) {
    const inner = lines[at]
    if (inner === undefined) throw new CorefileError(line, `the options of "${name}" have no "}"`)
    if (inner.words.at(-1) === '{') throw new CorefileError(inner.line, `"${name}" takes no blocks within its options`)
    options.push(inner.words)
  }
  mustBeAlone(lines[at]!)
  return [{ name, args: args.slice(0, -1), options, line }, at + 1]
}

function mustBeAlone({ words, line }: Line): void {
  if (words.length > 1) throw new CorefileError(line, '"}" must stand alone on its line')
}

function linesOf(text: string): readonly Line[] {
  return text.split('\n').flatMap((source, index) => {
    const words = wordsOf(source, index + 1)
    return words.length === 0 ? [] : [{ words, line: index + 1 }]
  })
}

/** Words by white space; quotes hold them together, and `#` begins a comment where a word could begin. */
function wordsOf(source: string, line: number): readonly string[] {
  const words: string[] = []
  const pattern = /\s*(?:(#.*)|"((?:[^"\\]|\\.)*)"|(\S+))/y
  while (pattern.lastIndex < source.length) {
    const match = pattern.exec(source)
    if (match === null) break
    const [, comment, quoted, plain] = match
    if (comment !== undefined) break
    if (plain?.startsWith('"') === true) throw new CorefileError(line, 'a quote has no end')
    if (plain?.includes('{$') === true) {
      throw new CorefileError(line, `"${plain}": environment variables are not supported`)
    }
    words.push(quoted === undefined ? plain! : quoted.replaceAll('\\"', '"'))
  }
  return words
}
