// Lists in pages: `{ value, nextLink }`, the link absolute on the host that the caller used.

import { ArmError } from '@aksel/base/errors'
import { ok, type ArmRequest, type ArmResponse } from './route.ts'

const pageSizeMax = 1_000

/** One page of the items; `$top` makes pages smaller, `$skiptoken` says where the page begins; bodies are made of those that it shows. */
export function page<T>(
  request: ArmRequest,
  items: readonly T[],
  bodyOf: (item: T) => unknown = (item) => item,
): ArmResponse {
  const size = Math.min(readCount(request, '$top') ?? pageSizeMax, pageSizeMax)
  const start = readSkip(request)
  const value = items.slice(start, start + size).map(bodyOf)
  const next = start + size
  return ok(next < items.length ? { value, nextLink: linkTo(request, next) } : { value })
}

function readCount(request: ArmRequest, name: string): number | undefined {
  const text = request.query[name]
  if (text === undefined) return undefined
  const count = Number(text)
  if (Number.isInteger(count) && count > 0) return count
  throw new ArmError(400, 'InvalidQueryParameter', `The query parameter '${name}' has the invalid value '${text}'.`)
}

function readSkip(request: ArmRequest): number {
  const token = request.query['$skiptoken']
  if (token === undefined) return 0
  const start = Number(Buffer.from(token, 'base64url').toString())
  if (Number.isInteger(start) && start >= 0) return start
  throw new ArmError(400, 'InvalidSkipToken', `The skip token '${token}' is not valid.`)
}

function linkTo(request: ArmRequest, start: number): string {
  const url = new URL(request.url, request.origin)
  for (const name of Array.from(url.searchParams.keys())) {
    if (name.toLowerCase() === '$skiptoken') url.searchParams.delete(name)
  }
  url.searchParams.set('$skiptoken', Buffer.from(String(start)).toString('base64url'))
  return url.href
}
