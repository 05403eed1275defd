// Regular expressions that users write, as Go reads them: RE2's syntax, and time linear in the text whatever they say.

import { RE2JS } from 're2js'

export interface Pattern {
  /** Is there a match anywhere in the text? */
  test(text: string): boolean
}

/** Throws an Error whose message says what is wrong with the pattern, as Go words it. */
export function compilePattern(source: string): Pattern {
  return RE2JS.compile(source)
}

/** Undefined for a pattern that RE2 reads. */
export function patternComplaint(source: string): string | undefined {
  try {
    compilePattern(source)
    return undefined
  } catch (error) {
    return (error as Error).message
  }
}
