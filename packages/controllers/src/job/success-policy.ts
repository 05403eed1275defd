// Whether the indexes that succeeded are enough for the job's success policy.

import type { Job } from '@aksel/api/types/batch-v1'
import { parseIndexes } from './indexes.ts'
import type { Indexes } from './indexes.ts'

/** The message of the condition; undefined while no rule is met. */
export function metRule({ spec }: Job, succeeded: Indexes): string | undefined {
  const completions = spec.completions ?? 0
  for (const [index, { succeededIndexes, succeededCount }] of (spec.successPolicy?.rules ?? []).entries()) {
    const message = `Matched rules at index ${index}`
    if (succeededIndexes === undefined) {
      if (succeededCount !== undefined && succeeded.size >= succeededCount) return message
      continue
    }
    const wanted = parseIndexes(succeededIndexes, completions)
    const met = [...wanted].filter((each) => succeeded.has(each)).length
    if (wanted.size > 0 && met >= (succeededCount ?? wanted.size)) return message
  }
  return undefined
}
