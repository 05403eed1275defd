// One step of a path, in the words of FieldsV1: `f:name` a field, `k:{…}` an item by its keys, `v:…` an item of a set,
// `i:n` an item by its place.

import type { ListSchema, TypeSchema } from './type-schema.ts'
import { isMap } from './type-schema.ts'

/** A list item that cannot be told from others; the message is the merge's. */
export class ElementError extends Error {
  constructor(message: string) {
    super(message)
    this.name = 'ElementError'
  }
}

/** JSON as Go writes it: what HTML might misread is escaped. */
function goJson(value: unknown): string {
  if (typeof value === 'string' && plainText.test(value)) return `"${value}"`
  const text = typeof value === 'bigint' ? String(value) : JSON.stringify(value)
  return htmlSigns.test(text) ? text.replaceAll(htmlSignsAll, escapeSign) : text
}

/** Nothing in it is escaped. */
const plainText = /^[\w./:-]*$/
const htmlSigns = /[<>&\u2028\u2029]/
const htmlSignsAll = /[<>&\u2028\u2029]/g

function escapeSign(sign: string): string {
  return `\\u${sign.charCodeAt(0).toString(16).padStart(4, '0')}`
}

export function fieldElement(name: string): string {
  return `f:${name}`
}

/** The element of an item of a set or keyed list. Throws ElementError. */
export function itemElement(list: ListSchema, item: unknown): string {
  return list.kind === 'map' && list.keys.length > 0 ? keyedElement(list, item) : setElement(item)
}

function keyedElement(list: ListSchema, item: unknown): string {
  if (item === null || item === undefined)
    throw new ElementError('associative list with keys may not have a null element')
  if (!isMap(item)) throw new ElementError('associative list with keys may not have non-map elements')
  const [only] = list.keys
  if (list.keys.length === 1) {
    const value = item[only!] ?? keyDefault(list.item(), only!)
    if (value !== undefined) return `k:{"${only}":${goJson(value)}}`
  }
  const parts: string[] = []
  for (const key of list.keys.toSorted()) {
    const value = item[key] === undefined ? keyDefault(list.item(), key) : item[key]
    if (value !== undefined) parts.push(`${JSON.stringify(key)}:${goJson(value)}`)
  }
  if (parts.length === 0) {
    const names = list.keys.map((key) => JSON.stringify(key)).join(' ')
    throw new ElementError(
      `associative list with keys has an element that omits all key fields [${names}] (and doesn't have default values for any key fields)`,
    )
  }
  return `k:{${parts.join(',')}}`
}

function keyDefault(item: TypeSchema, key: string): unknown {
  return item.map?.field(key)?.default
}

function setElement(item: unknown): string {
  if (item === null || item === undefined)
    throw new ElementError("associative list without keys has an element that's an explicit null")
  if (Array.isArray(item)) throw new ElementError('not supported: associative list with lists as elements')
  if (typeof item === 'object') throw new ElementError("associative list without keys has an element that's a map type")
  return `v:${goJson(item)}`
}

const ranks: Readonly<Record<string, number>> = { '.': 0, f: 1, k: 2, v: 3, i: 4 }

/** The order in which a set lists its elements. */
export function compareElements(a: string, b: string): number {
  if (a === b) return 0
  const [kindA, kindB] = [a.charCodeAt(0), b.charCodeAt(0)]
  if (kindA !== kindB) return (ranks[a[0]!] ?? 9) - (ranks[b[0]!] ?? 9)
  const quick = kindA === KEY || kindA === VALUE ? compareTexts(a, b) : undefined
  if (quick !== undefined) return quick
  if (kindA === KEY) return compareJson(Object.entries(partsOf(a)), Object.entries(partsOf(b)))
  if (kindA === VALUE) return compareJson(valueOf(a), valueOf(b))
  if (kindA === INDEX) return Number(a.slice(2)) - Number(b.slice(2))
  return a < b ? -1 : 1
}

/** The order of two elements that first differ within a text; undefined where only a parser can tell. */
function compareTexts(a: string, b: string): number | undefined {
  let isInText = false
  for (let at = 2; ; at += 1) {
    const [left, right] = [a.charCodeAt(at), b.charCodeAt(at)]
    if (left === BACKSLASH || right === BACKSLASH || Number.isNaN(left) || Number.isNaN(right)) return undefined
    if (left === right) {
      if (left === QUOTE) isInText = !isInText
    } else if (!isInText) return undefined
    else if (left === QUOTE || right === QUOTE) return left === QUOTE ? -1 : 1
    else return left - right
  }
}

const QUOTE = 0x22
const BACKSLASH = 0x5c
const KEY = 0x6b
const VALUE = 0x76
const INDEX = 0x69

function partsOf(element: string): Readonly<Record<string, unknown>> {
  const parsed = JSON.parse(element.slice(2)) as unknown
  return isMap(parsed) ? parsed : {}
}

function valueOf(element: string): unknown {
  return JSON.parse(element.slice(2)) as unknown
}

/** Numbers before strings before booleans before lists; each kind by itself. */
function compareJson(a: unknown, b: unknown): number {
  const rank = kindRank(a) - kindRank(b)
  if (rank !== 0) return rank
  if (Array.isArray(a) && Array.isArray(b)) {
    for (let index = 0; index < a.length && index < b.length; index += 1) {
      const order = compareJson(a[index], b[index])
      if (order !== 0) return order
    }
    return a.length - b.length
  }
  if (a === b) return 0
  return (a as number) < (b as number) ? -1 : 1
}

function kindRank(value: unknown): number {
  if (typeof value === 'number' || typeof value === 'bigint') return 0
  if (typeof value === 'string') return 1
  if (typeof value === 'boolean') return 2
  return Array.isArray(value) ? 3 : 4
}

/** A path as errors show it: `.spec.containers[name="web"].image`. */
export function showPath(elements: readonly string[]): string {
  return elements.map(showElement).join('')
}

export function showElement(element: string): string {
  switch (element.charAt(0)) {
    case 'f':
      return `.${element.slice(2)}`
    case 'k': {
      const parts = Object.entries(partsOf(element)).map(([key, value]) => `${key}=${goJson(value)}`)
      return `[${parts.join(',')}]`
    }
    case 'v':
      return `[=${element.slice(2)}]`
    default:
      return `[${element.slice(2)}]`
  }
}

/** Is this text an element that a set may hold? */
export function isElement(text: string): boolean {
  if (text.length < 2 || text[1] !== ':') return false
  switch (text.charAt(0)) {
    case 'f':
      return true
    case 'i':
      return /^-?\d+$/.test(text.slice(2))
    case 'k':
    case 'v':
      try {
        const parsed = JSON.parse(text.slice(2)) as unknown
        return text[0] === 'v' || isMap(parsed)
      } catch {
        return false
      }
    default:
      return false
  }
}
