// The errors of the API server in upstream's words, each made in one place.

import type { KindRow } from '@aksel/api/kind-row'
import { qualifiedName } from '@aksel/api/resource'
import { ApiError } from '@aksel/base/errors'

type Named = Pick<KindRow, 'group' | 'plural'>

function detailsOf(
  row: Named,
  name: string,
): { readonly name: string; readonly group?: string; readonly kind: string } {
  return { ...(name === '' ? {} : { name }), ...(row.group === '' ? {} : { group: row.group }), kind: row.plural } as {
    readonly name: string
    readonly kind: string
  }
}

export function notFoundError(row: Named, name: string): ApiError {
  return new ApiError('NotFound', `${qualifiedName(row)} "${name}" not found`, { details: detailsOf(row, name) })
}

export function alreadyExistsError(row: Named, name: string): ApiError {
  return new ApiError('AlreadyExists', `${qualifiedName(row)} "${name}" already exists`, {
    details: detailsOf(row, name),
  })
}

/** For a name that the server made, or would have made. */
export function generatedNameExistsError(row: Named, name: string): ApiError {
  const text = `${qualifiedName(row)} "${name}" already exists, the server was not able to generate a unique name for the object`
  return new ApiError('AlreadyExists', text, { details: { ...detailsOf(row, name), retryAfterSeconds: 1 } })
}

/** One of that name is on its way out. */
export function beingDeletedError(row: Named, name: string): ApiError {
  const { message } = alreadyExistsError(row, name)
  return new ApiError('AlreadyExists', `object is being deleted: ${message}`, { details: detailsOf(row, name) })
}

export const staleObject = 'the object has been modified; please apply your changes to the latest version and try again'

export function conflictError(row: Named, name: string, why: string = staleObject): ApiError {
  return new ApiError('Conflict', `Operation cannot be fulfilled on ${qualifiedName(row)} "${name}": ${why}`, {
    details: detailsOf(row, name),
  })
}

/** `pods "x" is forbidden: why` */
export function forbiddenError(row: Named, name: string, why: string): ApiError {
  const text =
    name === '' ? `${qualifiedName(row)} is forbidden: ${why}` : `${qualifiedName(row)} "${name}" is forbidden: ${why}`
  return new ApiError('Forbidden', text, { details: detailsOf(row, name) })
}

export function noSuchPath(): ApiError {
  return new ApiError('NotFound', 'the server could not find the requested resource', { details: {} })
}

export function methodNotAllowed(): ApiError {
  return new ApiError('MethodNotAllowed', 'the server does not allow this method on the requested resource', {
    details: {},
  })
}

/** `metadata`: of the Status; a list that may go on says there from where. */
export function expiredError(message: string, metadata?: Readonly<Record<string, unknown>>): ApiError {
  return new ApiError('Expired', message, metadata === undefined ? {} : { metadata })
}

export function notAcceptable(accepted: readonly string[]): ApiError {
  return new ApiError('NotAcceptable', `only the following media types are accepted: ${accepted.join(', ')}`)
}

export function unsupportedMediaType(accepted: readonly string[]): ApiError {
  return new ApiError(
    'UnsupportedMediaType',
    `the body of the request was in an unknown format - accepted media types include: ${accepted.join(', ')}`,
  )
}

export function tooManyRequests(): ApiError {
  return new ApiError('TooManyRequests', 'Too many requests, please try again later.', {
    details: { retryAfterSeconds: 1 },
  })
}
