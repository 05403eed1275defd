// How `az` ends: what it prints and the exit code that scripts look at.

import { ArmError } from '@aksel/base/errors'
import { CommandError } from '../command-error.ts'

/** 2: the command line is wrong; 3: the resource was not found; 1: anything else. */
export class AzError extends Error {
  readonly exitCode: number

  constructor(message: string, exitCode = 1) {
    super(message)
    this.name = 'AzError'
    this.exitCode = exitCode
  }
}

/** Lines for stderr, and the exit code. */
export function explain(error: unknown): { readonly text: string; readonly exitCode: number } {
  if (error instanceof ArmError) {
    const lines = [`(${error.code}) ${error.message}`, `Code: ${error.code}`, `Message: ${error.message}`]
    if (error.target !== undefined) lines.push(`Target: ${error.target}`)
    for (const detail of error.details ?? []) lines.push(`Exception Details:\t(${detail.code}) ${detail.message}`)
    return { text: `ERROR: ${lines.join('\n')}`, exitCode: error.status === 404 ? 3 : 1 }
  }
  if (error instanceof AzError || error instanceof CommandError) {
    return { text: `ERROR: ${error.message}`, exitCode: error.exitCode }
  }
  const cause = error as NodeJS.ErrnoException
  if (cause.code === 'ECONNREFUSED') {
    return { text: 'ERROR: The server does not answer. Start it with "./aksel up".', exitCode: 1 }
  }
  return { text: `ERROR: ${error instanceof Error ? error.message : String(error)}`, exitCode: 1 }
}
