// The options of lists and watches, checked before anything is read, with upstream's complaints.

import { forbidden, invalidError, notSupported, type FieldError } from '@aksel/api/field-errors'
import { isTrue } from '../request-info.ts'

const matches = ['Exact', 'NotOlderThan'] as const
export type VersionMatch = (typeof matches)[number]

const field = 'resourceVersionMatch'

function refuse(errors: readonly FieldError[]): void {
  if (errors.length > 0) throw invalidError({ group: 'meta.k8s.io', kind: 'ListOptions', name: '' }, errors)
}

/** Throws Invalid. Undefined: the caller said nothing. */
export function listMatchOf(query: URLSearchParams): VersionMatch | undefined {
  const match = query.get(field) ?? ''
  const version = query.get('resourceVersion') ?? ''
  const errors: FieldError[] = []
  if (match !== '') {
    if (version === '')
      errors.push(forbidden(field, 'resourceVersionMatch is forbidden unless resourceVersion is provided'))
    if ((query.get('continue') ?? '') !== '')
      errors.push(forbidden(field, 'resourceVersionMatch is forbidden when continue is provided'))
    if (!isMatch(match)) errors.push(notSupported(field, match, ['Exact', 'NotOlderThan', '']))
    if (match === 'Exact' && version === '0')
      errors.push(forbidden(field, 'resourceVersionMatch "exact" is forbidden for resourceVersion "0"'))
  }
  if (query.get('sendInitialEvents') !== null)
    errors.push(forbidden('sendInitialEvents', 'sendInitialEvents is forbidden for list'))
  refuse(errors)
  return isMatch(match) ? match : undefined
}

export interface WatchOptions {
  /** Undefined: whether there are initial events depends on the version. */
  readonly sendInitialEvents: boolean | undefined
  readonly allowBookmarks: boolean
}

/** Throws Invalid. */
export function watchOptionsOf(query: URLSearchParams): WatchOptions {
  const match = query.get(field) ?? ''
  const initial = query.get('sendInitialEvents')
  const errors: FieldError[] = []
  if (initial !== null && match !== 'NotOlderThan')
    errors.push(forbidden(field, 'sendInitialEvents requires setting resourceVersionMatch to NotOlderThan'))
  if (match !== '') {
    if (initial === null)
      errors.push(forbidden(field, 'resourceVersionMatch is forbidden for watch unless sendInitialEvents is provided'))
    if (match !== 'NotOlderThan') errors.push(notSupported(field, match, ['NotOlderThan']))
    if ((query.get('continue') ?? '') !== '')
      errors.push(forbidden(field, 'resourceVersionMatch is forbidden when continue is provided'))
  }
  refuse(errors)
  return {
    sendInitialEvents: initial === null ? undefined : isTrue(initial),
    allowBookmarks: isTrue(query.get('allowWatchBookmarks')),
  }
}

function isMatch(text: string): text is VersionMatch {
  return (matches as readonly string[]).includes(text)
}
