// Lines of several containers as one log: bounded, searched, with what each line seems to be.

export type Severity = 'error' | 'warn' | 'info' | 'debug'

export interface LogLine {
  readonly number: number
  /** `pod/container`. */
  readonly source: string
  /** RFC 3339, as the server stamped it; empty where it did not. */
  readonly time: string
  readonly text: string
  readonly severity: Severity | undefined
}

const escapes = new RegExp(String.raw`${'\u001b'}\[[0-9;?]*[A-Za-z]`, 'g')

export function parseLogLine(raw: string, source: string, number: number): LogLine {
  const [, time = '', text = raw] = /^(\d{4}-\d\d-\d\dT[\d:.]+(?:Z|[+-]\d\d:\d\d)) (.*)$/s.exec(raw) ?? []
  const plain = text.replaceAll(escapes, '')
  return { number, source, time, text: plain, severity: severityOf(plain) }
}

/** From JSON, key=value, brackets, klog and the words themselves. */
export function severityOf(text: string): Severity | undefined {
  const word =
    /(?:"(?:level|severity|lvl)"\s*:\s*"?|\b(?:level|severity|lvl)=|^\S* ?\[)(\w+)/i.exec(text)?.[1] ??
    /^([IWEF])\d{4} /.exec(text)?.[1] ??
    /\b(ERROR|FATAL|PANIC|WARN|WARNING|INFO|DEBUG|TRACE)\b/.exec(text)?.[1]
  if (word === undefined) return undefined
  if (/^(e|f|err|error|fatal|panic|critical|crit|50|60)$/i.test(word)) return 'error'
  if (/^(w|warn|warning|40)$/i.test(word)) return 'warn'
  if (/^(i|info|notice|30)$/i.test(word)) return 'info'
  return /^(debug|trace|20|10)$/i.test(word) ? 'debug' : undefined
}

export interface LogView {
  /** A text, or a pattern between slashes: `/time ?out/i`. */
  readonly search: string
  /** Only lines that match; else they are marked among the others. */
  readonly only: boolean
  readonly severities: ReadonlySet<Severity>
  readonly hidden: ReadonlySet<string>
}

/** Undefined for an empty search; a pattern that is none is taken as text. */
export function searchPattern(search: string): RegExp | undefined {
  if (search === '') return undefined
  const [, body, flags] = /^\/(.+)\/(i?)$/.exec(search) ?? []
  try {
    if (body !== undefined) return new RegExp(body, `g${flags ?? ''}`)
  } catch {
    // A pattern that is not finished yet is a text.
  }
  return new RegExp(search.replaceAll(/[.*+?^${}()|[\]\\]/g, String.raw`\$&`), 'gi')
}

export function visibleLines(lines: readonly LogLine[], view: LogView): readonly LogLine[] {
  const pattern = searchPattern(view.search)
  return lines.filter(({ source, severity, text }) => {
    if (view.hidden.has(source)) return false
    if (view.severities.size > 0 && (severity === undefined || !view.severities.has(severity))) return false
    if (!view.only || pattern === undefined) return true
    pattern.lastIndex = 0
    return pattern.test(text)
  })
}

/** Pieces of a line, every second of them a match. */
export function splitMatches(text: string, pattern: RegExp | undefined): readonly string[] {
  if (pattern === undefined) return [text]
  const pieces: string[] = []
  let from = 0
  pattern.lastIndex = 0
  for (let match = pattern.exec(text); match !== null; match = pattern.exec(text)) {
    if (match[0] === '') break
    pieces.push(text.slice(from, match.index), match[0])
    from = match.index + match[0].length
  }
  pieces.push(text.slice(from))
  return pieces
}

/** The newest lines of all sources in the order of their stamps; the oldest go when there are too many. */
export class LogBuffer {
  readonly #most: number
  #lines: LogLine[] = []
  #next = 1

  constructor(most: number) {
    this.#most = most
  }

  get lines(): readonly LogLine[] {
    return this.#lines
  }

  add(raws: readonly string[], source: string): void {
    if (raws.length === 0) return
    const fresh = raws.map((raw) => parseLogLine(raw, source, this.#next++))
    const lines = [...this.#lines, ...fresh]
    const late = this.#lines.at(-1)
    // Sources arrive in pieces: only what comes out of turn is put in order.
    if (late !== undefined && fresh[0]!.time !== '' && fresh[0]!.time < late.time)
      lines.sort((left, right) =>
        left.time === right.time ? left.number - right.number : left.time < right.time ? -1 : 1,
      )
    this.#lines = lines.length > this.#most ? lines.slice(-this.#most) : lines
  }
}
