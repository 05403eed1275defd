// What the program says of a failure, and the code it ends with.

import { inspect } from 'node:util'
import { ArmError } from '@aksel/base/errors'
import { CommandError } from './command-error.ts'

/** A failure of our own is told with its stack and all its causes; what failed on the way out does not hide what failed first. */
export function failureOf(error: unknown): { readonly text: string; readonly exitCode: number } {
  const first = firstOf(error)
  if (first instanceof ArmError) return { text: `(${first.code}) ${first.message}`, exitCode: 1 }
  if (first instanceof CommandError) return { text: first.message, exitCode: first.exitCode }
  return { text: textOf(error), exitCode: 70 }
}

function firstOf(error: unknown): unknown {
  return error instanceof SuppressedError ? firstOf(error.suppressed) : error
}

function textOf(error: unknown): string {
  if (!(error instanceof SuppressedError)) return inspect(error)
  return `${textOf(error.suppressed)}\nand on the way out: ${textOf(error.error)}`
}
