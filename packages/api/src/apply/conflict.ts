// The refusal of an apply that would change what others own, listed as upstream lists it.

import { ApiError } from '@aksel/base/errors'
import type { Manager } from './managers.ts'
import { showPath } from './path-element.ts'
import type { Conflict } from './updater.ts'

export function applyConflictError(conflicts: readonly Conflict[]): ApiError {
  const sorted = conflicts.toSorted((a, b) =>
    identity(a.manager) < identity(b.manager) ? -1 : identity(a.manager) === identity(b.manager) ? 0 : 1,
  )
  const causes = sorted.map(({ manager, path }) => ({
    reason: 'FieldManagerConflict',
    message: `conflict with ${showManager(manager)}`,
    field: showPath(path),
  }))
  return new ApiError('Conflict', messageOf(sorted), { details: { causes } })
}

/** `Apply failed with 1 conflict: conflict with "kubectl" using apps/v1: .spec.replicas`; several stand in lines. */
function messageOf(conflicts: readonly Conflict[]): string {
  const [first] = conflicts
  if (conflicts.length === 1 && first !== undefined)
    return `Apply failed with 1 conflict: conflict with ${showManager(first.manager)}: ${showPath(first.path)}`
  const lines: string[] = []
  let previous: string | undefined
  for (const { manager, path } of conflicts) {
    if (identity(manager) !== previous) lines.push(`conflicts with ${showManager(manager)}:`)
    previous = identity(manager)
    lines.push(`- ${showPath(path)}`)
  }
  return `Apply failed with ${conflicts.length} conflicts: ${lines.join('\n')}`
}

/** Upstream sorts managers by this text. */
function identity({ name, operation, apiVersion, subresource }: Manager): string {
  return JSON.stringify({
    manager: name,
    operation,
    ...(operation === 'Update' ? { apiVersion } : {}),
    ...(subresource === '' ? {} : { subresource }),
  })
}

function showManager({ name, operation, apiVersion, subresource }: Manager): string {
  const who = JSON.stringify(name) + (subresource === '' ? '' : ` with subresource ${JSON.stringify(subresource)}`)
  return operation === 'Update' ? `${who} using ${apiVersion}` : who
}
