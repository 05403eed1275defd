// If-Match and If-None-Match as AKS judges them: the eTag is a field of the body.

import { badRequest, preconditionFailed } from '../../azure-errors.ts'
import type { ArmRequest } from '../../front-door/route.ts'

/** Throws unless the write may go on. `eTag` is undefined where the resource does not exist. */
export function judgePreconditions(request: ArmRequest, eTag: string | undefined): void {
  const match = clean(request.headers['if-match'])
  const noneMatch = clean(request.headers['if-none-match'])
  if (match !== undefined && noneMatch !== undefined) {
    throw badRequest('Both If-Match and If-None-Match headers are set. Only one of them may be set.')
  }
  if (noneMatch !== undefined && noneMatch !== '*')
    throw badRequest(`If-None-Match may only be empty or '*', not '${noneMatch}'.`)
  if (noneMatch === '*' && eTag !== undefined)
    throw preconditionFailed('The resource exists already, which If-None-Match forbids.')
  if (match === undefined) return
  if (request.method === 'DELETE' && eTag === undefined) return
  if (eTag === undefined)
    throw preconditionFailed(`The resource does not exist, so that If-Match '${match}' cannot hold.`)
  if (match !== '*' && match !== eTag)
    throw preconditionFailed(`The resource's eTag is '${eTag}', not '${match}' as If-Match asks.`)
}

function clean(value: string | undefined): string | undefined {
  const text = value?.trim().replace(/^(W\/)?"(.*)"$/, '$2')
  return text === undefined || text === '' ? undefined : text
}
