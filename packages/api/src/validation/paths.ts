// Rules on paths of files inside volumes.

import { invalid, type FieldError } from '../field-errors.ts'

/** Relative, and never out of where it starts. */
export function localPath(text: string, path: string): readonly FieldError[] {
  if (text.startsWith('/')) return [invalid(path, text, 'must be a relative path')]
  return noBacksteps(text, path)
}

/** As `localPath`, and its first name does not begin with two dots: such names are the node agent's own. */
export function localNonReservedPath(text: string, path: string): readonly FieldError[] {
  const errors = localPath(text, path)
  return text.startsWith('..') && !text.startsWith('../') && text !== '..'
    ? [...errors, invalid(path, text, "must not start with '..'")]
    : errors
}

export function noBacksteps(text: string, path: string): readonly FieldError[] {
  return text.split('/').includes('..') ? [invalid(path, text, "must not contain '..'")] : []
}
