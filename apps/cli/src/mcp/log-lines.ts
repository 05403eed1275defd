// Which lines of a log are wanted: how many, since when, how grave, holding which text. Pure.

import { ToolError } from './command-runner.ts'

export interface LogWindow {
  readonly linesMax: number
  readonly fromMs: number
  readonly untilMs: number
  readonly level: number
  readonly text: string
}

const LINES_DEFAULT = 100
const LINES_MOST = 2_000
const DAY_MS = 86_400_000
const PAST_MOST_DAYS = 30

const levels = ['debug', 'info', 'warn', 'error'] as const

/** AKS-MCP's bounds: a window of a day at most, not older than 30 days. Throws a ToolError. */
export function readWindow(given: Readonly<Record<string, unknown>>, nowMs: number): LogWindow {
  const lines = Number(given['max_records'] ?? given['lines'] ?? LINES_DEFAULT)
  if (!Number.isInteger(lines) || lines < 1 || lines > LINES_MOST)
    throw new ToolError(`A number of lines from 1 to ${LINES_MOST} is wanted.`)
  const untilMs = timeOf(given['end_time'], 'end_time') ?? nowMs
  const fromMs = timeOf(given['start_time'], 'start_time') ?? untilMs - DAY_MS
  if (fromMs > untilMs) throw new ToolError('start_time lies after end_time.')
  if (untilMs - fromMs > DAY_MS) throw new ToolError('At most 24 hours are looked at.')
  if (nowMs - fromMs > PAST_MOST_DAYS * DAY_MS)
    throw new ToolError(`At most ${PAST_MOST_DAYS} days back are looked at.`)
  const word = textOf(given['log_level'] ?? given['level']) ?? 'debug'
  const level = levels.findIndex((each) => each === word.toLowerCase().replace(/^warning$/, 'warn'))
  if (level === -1) throw new ToolError(`A level is one of ${levels.join(', ')}.`)
  return { linesMax: lines, fromMs, untilMs, level, text: textOf(given['filter']) ?? '' }
}

/** Undefined for what is no text. */
export function textOf(value: unknown): string | undefined {
  return typeof value === 'string' ? value : undefined
}

function timeOf(value: unknown, name: string): number | undefined {
  if (value === undefined) return undefined
  const ms = Date.parse(textOf(value) ?? '')
  if (Number.isNaN(ms)) throw new ToolError(`${name} is no time: an ISO 8601 text is wanted.`)
  return ms
}

/** The newest lines of a file of JSON lines that lie in the window. */
export function lastLines(
  text: string,
  window: LogWindow,
  isWanted: (line: Readonly<Record<string, unknown>>) => boolean,
): readonly unknown[] {
  const found: unknown[] = []
  const lines = text.split('\n')
  for (let at = lines.length - 1; at >= 0 && found.length < window.linesMax; at--) {
    const raw = lines[at]!
    if (!raw.startsWith('{') || !raw.includes(window.text)) continue
    const line = parsedLine(raw)
    if (line === undefined || !isWithin(line, window) || !isWanted(line)) continue
    found.push(line)
  }
  return found.toReversed()
}

function parsedLine(raw: string): Readonly<Record<string, unknown>> | undefined {
  try {
    return JSON.parse(raw) as Record<string, unknown>
  } catch {
    // The last line may be half written.
    return undefined
  }
}

function isWithin(line: Readonly<Record<string, unknown>>, { fromMs, untilMs, level }: LogWindow): boolean {
  const said = line['time'] ?? line['stageTimestamp'] ?? line['requestReceivedTimestamp']
  const ms = typeof said === 'number' ? said : Date.parse(String(said))
  const grave = levels.findIndex((each) => each === levelWord(line['level']))
  return !(ms < fromMs || ms > untilMs) && (grave === -1 || grave >= level)
}

/** pino writes numbers: 30 is info. */
function levelWord(level: unknown): string {
  if (typeof level !== 'number') return (textOf(level) ?? '').toLowerCase()
  return level >= 50 ? 'error' : level >= 40 ? 'warn' : level >= 30 ? 'info' : 'debug'
}
