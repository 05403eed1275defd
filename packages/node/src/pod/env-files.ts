// Variables that stand in files of a pod's own volumes, `fileKeyRef`: the files are the pod's, so they are opened without
// leaving the volume, and read only as far as a list of variables would go.

import { constants } from 'node:fs'
import { open } from 'node:fs/promises'
import type { Container, FileKeySelector } from '@aksel/api/types/core-v1'
import { openInVolume } from '../volumes/sub-path.ts'

/** By volume and path; an error where it could not be read. */
export type EnvFiles = ReadonlyMap<string, string | Error>

const FILE_BYTES_MAX = 1024 * 1024

/** `volumePath`: undefined for a volume that the pod has not. Each file is read once; what is wrong with one is for `fileValue` to say. */
export async function readEnvFiles(
  container: Container,
  volumePath: (name: string) => string | undefined,
): Promise<EnvFiles> {
  const files = new Map<string, string | Error>()
  for (const { valueFrom } of container.env ?? []) {
    const ref = valueFrom?.fileKeyRef
    const root = ref === undefined ? undefined : volumePath(ref.volumeName)
    if (ref === undefined || root === undefined || files.has(nameOf(ref))) continue
    files.set(nameOf(ref), await readInVolume(root, ref.path).catch((error: unknown) => error as Error))
  }
  return files
}

/** Undefined where it is optional and not there. Throws in upstream's words. */
export function fileValue(files: EnvFiles, ref: FileKeySelector): string | undefined {
  const text = files.get(nameOf(ref))
  if (text === undefined) throw new Error(`cannot find the volume "${ref.volumeName}" referenced by FileKeyRef`)
  let value: string
  try {
    if (typeof text !== 'string') throw text
    value = envFileValue(text, ref.key)
  } catch (cause) {
    throw new Error(`couldn't parse env file`, { cause })
  }
  if (value !== '') return value
  if (ref.optional === true) return undefined
  throw new Error(`environment variable key "${ref.key}" not found in file "${ref.path}"`)
}

function nameOf({ volumeName, path }: FileKeySelector): string {
  return `${volumeName}/${path}`
}

async function readInVolume(root: string, path: string): Promise<string> {
  const place = await openInVolume(root, path)
  try {
    // A pipe or a device would hold the agent up, or never end.
    const stats = await place.stat()
    if (!stats.isFile()) throw new Error(`"${path}" is no file`)
    if (stats.size > FILE_BYTES_MAX) throw new Error(`"${path}" has ${stats.size} bytes, ${FILE_BYTES_MAX} are allowed`)
    const file = await open(`/proc/self/fd/${place.fd}`, constants.O_RDONLY)
    try {
      const { buffer, bytesRead } = await file.read(Buffer.alloc(stats.size), 0, stats.size, 0)
      return buffer.toString('utf8', 0, bytesRead)
    } finally {
      await file.close()
    }
  } finally {
    await place.close()
  }
}

/**
 * The value of a variable in a subset of the shell's syntax: `NAME='anything, over several lines'`, blank lines and comments;
 * '' where it is not there. `NAME= 'value'` is empty, as in a shell. What stands behind the variable is not looked at.
 */
export function envFileValue(text: string, key: string): string {
  let rest = text
  let line = 1
  const refuse = (what: string): never => {
    throw new Error(`invalid environment variable format at line ${line}: ${what}`)
  }
  while (rest !== '') {
    const [whole] = /^[^\n]*\n?/.exec(rest)!
    const content = whole.replace(/\r?\n$/, '').replace(/^[ \t]+/, '')
    const equals = content.indexOf('=')
    const name = content.slice(0, Math.max(0, equals))
    if (content === '' || content.startsWith('#')) {
      rest = rest.slice(whole.length)
      line += 1
      continue
    }
    if (equals < 0) refuse("missing '='")
    if (name.trim() === '') refuse('empty variable name')
    if (/[ \t]$/.test(name)) refuse("whitespace before '=' is not allowed")
    if (/^[ \t]/.test(content.slice(equals + 1))) {
      if (name === key) return ''
      rest = rest.slice(whole.length)
      line += 1
      continue
    }
    if (content[equals + 1] !== "'") refuse('value must be enclosed in single quotes')
    const from = rest.indexOf("'", rest.indexOf('=')) + 1
    const to = rest.indexOf("'", from)
    if (to < 0) refuse('unclosed single quote')
    const [after] = /^[^\n]*\n?/.exec(rest.slice(to + 1))!
    const value = rest.slice(from, to)
    line += value.split('\n').length - 1
    if (!/^[ \t]*\r?(#|$)/.test(after.replace(/\n$/, ''))) refuse('unexpected content after closing quote')
    if (name === key) return value
    rest = rest.slice(to + 1 + after.length)
    line += 1
  }
  return ''
}
