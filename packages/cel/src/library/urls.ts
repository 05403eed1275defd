// URLs as Go's net/url takes them apart.

import { declare, type FunctionDeclaration } from '../functions.ts'
import { CelEvaluationError } from '../problems.ts'
import { scaled, traversal, traversalFactor } from '../cost-ranges.ts'
import { ArrayList, LiteralMap, OpaqueValue, sizeOf } from '../values.ts'

interface UrlParts {
  readonly scheme: string
  readonly host: string
  readonly path: string
  readonly query: string
}

export class UrlValue extends OpaqueValue {
  readonly typeName = 'kubernetes.URL'
  readonly text: string
  readonly parts: UrlParts

  constructor(text: string, parts: UrlParts) {
    super()
    this.text = text
    this.parts = parts
  }

  equals(other: OpaqueValue): boolean {
    return other instanceof UrlValue && other.text === this.text
  }
}

const shape = /^(?:([a-zA-Z][a-zA-Z0-9+.-]*):)?(?:\/\/([^/?#]*))?([^?#]*)(?:\?([^#]*))?(?:#(.*))?$/s

/** Undefined where Go's ParseRequestURI would refuse it. */
export function parseUrl(text: string): UrlParts | undefined {
  // A request URI has no fragment: a hash belongs to the path or query, and is cut off when the parts are read.
  if (text === '' || hasControl(text)) return undefined
  const match = shape.exec(text)
  if (match === null) return undefined
  const [, scheme = '', authority, path = '', query = ''] = match
  if (scheme === '' && !text.startsWith('/')) return undefined
  if (/%(?![0-9a-fA-F]{2})/.test(path)) return undefined
  const host = authority === undefined ? '' : hostOf(authority)
  if (host === undefined) return undefined
  return { scheme: scheme.toLowerCase(), host, path, query }
}

function hasControl(text: string): boolean {
  for (let at = 0; at < text.length; at += 1) {
    const code = text.charCodeAt(at)
    if (code <= 0x20 || code === 0x7f) return true
  }
  return false
}

function hostOf(authority: string): string | undefined {
  const host = authority.slice(authority.lastIndexOf('@') + 1)
  if (host.startsWith('[')) return /^\[[0-9a-fA-F:.]+(%25[^\]]+)?\](:\d*)?$/.test(host) ? host : undefined
  if (!/^[^:[\]<>"\\^`{|}]*(:\d*)?$/.test(host)) return undefined
  return host
}

function hostname(host: string): string {
  if (host.startsWith('[')) return host.slice(1, host.indexOf(']'))
  return host.replace(/:\d*$/, '')
}

function port(host: string): string {
  return /:(\d*)$/.exec(host.slice(host.lastIndexOf(']') + 1))?.[1] ?? ''
}

function escapedPath(path: string): string {
  return path.replace(/[^A-Za-z0-9\-_.~$&+,/:;=@!'()*%[\]]+/g, encodeURIComponent)
}

function queryMap(query: string): LiteralMap {
  const lists = new Map<string, string[]>()
  for (const [key, value] of new URLSearchParams(query)) lists.set(key, [...(lists.get(key) ?? []), value])
  const map = new LiteralMap()
  for (const [key, values] of lists) map.set(key, new ArrayList(values))
  return map
}

function toUrl(text: string): UrlValue {
  const parts = parseUrl(text)
  if (parts === undefined) {
    throw new CelEvaluationError(
      `URL parse error during conversion from string: parse ${JSON.stringify(text)}: invalid URI for request`,
    )
  }
  return new UrlValue(text, parts)
}

function reader(name: string, read: (parts: UrlParts) => string): FunctionDeclaration {
  return declare(name, { 'kubernetes.URL.() -> string': (url: UrlValue) => read(url.parts) })
}

export const urlFunctions: readonly FunctionDeclaration[] = [
  declare(
    'url',
    { '(string) -> kubernetes.URL': toUrl },
    {
      cost: ([text]) => traversal(sizeOf(text!)),
      estimate: ({ args }) => ({ cost: scaled(args[0]!.size, traversalFactor), resultSize: args[0]!.size }),
    },
  ),
  declare('isURL', { '(string) -> bool': (text: string) => parseUrl(text) !== undefined }),
  reader('getScheme', ({ scheme }) => scheme),
  reader('getHost', ({ host }) => host),
  reader('getHostname', ({ host }) => hostname(host)),
  reader('getPort', ({ host }) => port(host)),
  reader('getEscapedPath', ({ path }) => escapedPath(path)),
  declare('getQuery', {
    'kubernetes.URL.() -> map<string, list<string>>': (url: UrlValue) => queryMap(url.parts.query),
  }),
]
