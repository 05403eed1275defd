// Regular expressions in RE2's syntax, which take linear time whatever the pattern.

import { RE2JS } from 're2js'
import { CelEvaluationError } from './problems.ts'

export interface Pattern {
  found(text: string): boolean
  /** The first match, or undefined. */
  find(text: string): string | undefined
  /** Up to `limit` matches; all of them below 0. */
  findAll(text: string, limit: number): string[]
}

/** Throws CelEvaluationError in Go's words. */
export function compilePattern(pattern: string): Pattern {
  const compiled = compileRe2(pattern)
  return {
    found: (text) => compiled.test(text),
    find(text) {
      const matcher = compiled.matcher(text)
      return matcher.find() ? (matcher.group() ?? undefined) : undefined
    },
    findAll(text, limit) {
      const found: string[] = []
      const matcher = compiled.matcher(text)
      while ((limit < 0 || found.length < limit) && matcher.find()) found.push(matcher.group() ?? '')
      return found
    },
  }
}

function compileRe2(pattern: string): RE2JS {
  try {
    return RE2JS.compile(pattern)
  } catch (error) {
    throw new CelEvaluationError(error instanceof Error ? error.message : String(error))
  }
}
