// Objects so wide that faults in them are looked for before anything dearer is done with them.

import { invalidError, isFull } from '@aksel/api/field-errors'
import type { WriteContext } from '@aksel/api/kind-row'
import type { KubernetesObject } from '@aksel/api/resource'
import type { WriteCall } from './registry.ts'

/** Entries of one list or map. Definitions, which are dear to judge twice, are large and not wide. */
const WIDE = 5_000

function isWide(value: unknown): boolean {
  if (typeof value !== 'object' || value === null) return false
  const entries: readonly unknown[] = Array.isArray(value) ? value : Object.values(value)
  return entries.length > WIDE || entries.some(isWide)
}

/**
 * Throws Invalid for more faults than anybody is told of: nothing that admission might change makes that good, and to find whose
 * each field is would cost more than all else.
 */
export async function refuseFaulty(call: WriteCall, object: KubernetesObject, context: WriteContext): Promise<void> {
  const { row, turns } = call
  if (turns === undefined || !isWide(object)) return
  await turns.take()
  const errors = row.validateCreate(object, context)
  if (isFull(errors)) throw invalidError({ group: row.group, kind: row.kind, name: object.metadata.name ?? '' }, errors)
}
