// Cuts CEL text into tokens. Positions count code points, as messages do.

import { Uint } from './values.ts'
import type { Constant } from './ast.ts'

export type TokenKind = 'ident' | 'literal' | 'operator' | 'end' | 'quotedIdent'

export interface Token {
  readonly kind: TokenKind
  /** The text of an identifier or operator; for a literal, as it was written. */
  readonly text: string
  readonly value: Constant
  readonly offset: number
}

/** Text that is no CEL; `offset` in code points. */
export class LexerError extends Error {
  readonly offset: number

  constructor(offset: number, message: string) {
    super(message)
    this.name = 'LexerError'
    this.offset = offset
  }
}

const pieces = new RegExp(
  [
    String.raw`(?<space>[\t \r\n\f]+|\/\/[^\n]*)`,
    String.raw`(?<string>(?:[rR][bB]?|[bB][rR]?)?(?:"""|'''|"|'))`,
    String.raw`(?<float>(?:\d+\.\d+(?:[eE][+-]?\d+)?|\d+[eE][+-]?\d+|\.\d+(?:[eE][+-]?\d+)?))`,
    String.raw`(?<int>0x[0-9a-fA-F]+[uU]?|\d+[uU]?)`,
    String.raw`(?<ident>[A-Za-z_][A-Za-z0-9_]*)`,
    '(?<quoted>`[a-zA-Z0-9_.\\-/ ]+`)',
    String.raw`(?<operator>==|!=|<=|>=|&&|\|\||[-+*/%!<>?:.,()[\]{}])`,
  ].join('|'),
  'y',
)

/** Throws LexerError. */
export function tokenize(source: string): readonly Token[] {
  const tokens: Token[] = []
  const offsets = isAscii(source) ? undefined : codePointOffsets(source)
  const offsetOf = (at: number): number => offsets?.[at] ?? at
  let at = 0
  while (at < source.length) {
    pieces.lastIndex = at
    const match = pieces.exec(source)
    if (match === null) {
      const point = String.fromCodePoint(source.codePointAt(at)!)
      throw new LexerError(offsetOf(at), `Syntax error: token recognition error at: '${point}'`)
    }
    const groups = match.groups!
    const text = match[0]
    const offset = offsetOf(at)
    if (groups['space'] !== undefined) at += text.length
    else if (groups['string'] !== undefined) {
      const end = endOfString(source, at, text, offset)
      const written = source.slice(at, end)
      tokens.push({ kind: 'literal', text: written, value: stringValue(written, text, offset), offset })
      at = end
    } else {
      tokens.push(simpleToken(groups, text, offset))
      at += text.length
    }
  }
  tokens.push({ kind: 'end', text: '<EOF>', value: null, offset: offsetOf(source.length) })
  return tokens
}

function isAscii(text: string): boolean {
  for (let at = 0; at < text.length; at += 1) if (text.charCodeAt(at) > 0x7f) return false
  return true
}

function codePointOffsets(source: string): Record<number, number> {
  const offsets: Record<number, number> = {}
  let at = 0
  let count = 0
  for (const point of source) {
    offsets[at] = count
    at += point.length
    count += 1
  }
  offsets[at] = count
  return offsets
}

function simpleToken(groups: Record<string, string | undefined>, text: string, offset: number): Token {
  if (groups['float'] !== undefined) return { kind: 'literal', text, value: Number(text), offset }
  if (groups['int'] !== undefined) return { kind: 'literal', text, value: integer(text, offset), offset }
  if (groups['quoted'] !== undefined) return { kind: 'quotedIdent', text: text.slice(1, -1), value: null, offset }
  if (groups['operator'] !== undefined) return { kind: 'operator', text, value: null, offset }
  if (text === 'true' || text === 'false') return { kind: 'literal', text, value: text === 'true', offset }
  if (text === 'null') return { kind: 'literal', text, value: null, offset }
  return { kind: text === 'in' ? 'operator' : 'ident', text, value: null, offset }
}

