// Reads a request line as the API server understands it: which resource, which verb, or which plain path.

import { ApiError } from '@aksel/base/errors'

export interface RequestInfo {
  /** Decoded path without query. */
  readonly path: string
  readonly query: URLSearchParams
  readonly isResource: boolean
  /** `get list watch create update patch delete deletecollection`, or the method in lower case for plain paths. */
  readonly verb: string
  readonly group: string
  readonly version: string
  readonly resource: string
  readonly subresource: string
  /** '' for cluster scope and all namespaces. */
  readonly namespace: string
  /** '' for collections. */
  readonly name: string
  /** The name that authorization sees: of the path, or of a `metadata.name=` field selector. */
  readonly authorizedName: string
  /** What follows the subresource, still encoded: `/healthz` of `…/proxy/healthz`; '' when nothing does. */
  readonly rest: string
}

const namespaceSubresources = new Set(['status', 'finalize'])
const verbs: Readonly<Record<string, string>> = {
  GET: 'get',
  HEAD: 'get',
  POST: 'create',
  PUT: 'update',
  PATCH: 'patch',
  DELETE: 'delete',
}

export function requestInfoOf(method: string, url: string): RequestInfo {
  const mark = url.indexOf('?')
  const rawPath = mark < 0 ? url : url.slice(0, mark)
  const query = new URLSearchParams(mark < 0 ? '' : url.slice(mark + 1))
  const rawParts = rawPath.split('/').filter((part) => part !== '')
  const parts = rawParts.map(decodePart)
  const plain = plainInfo(method, decodePart(rawPath), query)
  const isCore = parts[0] === 'api'
  if (!isCore && parts[0] !== 'apis') return plain
  const rootLength = isCore ? 2 : 3
  if (parts.length <= rootLength) return plain
  const group = isCore ? '' : parts[1]!
  const version = parts[rootLength - 1]!
  return resourceInfo(plain, method, {
    group,
    version,
    parts: parts.slice(rootLength),
    raw: rawParts.slice(rootLength),
  })
}

interface ResourcePath {
  readonly group: string
  readonly version: string
  readonly parts: readonly string[]
  readonly raw: readonly string[]
}

function resourceInfo(plain: RequestInfo, method: string, path: ResourcePath): RequestInfo {
  let { parts, raw } = path
  let namespace = ''
  // `/api/v1/watch/…`: watches as they were written before there were queries for them.
  const isWatchPath = parts[0] === 'watch' && parts.length > 1
  if (isWatchPath) {
    parts = parts.slice(1)
    raw = raw.slice(1)
  }
  if (parts[0] === 'namespaces' && parts.length > 1) {
    namespace = parts[1]!
    if (parts.length > 2 && !namespaceSubresources.has(parts[2]!)) {
      parts = parts.slice(2)
      raw = raw.slice(2)
    }
  }
  const [resource = '', pathName = '', subresource = ''] = parts
  const isWatch = isWatchPath && method === 'GET'
  const name = isWatch ? '' : pathName
  const query = isWatch ? watchedByName(plain.query, pathName) : plain.query
  const verb = isWatch ? 'watch' : verbOf(method, name, query)
  const selected = name === '' ? selectedName(query, verb) : name
  const rest = raw.length > 3 ? `/${raw.slice(3).join('/')}` : plain.path.endsWith('/') && raw.length === 3 ? '/' : ''
  return {
    ...plain,
    query,
    isResource: true,
    verb,
    group: path.group,
    version: path.version,
    resource,
    subresource,
    namespace,
    name,
    authorizedName: selected,
    rest,
  }
}

function plainInfo(method: string, path: string, query: URLSearchParams): RequestInfo {
  return {
    path,
    query,
    isResource: false,
    verb: method.toLowerCase(),
    group: '',
    version: '',
    resource: '',
    subresource: '',
    namespace: '',
    name: '',
    authorizedName: '',
    rest: '',
  }
}

function verbOf(method: string, name: string, query: URLSearchParams): string {
  const verb = verbs[method] ?? method.toLowerCase()
  if (verb === 'get') {
    if (name !== '') return 'get'
    return isTrue(query.get('watch')) ? 'watch' : 'list'
  }
  return verb === 'delete' && name === '' ? 'deletecollection' : verb
}

/** Go's ParseBool, where a key without a value means yes. */
export function isTrue(value: string | null): boolean {
  return value !== null && value !== '0' && value.toLowerCase() !== 'false' && value.toLowerCase() !== 'f'
}

/** The name of a watch's path becomes a field selector. Throws BadRequest where the query selects another. */
function watchedByName(query: URLSearchParams, name: string): URLSearchParams {
  if (name === '') return query
  const selected = selectedName(query, 'watch')
  const selector = query.get('fieldSelector') ?? ''
  if (selector !== '' && selected !== name)
    throw new ApiError('BadRequest', "fieldSelector metadata.name doesn't match requested name")
  const named = new URLSearchParams(query)
  if (selector === '') named.set('fieldSelector', `metadata.name=${name}`)
  return named
}

function selectedName(query: URLSearchParams, verb: string): string {
  if (verb !== 'list' && verb !== 'watch' && verb !== 'deletecollection') return ''
  const match = /(?:^|,)metadata\.name==?([^,=]+)(?:,|$)/.exec(query.get('fieldSelector') ?? '')
  return match?.[1] ?? ''
}

function decodePart(part: string): string {
  if (!part.includes('%')) return part
  try {
    return decodeURIComponent(part)
  } catch {
    return part
  }
}
