// Where a paged list goes on: the revision that all its pages are read at, and the key that the next one begins with. One
// whose revision is forgotten is answered with a token that goes on at the newest one, for those who can live with that.

import { posix } from 'node:path'
import { ApiError } from '@aksel/base/errors'
import { expiredError } from '../refusals.ts'

export interface ContinueToken {
  /** -1: whatever is newest. */
  readonly rv: number
  /** `namespace/name` below the row's prefix. */
  readonly start: string
}

const version = 'meta.k8s.io/v1'

export function encodeToken({ rv, start }: ContinueToken): string {
  return Buffer.from(JSON.stringify({ v: version, rv, start })).toString('base64url')
}

/** Of `continue` in the query; undefined where there is none. Throws BadRequest. */
export function tokenOf(query: URLSearchParams): ContinueToken | undefined {
  const text = query.get('continue') ?? ''
  if (text === '') return undefined
  const token = decoded(text)
  const asked = query.get('resourceVersion') ?? ''
  if (asked !== '' && asked !== '0')
    throw new ApiError('BadRequest', 'specifying resource version is not allowed when using continue')
  return token
}

function decoded(text: string): ContinueToken {
  const bad = text.search(/[^A-Za-z0-9_-]/)
  if (bad >= 0) throw refused(`: illegal base64 data at input byte ${bad}`)
  let token: Partial<ContinueToken> & { readonly v?: unknown }
  try {
    token = JSON.parse(Buffer.from(text, 'base64url').toString('utf8')) as typeof token
  } catch {
    throw refused(': it holds no token')
  }
  if (token?.v !== version) throw refused(': server does not recognize this encoded version')
  const { rv, start } = token
  if (!Number.isSafeInteger(rv) || rv === 0)
    throw refused(`: incorrect encoded start resourceVersion (version ${version})`)
  if (typeof start !== 'string' || start === '') throw refused(`: encoded start key empty (version ${version})`)
  // As upstream: no step up, nothing twice, so that a token leads nowhere but below its own prefix.
  if (posix.join('/', start) !== `/${start.replace(/^\//, '')}`) throw refused(`: ${start}`)
  return { rv: rv!, start }
}

function refused(why: string): ApiError {
  return new ApiError('BadRequest', `invalid continue token: continue key is not valid${why}`)
}

/** 410 with a token that goes on at the newest revision. */
export function continueExpired(start: string): ApiError {
  const token = encodeToken({ rv: -1, start })
  return expiredError(
    'The provided continue parameter is too old to display a consistent list result. You can start a new list without the continue parameter, or use the continue token in this response to retrieve the remainder of the results. Continuing with the provided token results in an inconsistent list - objects that were created, modified, or deleted between the time the first chunk was returned and now may show up in the list.',
    { continue: token },
  )
}
