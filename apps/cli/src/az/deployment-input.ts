// What `az deployment` reads before it asks: a template or a Bicep file, and parameters from files, JSON and `name=value`.

import { execFile } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { basename, extname } from 'node:path'
import { promisify } from 'node:util'
import { parseLooseJson } from '@aksel/arm/templates/template'
import { AzError } from './az-error.ts'

const COMPILE_MS = 120_000

export type JsonObject = Readonly<Record<string, unknown>>

/** The template as JSON; a Bicep file goes through Bicep's own compiler, where the machine has it. */
export async function readTemplate(path: string, environment: NodeJS.ProcessEnv): Promise<JsonObject> {
  const text = extname(path).toLowerCase() === '.bicep' ? await compiled(path, environment) : readText(path)
  return parsed(text, path)
}

/** The file's name without its ending: what a deployment is called where nobody says. */
export function defaultName(path: string): string {
  return basename(path, extname(path)).slice(0, 64)
}

async function compiled(path: string, environment: NodeJS.ProcessEnv): Promise<string> {
  readText(path)
  try {
    const { stdout } = await promisify(execFile)('bicep', ['build', '--stdout', path], {
      env: environment,
      timeout: COMPILE_MS,
      maxBuffer: 16 * 1024 * 1024,
    })
    return stdout
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw new AzError((error as Error).message)
    throw new AzError(
      `"${path}" is a Bicep file, and Bicep's compiler is not on this machine. Put "bicep" on the PATH, or compile the file elsewhere (bicep build) and give the JSON.`,
    )
  }
}

function readText(path: string): string {
  try {
    return readFileSync(path, 'utf8')
  } catch (error) {
    throw new AzError(`The file "${path}" cannot be read: ${(error as NodeJS.ErrnoException).code ?? String(error)}`)
  }
}

function parsed(text: string, what: string): JsonObject {
  let value: unknown
  try {
    value = parseLooseJson(text)
  } catch (error) {
    throw new AzError(`"${what}" is not JSON: ${(error as Error).message}`)
  }
  if (typeof value === 'object' && value !== null && !Array.isArray(value)) return value as JsonObject
  throw new AzError(`"${what}" is not a JSON object`)
}

/** Words of all `--parameters`, later ones winning: `@file`, a file, JSON text, or `name=value`. */
export function readParameters(words: readonly string[], template: JsonObject): JsonObject {
  const declared = (template['parameters'] ?? {}) as Readonly<Record<string, { readonly type?: string }>>
  let all: JsonObject = {}
  for (const word of words) all = { ...all, ...parametersOf(word, declared) }
  return all
}

function parametersOf(word: string, declared: Readonly<Record<string, { readonly type?: string }>>): JsonObject {
  const pair = /^([\w-]+)=(.*)$/s.exec(word)
  if (pair !== null) {
    const [, name, text] = pair as unknown as readonly [string, string, string]
    const known = Object.keys(declared).find((one) => one.toLowerCase() === name.toLowerCase())
    if (known === undefined) {
      const names = Object.keys(declared).join(', ')
      throw new AzError(`unrecognized template parameter '${name}'. Allowed parameters: ${names}`)
    }
    return {
      [known]: { value: valueOf(known, text.startsWith('@') ? readText(text.slice(1)) : text, declared[known]!.type) },
    }
  }
  const text = word.trim().startsWith('{') ? word : readText(word.replace(/^@/, ''))
  const file = parsed(text, word)
  const inner = file['parameters']
  return typeof inner === 'object' && inner !== null && 'contentVersion' in file ? (inner as JsonObject) : file
}

/** A word as the type that the template declares. */
function valueOf(name: string, text: string, type = 'string'): unknown {
  switch (type.toLowerCase()) {
    case 'int':
      if (/^-?\d+$/.test(text.trim())) return Number(text)
      throw new AzError(`The parameter '${name}' is an integer, and '${text}' is none`)
    case 'bool':
      if (/^(true|false)$/i.test(text.trim())) return text.trim().toLowerCase() === 'true'
      throw new AzError(`The parameter '${name}' is true or false, and '${text}' is neither`)
    case 'array':
    case 'object':
    case 'secureobject':
      try {
        return parseLooseJson(text)
      } catch {
        throw new AzError(`The parameter '${name}' is of type ${type}, and its value is not JSON`)
      }
    default:
      return text
  }
}