function integer(text: string, offset: number): bigint | Uint {
  if (/[uU]$/.test(text)) {
    const value = BigInt(text.slice(0, -1))
    if (value >= 2n ** 64n) throw new LexerError(offset, 'Syntax error: invalid uint literal')
    return new Uint(value)
  }
  // The one integer that fits only behind a minus is judged by the parser.
  const value = BigInt(text)
  if (value > 2n ** 63n) throw new LexerError(offset, 'Syntax error: invalid int literal')
  return value
}

function endOfString(source: string, start: number, opening: string, offset: number): number {
  const quote = /["']+$/.exec(opening)![0]
  const isRaw = /r/i.test(opening.slice(0, -quote.length))
  let at = start + opening.length
  while (at < source.length) {
    if (source.startsWith(quote, at)) return at + quote.length
    if (quote.length === 1 && (source[at] === '\n' || source[at] === '\r')) break
    at += source[at] === '\\' && !isRaw ? 2 : 1
  }
  throw new LexerError(offset, `Syntax error: token recognition error at: '${source.slice(start)}'`)
}

const escapes: Readonly<Record<string, string>> = {
  a: '\x07',
  b: '\b',
  f: '\f',
  n: '\n',
  r: '\r',
  t: '\t',
  v: '\v',
  '\\': '\\',
  "'": "'",
  '"': '"',
  '`': '`',
  '?': '?',
}

const escapePattern =
  /\\(?:x([0-9a-fA-F]{2})|X([0-9a-fA-F]{2})|u([0-9a-fA-F]{4})|U([0-9a-fA-F]{8})|([0-3][0-7]{2})|([^]))/gu

function stringValue(written: string, opening: string, offset: number): string | Uint8Array {
  const quote = /["']+$/.exec(opening)![0]
  const prefix = opening.slice(0, -quote.length).toLowerCase()
  const body = written.slice(opening.length, written.length - quote.length).replaceAll('\r\n', '\n')
  if (prefix.includes('b')) return bytesValue(body, prefix.includes('r'), offset)
  if (prefix.includes('r')) return body
  return body.replace(escapePattern, (_all, x, bigX, u, bigU, octal, other: string | undefined) =>
    unescape(
      { hex: (x ?? bigX ?? u ?? bigU) as string | undefined, octal: octal as string | undefined, other },
      offset,
    ),
  )
}

function unescape(
  found: { hex: string | undefined; octal: string | undefined; other: string | undefined },
  offset: number,
): string {
  const code =
    found.hex !== undefined ? parseInt(found.hex, 16) : found.octal !== undefined ? parseInt(found.octal, 8) : undefined
  if (code !== undefined) {
    if (code > 0x10ffff || (code >= 0xd800 && code < 0xe000)) {
      throw new LexerError(offset, 'Syntax error: invalid unicode code point')
    }
    return String.fromCodePoint(code)
  }
  const plain = escapes[found.other!]
  if (plain === undefined) throw new LexerError(offset, 'Syntax error: unable to unescape string')
  return plain
}

function bytesValue(body: string, isRaw: boolean, offset: number): Uint8Array {
  const encoder = new TextEncoder()
  if (isRaw) return encoder.encode(body)
  const out: number[] = []
  let last = 0
  for (const match of body.matchAll(escapePattern)) {
    out.push(...encoder.encode(body.slice(last, match.index)))
    last = match.index + match[0].length
    const byte = match[1] ?? match[2]
    if (byte !== undefined) out.push(parseInt(byte, 16))
    else if (match[5] !== undefined) out.push(parseInt(match[5], 8))
    else out.push(...encoder.encode(unescape({ hex: match[3] ?? match[4], octal: undefined, other: match[6] }, offset)))
  }
  out.push(...encoder.encode(body.slice(last)))
  return Uint8Array.from(out)
}
