// YAML as Kubernetes reads it: version 1.1's words for true and false, no times and no sexagesimal numbers, double keys
// tolerated and named. Pure; runs in the server's thread for small documents and in a worker for large ones.

import { Lexer, LineCounter, parseAllDocuments, stringify, type Document, type Tags } from 'yaml'
import { encodeJson, parseJson } from '@aksel/base/json'

export interface YamlRead {
  readonly value: unknown
  /** `line 3: key "a" already set in map`. */
  readonly duplicates: readonly string[]
}

/** What an alias may multiply a document by: a bomb is refused long before it is built. */
const ALIASES_MAX = 100

/** Text that is no YAML, or too much of it; the message is for the caller. */
export class YamlError extends Error {
  constructor(message: string) {
    super(message)
    this.name = 'YamlError'
  }
}

/** The first document of the text. Throws YamlError. */
export function readYaml(text: string): YamlRead {
  try {
    return readDocument(text)
  } catch (error) {
    // The parser calls itself for each level: text nested beyond reason ends its stack.
    if (error instanceof RangeError) throw new YamlError('exceeded max depth')
    throw error
  }
}

function readDocument(text: string): YamlRead {
  assertShallow(text)
  const lines = new LineCounter()
  const documents = parseAllDocuments(text, {
    schema: 'yaml-1.1',
    customTags: withoutTimes,
    intAsBigInt: true,
    uniqueKeys: true,
    lineCounter: lines,
  })
  const document = Array.isArray(documents) ? documents[0] : undefined
  if (document === undefined) return { value: null, duplicates: [] }
  const duplicates: string[] = []
  for (const { code, pos, message } of document.errors) {
    const line = lines.linePos(pos[0]).line
    if (/call stack/.test(message)) throw new YamlError('exceeded max depth')
    if (code !== 'DUPLICATE_KEY')
      throw new YamlError(`line ${line}: ${message.split('\n')[0]!.replace(/ at line .*$/, '')}`)
    const key = /^\s*(?:"([^"]*)"|'([^']*)'|([^:]+?))\s*:/.exec(text.slice(pos[0]))
    duplicates.push(`line ${line}: key "${key?.[1] ?? key?.[2] ?? key?.[3] ?? ''}" already set in map`)
  }
  return { value: plain(toValue(document)), duplicates }
}

function toValue(document: Document): unknown {
  try {
    return document.toJS({ maxAliasCount: ALIASES_MAX, mapAsMap: true })
  } catch (error) {
    throw new YamlError(error instanceof ReferenceError ? 'document contains excessive aliasing' : String(error))
  }
}

function withoutTimes(tags: Tags): Tags {
  return tags.filter(
    (tag) => typeof tag !== 'object' || !(tag.tag === 'tag:yaml.org,2002:timestamp' || tag.format === 'TIME'),
  )
}

/** Levels that upstream's reader takes. */
const NESTING_MAX = 10_000
const [OPEN_LIST, OPEN_MAP] = [0x5b, 0x7b]

/** Before the parser sees it: for each level it looks at all those above, which makes minutes of a bomb. Throws YamlError. */
function assertShallow(text: string): void {
  if (!mayBeDeep(text)) return
  let depth = 0
  for (const token of new Lexer().lex(text)) {
    if (token === '[' || token === '{') depth += 1
    else if (token === ']' || token === '}') depth -= 1
    if (depth > NESTING_MAX) throw new YamlError(`exceeded max depth of ${NESTING_MAX}`)
  }
}

function mayBeDeep(text: string): boolean {
  if (text.length <= NESTING_MAX) return false
  let opened = 0
  for (let at = 0; at < text.length; at += 1) {
    const code = text.charCodeAt(at)
    if ((code === OPEN_LIST || code === OPEN_MAP) && ++opened > NESTING_MAX) return true
  }
  return false
}

/** Maps as objects with text keys, as JSON has them; integers as numbers where they are exact. */
function plain(value: unknown, depth = 0): unknown {
  if (depth > NESTING_MAX) throw new YamlError('exceeded max depth')
  if (typeof value === 'bigint') return Number.isSafeInteger(Number(value)) ? Number(value) : value
  if (Array.isArray(value)) return value.map((one) => plain(one, depth + 1))
  if (value instanceof Uint8Array) return Buffer.from(value).toString('latin1')
  if (!(value instanceof Map)) return value
  const object: Record<string, unknown> = {}
  for (const [key, item] of value) {
    const name = keyText(key)
    const own = { value: plain(item, depth + 1), enumerable: true, writable: true, configurable: true }
    Object.defineProperty(object, name, own)
  }
  return object
}

function keyText(key: unknown): string {
  if (typeof key === 'object' && key !== null) throw new YamlError('unsupported map key of type: map')
  return String(key as string | number | bigint | boolean | null)
}

/** JSON as YAML, keys sorted as upstream sorts them. */
export function writeYaml(json: Uint8Array): string {
  return stringify(parseJson(json), { sortMapEntries: true, lineWidth: 0, version: '1.1' })
}

/** What travels between the threads is JSON: bigints, odd keys and all. */
export function readYamlAsJson(text: string): Uint8Array {
  const { value, duplicates } = readYaml(text)
  return encodeJson({ value, duplicates })
}
