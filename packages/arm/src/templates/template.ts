// A template as it is written: read from text that may hold comments, judged in its outline, its parts found.

import JSON5 from 'json5'
import { invalidTemplate } from './errors.ts'
import { isArrayValue, isObjectValue, propertyOf, type ObjectValue, type Value } from './values.ts'

/** Resource Manager's limits. */
export const limits = { parameters: 256, variables: 256, resources: 800, outputs: 64, bytes: 4 * 1024 * 1024 } as const

/** One entry of `resources`; `symbol` is its name in templates of language version 2.0. */
export interface WrittenResource {
  readonly symbol: string | undefined
  readonly body: ObjectValue
}

export interface Template {
  readonly whole: ObjectValue
  readonly parameters: ObjectValue
  readonly variables: ObjectValue
  readonly outputs: ObjectValue
  readonly definitions: ObjectValue
  /** Namespaces of functions. */
  readonly functions: readonly Value[]
  readonly resources: readonly WrittenResource[]
}

/**
 * JSON as az sends it: comments, names without quotes, and texts that go over several lines. Throws SyntaxError.
 */
export function parseLooseJson(text: string): unknown {
  return JSON5.parse(withoutRawLineEnds(text))
}

/** JSON5 wants line ends within texts escaped. */
function withoutRawLineEnds(text: string): string {
  return text.replaceAll(/\/\/[^\n]*|\/\*[\s\S]*?\*\/|"(?:[^"\\]|\\[\s\S])*"/g, (part) =>
    part.startsWith('"') ? part.replaceAll('\r', String.raw`\r`).replaceAll('\n', String.raw`\n`) : part,
  )
}

export function readTemplate(value: unknown): Template {
  if (!isObjectValue(value)) throw invalidTemplate('The template is not an object')
  if (JSON.stringify(value).length > limits.bytes) {
    throw invalidTemplate(`The template is larger than ${limits.bytes} bytes`)
  }
  for (const required of ['$schema', 'contentVersion', 'resources']) {
    if (propertyOf(value, required) === undefined) {
      throw invalidTemplate(`Required property '${required}' not found in JSON. Path ''`)
    }
  }
  const version = propertyOf(value, 'contentVersion')
  if (typeof version !== 'string' || !/^\d+(\.\d+){3}$/.test(version)) {
    throw invalidTemplate("The template 'contentVersion' is not a version such as 1.0.0.0")
  }
  const template: Template = {
    whole: value,
    parameters: objectOf(value, 'parameters'),
    variables: objectOf(value, 'variables'),
    outputs: objectOf(value, 'outputs'),
    definitions: objectOf(value, 'definitions'),
    functions: listOf(value, 'functions'),
    resources: resourcesOf(value),
  }
  judgeCount('parameters', Object.keys(template.parameters).length, limits.parameters)
  judgeCount('variables', Object.keys(template.variables).length, limits.variables)
  judgeCount('outputs', Object.keys(template.outputs).length, limits.outputs)
  judgeCount('resources', template.resources.length, limits.resources)
  return template
}

function judgeCount(what: string, count: number, max: number): void {
  if (count > max)
    throw invalidTemplate(`The number of template ${what} limit exceeded. Limit: '${max}' and actual: '${count}'`)
}

function resourcesOf(template: ObjectValue): readonly WrittenResource[] {
  const written = propertyOf(template, 'resources')!
  if (isArrayValue(written)) return written.map((body) => ({ symbol: undefined, body: resourceBody(body) }))
  if (!isObjectValue(written)) throw invalidTemplate("The template 'resources' are neither an array nor an object")
  return Object.entries(written).map(([symbol, body]) => ({ symbol, body: resourceBody(body) }))
}

function resourceBody(body: Value): ObjectValue {
  if (isObjectValue(body)) return body
  throw invalidTemplate("An entry of the template's 'resources' is not an object")
}

function objectOf(of: ObjectValue, name: string): ObjectValue {
  const value = propertyOf(of, name) ?? {}
  if (isObjectValue(value)) return value
  throw invalidTemplate(`The template '${name}' are not an object`)
}

function listOf(of: ObjectValue, name: string): readonly Value[] {
  const value = propertyOf(of, name) ?? []
  if (isArrayValue(value)) return value
  throw invalidTemplate(`The template '${name}' are not an array`)
}
