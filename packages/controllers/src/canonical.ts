// Values compared and fingerprinted by what they say, whatever the order of their keys.

/** JSON with sorted keys and without undefined and null. */
export function canonicalJson(value: unknown): string {
  return JSON.stringify(sorted(value)) ?? 'null'
}

export function isSame(left: unknown, right: unknown): boolean {
  return left === right || canonicalJson(left) === canonicalJson(right)
}

function sorted(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(sorted)
  if (typeof value !== 'object' || value === null) return value
  const entries = Object.entries(value).filter(([, item]) => item !== undefined && item !== null)
  entries.sort(([left], [right]) => (left < right ? -1 : 1))
  return Object.fromEntries(entries.map(([key, item]) => [key, sorted(item)]))
}

/** 32-bit FNV-1a of UTF-8 text. */
export function fnv32a(text: string): number {
  let hash = 0x811c9dc5
  for (const byte of new TextEncoder().encode(text)) hash = Math.imul(hash ^ byte, 0x01000193)
  return hash >>> 0
}

const safeLetters = 'bcdfghjklmnpqrstvwxz2456789'

/** Digits as letters that spell no words: the end of the names of replica sets and controller revisions. */
export function safeEncode(text: string): string {
  return Array.from(text, (char) => safeLetters[char.charCodeAt(0) % safeLetters.length]).join('')
}

/** The name part made from a template; `collisionCount` makes another one where a name was taken. */
export function templateHash(template: unknown, collisionCount: number | undefined): string {
  const salt = collisionCount === undefined ? '' : `/${collisionCount}`
  return safeEncode(String(fnv32a(canonicalJson(template) + salt)))
}
