// The body of an apply: YAML by contract, though most clients send the JSON that YAML allows.

import { ApiError } from '@aksel/base/errors'
import { duplicateKeys, JsonSyntaxError, parseJson } from '@aksel/base/json'
import { readYamlBody, type YamlBody } from './yaml.ts'

export interface ApplyBody {
  readonly value: unknown
  /** The complaint about keys that stand twice; undefined where none does. */
  readonly duplicates: string | undefined
}

/** Throws BadRequest `error decoding patch: …`. */
export async function parseApplyBody(bytes: Buffer): Promise<ApplyBody> {
  const text = bytes.toString('utf8')
  const json = text.trimStart().startsWith('{') ? jsonOf(text) : undefined
  if (json !== undefined) return { value: json, duplicates: undefined }
  const { value, duplicates } = await yamlOf(bytes)
  if (value !== null && (typeof value !== 'object' || Array.isArray(value))) {
    const word = Array.isArray(value) ? 'array' : typeof value === 'boolean' ? 'bool' : typeof value
    throw refused(
      `error unmarshaling JSON: while decoding JSON: json: cannot unmarshal ${word} into Go value of type map[string]interface {}`,
    )
  }
  if (duplicates.length === 0) return { value, duplicates: undefined }
  const lines = duplicates.map((line) => `  ${line}`).join('\n')
  return { value, duplicates: `error converting YAML to JSON: yaml: unmarshal errors:\n${lines}` }
}

async function yamlOf(bytes: Buffer): Promise<YamlBody> {
  try {
    return await readYamlBody(bytes)
  } catch (error) {
    throw error instanceof ApiError ? refused(error.message) : error
  }
}

function refused(why: string): ApiError {
  return new ApiError('BadRequest', `error decoding patch: ${why}`)
}

/** Undefined where the YAML parser has to look: it knows the lines of keys that stand twice. */
function jsonOf(text: string): unknown {
  try {
    const value = parseJson(text)
    return duplicateKeys(text, value).length === 0 ? value : undefined
  } catch (error) {
    if (error instanceof JsonSyntaxError) return undefined
    throw error
  }
}
