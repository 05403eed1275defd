// The part of Microsoft Graph's filters that clients look people and applications up with.

import { ArmError } from '@aksel/base/errors'

type Item = Readonly<Record<string, unknown>>

/** `appId eq 'x'`, `servicePrincipalNames/any(c:c eq 'x')`, `startswith(displayName,'x')`, joined by `and` or by `or`. */
export function graphFilter(text: string | undefined): (item: Item) => boolean {
  if (text === undefined || text.trim() === '') return () => true
  const isAnd = /'\)?\s+and\s+/i.test(text)
  const parts = text.split(isAnd ? /(?<='\)?)\s+and\s+/i : /(?<='\)?)\s+or\s+/i).map((part) => readPart(part, text))
  return (item) => (isAnd ? parts.every((part) => part(item)) : parts.some((part) => part(item)))
}

function readPart(part: string, whole: string): (item: Item) => boolean {
  const equal = /^\s*\(?\s*(\w+)(?:\/any\(\s*\w+\s*:\s*\w+)?\s+eq\s+'((?:[^']|'')*)'\s*\)*\s*$/i.exec(part)
  if (equal !== null) {
    const wanted = unquoted(equal[2]!)
    return (item) => valuesOf(item, equal[1]!).some((value) => value.toLowerCase() === wanted)
  }
  const start = /^\s*\(?\s*startswith\(\s*(\w+)\s*,\s*'((?:[^']|'')*)'\s*\)+\s*$/i.exec(part)
  if (start === null)
    throw new ArmError(400, 'Request_UnsupportedQuery', `Unsupported or invalid query filter clause: ${whole}.`)
  const wanted = unquoted(start[2]!)
  return (item) => valuesOf(item, start[1]!).some((value) => value.toLowerCase().startsWith(wanted))
}

const unquoted = (text: string): string => text.replaceAll("''", "'").toLowerCase()

function valuesOf(item: Item, name: string): readonly string[] {
  const value = Object.entries(item).find(([known]) => known.toLowerCase() === name.toLowerCase())?.[1]
  if (Array.isArray(value)) return value.map(String)
  return typeof value === 'string' ? [value] : []
}
