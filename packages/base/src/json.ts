// The one home of JSON: integers beyond 2^53 stay exact, nesting is bounded before parsing, double keys are found, and
// errors speak as Go's do.

/** Text that is no JSON; the message is what Go's parser would say. */
export class JsonSyntaxError extends Error {
  constructor(message: string, cause?: unknown) {
    super(message, cause === undefined ? undefined : { cause })
    this.name = 'JsonSyntaxError'
  }
}

export const nestingMax = 10_000

const decoder = new TextDecoder('utf-8', { ignoreBOM: true })
const encoder = new TextEncoder()

/** Seventeen digits in a row may be an integer that a double cannot hold; sixteen only from 9007199254740993 on. */
const longDigits = /\d{16,}/

interface ExactJson {
  parse(text: string, reviver: (key: string, value: unknown, context: { readonly source?: string }) => unknown): unknown
  rawJSON(text: string): unknown
}

const exactJson = JSON as unknown as ExactJson

/**
 * Parses JSON text. Integers beyond 2^53 come out as bigint, everything else as JSON.parse gives it; a key `__proto__`
 * is an own property like any other. Throws JsonSyntaxError.
 */
export function parseJson(input: Uint8Array | string): unknown {
  const text = typeof input === 'string' ? input : decoder.decode(input)
  if (text.length > nestingMax && nestingOf(text) > nestingMax) {
    throw new JsonSyntaxError('exceeded max depth')
  }
  try {
    return longDigits.test(text) ? exactJson.parse(text, keepExact) : JSON.parse(text)
  } catch (error) {
    throw new JsonSyntaxError(goMessage(text, error), error)
  }
}

function keepExact(_key: string, value: unknown, context: { readonly source?: string }): unknown {
  if (typeof value !== 'number' || Number.isSafeInteger(value)) return value
  return context.source !== undefined && /^-?\d+$/.test(context.source) ? BigInt(context.source) : value
}

/** JSON text; a bigint is written as the integer it is. */
export function stringifyJson(value: unknown): string {
  try {
    return JSON.stringify(value)
  } catch (error) {
    if (!(error instanceof TypeError) || !/BigInt/.test(error.message)) throw error
    return JSON.stringify(value, (_key, item: unknown) =>
      typeof item === 'bigint' ? exactJson.rawJSON(item.toString()) : item,
    )
  }
}

export function encodeJson(value: unknown): Uint8Array {
  return encodeText(stringifyJson(value))
}

export function encodeText(text: string): Uint8Array {
  return encoder.encode(text)
}

function nestingOf(text: string): number {
  let depth = 0
  let deepest = 0
  for (let at = 0; at < text.length; at += 1) {
    const code = text.charCodeAt(at)
    if (code === 0x22) at = endOfString(text, at)
    else if (code === 0x7b || code === 0x5b) deepest = Math.max(deepest, ++depth)
    else if (code === 0x7d || code === 0x5d) depth -= 1
  }
  return deepest
}

/** Index of the closing quote of the string that opens at `start`; the text's length where there is none. */
function endOfString(text: string, start: number): number {
  let at = start
  while (true) {
    at = text.indexOf('"', at + 1)
    if (at < 0) return text.length
    let slashes = 0
    while (text.charCodeAt(at - 1 - slashes) === 0x5c) slashes += 1
    if (slashes % 2 === 0) return at
  }
}

/**
 * Paths (`spec.ports[0].name`) of keys that stand twice in one object. `parsed` is what the text parsed to: where both hold
 * equally many keys, there is none, and the slow walk is spared.
 */
export function duplicateKeys(input: Uint8Array | string, parsed: unknown): readonly string[] {
  const text = typeof input === 'string' ? input : decoder.decode(input)
  return countColons(text) === countKeys(parsed) ? [] : findDuplicates(text)
}

function countColons(text: string): number {
  let count = 0
  for (let at = 0; at < text.length; at += 1) {
    const code = text.charCodeAt(at)
    if (code === 0x22) at = endOfString(text, at)
    else if (code === 0x3a) count += 1
  }
  return count
}

function countKeys(value: unknown): number {
  if (typeof value !== 'object' || value === null) return 0
  let count = 0
  if (Array.isArray(value)) {
    for (const item of value) count += countKeys(item)
    return count
  }
  // Of JSON: there are no keys but its own.
  for (const key in value) {
    const item = (value as Record<string, unknown>)[key]
    count += typeof item === 'object' ? 1 + countKeys(item) : 1
  }
  return count
}

interface Level {
  readonly path: string
  /** Keys seen; undefined in a list. */
  readonly keys: Set<string> | undefined
  key: string
  index: number
}

/** A key of JSON text; `again` where its object has had it before. */
export interface KeyPlace {
  readonly key: string
  readonly again: boolean
  /** `spec.ports[0].name`; made when it is asked for: at the bottom of a deep text it is long. */
  readonly path: () => string
}

function findDuplicates(text: string): readonly string[] {
  const found: string[] = []
  for (const place of keysOf(text)) if (place.again) found.push(place.path())
  return found
}

/** Every key of valid JSON text in the order in which it stands there. Slow: for complaints, not for every body. */
export function* keysOf(text: string): Generator<KeyPlace, void> {
  const levels: Level[] = []
  for (let at = 0; at < text.length; at += 1) {
    const code = text.charCodeAt(at)
    const level = levels.at(-1)
    if (code === 0x22) {
      const end = endOfString(text, at)
      if (level?.keys !== undefined && isKey(text, end)) {
        level.key = JSON.parse(text.slice(at, end + 1)) as string
        yield { key: level.key, again: level.keys.has(level.key), path: () => join(level) }
        level.keys.add(level.key)
      }
      at = end
    } else if (code === 0x7b)
      levels.push({ path: level === undefined ? '' : join(level), keys: new Set(), key: '', index: 0 })
    else if (code === 0x5b)
      levels.push({ path: level === undefined ? '' : join(level), keys: undefined, key: '', index: 0 })
    else if (code === 0x7d || code === 0x5d) levels.pop()
    else if (code === 0x2c && level !== undefined && level.keys === undefined) level.index += 1
  }
}

function isKey(text: string, endOfText: number): boolean {
  let at = endOfText + 1
  while (/\s/.test(text.charAt(at))) at += 1
  return text.charCodeAt(at) === 0x3a
}

function join(level: Level): string {
  if (level.keys === undefined) return `${level.path}[${level.index}]`
  return level.path === '' ? level.key : `${level.path}.${level.key}`
}

/** V8's complaint in Go's words. */
function goMessage(text: string, error: unknown): string {
  const message = error instanceof Error ? error.message : String(error)
  if (text.trim() === '' || /end of JSON input|Unterminated/.test(message)) return 'unexpected end of JSON input'
  const position = /at position (\d+)/.exec(message)
  const at = position === null ? text.search(/\S/) : Number(position[1])
  const shown = text[at] === undefined ? 'EOF' : `'${text[at] === "'" ? "\\'" : text[at]}'`
  return `invalid character ${shown} ${whereOf(message)}`
}

function whereOf(message: string): string {
  if (/Expected property name/.test(message)) return 'looking for beginning of object key string'
  if (/Expected double-quoted property name/.test(message)) return 'looking for beginning of object key string'
  if (/Expected ':'/.test(message)) return 'after object key'
  if (/after property value/.test(message)) return 'after object key:value pair'
  if (/after array element/.test(message)) return 'after array element'
  if (/non-whitespace character after JSON/.test(message)) return 'after top-level value'
  return 'looking for beginning of value'
}
