// The labels of a stored object without parsing the rest of it: they stand early in the metadata that we write.

import { parseJson } from '@aksel/base/json'

const metadataStart = Buffer.from('"metadata":{')
const labelsStart = Buffer.from('"labels":{')
const QUOTE = 0x22
const BACKSLASH = 0x5c
const OPEN = 0x7b
const CLOSE = 0x7d

type Labels = Readonly<Record<string, string>>

export function labelsOf(value: Uint8Array): Labels {
  const bytes = Buffer.from(value.buffer, value.byteOffset, value.byteLength)
  const metadata = bytes.indexOf(metadataStart)
  if (metadata === -1) return wholeLabels(bytes)
  const place = fieldOf(bytes, metadata + metadataStart.length)
  if (place === 'unclear') return wholeLabels(bytes)
  if (place === undefined) return {}
  return JSON.parse(bytes.toString('utf8', place.from, place.to)) as Labels
}

function wholeLabels(bytes: Buffer): Labels {
  const { metadata } = parseJson(bytes) as { readonly metadata?: { readonly labels?: Labels } }
  return metadata?.labels ?? {}
}

/** Walks the fields of the metadata, skipping strings and nested values, to its own `labels`. */
function fieldOf(bytes: Buffer, start: number): { readonly from: number; readonly to: number } | 'unclear' | undefined {
  let depth = 0
  for (let at = start; at < bytes.length; at++) {
    const byte = bytes[at]!
    if (byte === QUOTE) {
      if (depth === 0 && labelsStart.compare(bytes, at, at + labelsStart.length) === 0) {
        const from = at + labelsStart.length - 1
        const to = endOfObject(bytes, from)
        return to === undefined ? 'unclear' : { from, to }
      }
      at = endOfString(bytes, at)
    } else if (byte === OPEN || byte === 0x5b) depth += 1
    else if (byte === CLOSE || byte === 0x5d) {
      if (depth === 0) return undefined
      depth -= 1
    }
  }
  return 'unclear'
}

/** Where the closing quote of the string that begins here stands. */
function endOfString(bytes: Buffer, start: number): number {
  let at = start + 1
  while (at < bytes.length && bytes[at] !== QUOTE) at += bytes[at] === BACKSLASH ? 2 : 1
  return at
}

function endOfObject(bytes: Buffer, start: number): number | undefined {
  for (let at = start; at < bytes.length; at++) {
    if (bytes[at] === QUOTE) at = endOfString(bytes, at)
    else if (bytes[at] === CLOSE) return at + 1
  }
  return undefined
}
