// Parameters: what was given is held against what the template declares, defaults are evaluated, secrets are known as such.

import { evaluationFailed, ExpressionError, invalidTemplate } from './errors.ts'
import { evaluateDeep } from './evaluate.ts'
import type { Frame } from './frame.ts'
import type { Template } from './template.ts'
import {
  isArrayValue,
  isObjectValue,
  propertyOf,
  sameValue,
  textOf,
  typeName,
  type ObjectValue,
  type Value,
} from './values.ts'

export const parameterTypes = ['string', 'securestring', 'int', 'bool', 'object', 'secureobject', 'array'] as const
export type ParameterType = (typeof parameterTypes)[number]

/** Never to be seen again once it was given. */
export function isSecret(type: string): boolean {
  return type === 'securestring' || type === 'secureobject'
}

/** A declaration with what it refers to below `definitions` put in. */
export function declarationOf(template: Template, declared: Value, what: string): ObjectValue {
  if (!isObjectValue(declared)) throw invalidTemplate(`The declaration of ${what} is not an object`)
  const reference = propertyOf(declared, '$ref')
  if (typeof reference !== 'string') return declared
  const name = /^#\/definitions\/(.+)$/.exec(reference)?.[1]
  const found = name === undefined ? undefined : propertyOf(template.definitions, name)
  if (!isObjectValue(found)) throw invalidTemplate(`The definition '${reference}' of ${what} is not found`)
  const { $ref: _, ...own } = declared
  return declarationOf(template, { ...found, ...own }, what)
}

export function typeOf(declared: ObjectValue, what: string): ParameterType {
  const type = textOf(propertyOf(declared, 'type') ?? '').toLowerCase()
  const known = parameterTypes.find((one) => one === type)
  if (known === undefined) {
    throw invalidTemplate(`The type '${type}' of ${what} is not one of '${parameterTypes.join(', ')}'`)
  }
  return known
}

/**
 * Reads parameters one by one when they are asked for: a default may build on other parameters. Throws InvalidTemplate for
 * parameters that the template does not know.
 */
export function parameterReader(
  template: Template,
  given: ObjectValue,
  frame: Omit<Frame, 'parameter'>,
): (name: string) => Value {
  judgeNames(template, given)
  const known = new Map<string, Value>()
  const open = new Set<string>()
  const read = (name: string): Value => {
    const key = name.toLowerCase()
    const value = known.get(key)
    if (value !== undefined) return value
    const declared = propertyOf(template.parameters, name)
    if (declared === undefined) throw new ExpressionError(`The template parameter '${name}' is not found`)
    if (open.has(key)) throw invalidTemplate(`Circular reference detected on parameter '${name}'`)
    open.add(key)
    const fresh = valueOf(template, name, declared, given, { ...frame, parameter: read })
    open.delete(key)
    known.set(key, fresh)
    return fresh
  }
  return read
}

function judgeNames(template: Template, given: ObjectValue): void {
  const unknown = Object.keys(given).filter((name) => propertyOf(template.parameters, name) === undefined)
  if (unknown.length === 0) return
  throw invalidTemplate(
    `The template parameters '${unknown.join(', ')}' in the parameters file are not valid; they are not present in the original template and can therefore not be provided at deployment time. The only supported parameters for this template are '${Object.keys(template.parameters).join(', ')}'. Please see https://aka.ms/arm-pass-parameter-values for usage details.`,
  )
}

function valueOf(template: Template, name: string, written: Value, given: ObjectValue, frame: Frame): Value {
  const declared = declarationOf(template, written, `the template parameter '${name}'`)
  const value = givenValue(name, propertyOf(given, name))
  if (value !== undefined && value !== null) return judged(template, declared, value, name)
  const byDefault = propertyOf(declared, 'defaultValue')
  if (value === undefined && byDefault !== undefined)
    return judged(template, declared, defaultOf(byDefault, frame), name)
  if (propertyOf(declared, 'nullable') === true) return null
  throw invalidTemplate(
    `The value for the template parameter '${name}' is not provided. Please see https://aka.ms/arm-create-parameter-file for usage details.`,
  )
}

function givenValue(name: string, given: Value | undefined): Value | undefined {
  if (given === undefined) return undefined
  if (isObjectValue(given)) {
    const value = propertyOf(given, 'value')
    if (value !== undefined) return value
    if (propertyOf(given, 'reference') !== undefined) {
      throw invalidTemplate(`The parameter '${name}' refers to a secret of a key vault where only values may be given`)
    }
  }
  throw invalidTemplate(`The parameter '${name}' has neither 'value' nor 'reference'`)
}

function defaultOf(written: Value, frame: Frame): Value {
  try {
    return evaluateDeep(written, frame)
  } catch (error) {
    throw error instanceof ExpressionError ? evaluationFailed(error.message) : error
  }
}

function judged(template: Template, declared: ObjectValue, value: Value, name: string): Value {
  judgeValue(template, declared, value, name)
  return value
}

const jsonTypes: Readonly<Record<ParameterType, { readonly label: string; readonly is: (value: Value) => boolean }>> = {
  string: { label: 'String, Uri', is: (value) => typeof value === 'string' },
  securestring: { label: 'String, Uri', is: (value) => typeof value === 'string' },
  int: { label: 'Integer', is: (value) => typeof value === 'number' && Number.isInteger(value) },
  bool: { label: 'Boolean', is: (value) => typeof value === 'boolean' },
  object: { label: 'Object', is: isObjectValue },
  secureobject: { label: 'Object', is: isObjectValue },
  array: { label: 'Array', is: isArrayValue },
}

/** Throws where the value breaks the declaration; `path` names it. */
function judgeValue(template: Template, declared: ObjectValue, value: Value, path: string): void {
  const what = `the template parameter '${path}'`
  const type = typeOf(declared, what)
  if (!jsonTypes[type].is(value)) {
    throw invalidTemplate(
      `Template parameter JToken type is not valid. Expected '${jsonTypes[type].label}'. Actual '${typeName(value)}'. The parameter is '${path}'. Please see https://aka.ms/resource-manager-parameter-files for usage details.`,
    )
  }
  judgeAllowed(declared, value, path)
  judgeSize(declared, value, path)
  if (isArrayValue(value)) judgeItems(template, declared, value, path)
  else if (isObjectValue(value)) judgeProperties(template, declared, value, path)
}

function judgeAllowed(declared: ObjectValue, value: Value, path: string): void {
  const allowed = propertyOf(declared, 'allowedValues')
  if (!isArrayValue(allowed ?? null)) return
  const known = allowed as readonly Value[]
  const isKnown = (one: Value): boolean => known.some((each) => sameValue(each, one) || sameText(each, one))
  if (isKnown(value) || (isArrayValue(value) && value.every(isKnown))) return
  throw invalidTemplate(
    `The provided value for the template parameter '${path}' is not valid. The value '${textOf(value)}' is not part of the allowed value(s): '${known.map(textOf).join(',')}'`,
  )
}

function sameText(left: Value, right: Value): boolean {
  return typeof left === 'string' && typeof right === 'string' && left.toLowerCase() === right.toLowerCase()
}

function judgeSize(declared: ObjectValue, value: Value, path: string): void {
  const bound = (name: string): number | undefined => {
    const written = propertyOf(declared, name)
    return typeof written === 'number' ? written : undefined
  }
  const judge = (size: number, min: number | undefined, max: number | undefined, what: string): void => {
    if ((min !== undefined && size < min) || (max !== undefined && size > max)) {
      throw invalidTemplate(
        `The provided value for the template parameter '${path}' is not valid. ${what} '${size}' is not between '${min ?? ''}' and '${max ?? ''}'`,
      )
    }
  }
  if (typeof value === 'number') judge(value, bound('minValue'), bound('maxValue'), 'The value')
  if (typeof value === 'string' || isArrayValue(value))
    judge(value.length, bound('minLength'), bound('maxLength'), 'The length')
}

function judgeItems(template: Template, declared: ObjectValue, value: readonly Value[], path: string): void {
  const items = propertyOf(declared, 'items')
  if (items === undefined || !isObjectValue(items)) return
  const each = declarationOf(template, items, `the items of '${path}'`)
  for (const [at, item] of value.entries()) judgeMember(template, each, item, `${path}[${at}]`)
}

function judgeProperties(template: Template, declared: ObjectValue, value: ObjectValue, path: string): void {
  const properties = propertyOf(declared, 'properties')
  const others = propertyOf(declared, 'additionalProperties')
  if (!isObjectValue(properties)) return
  for (const [name, written] of Object.entries(properties)) {
    const each = declarationOf(template, written, `the property '${path}.${name}'`)
    const own = propertyOf(value, name)
    if (own !== undefined) judgeMember(template, each, own, `${path}.${name}`)
    else if (propertyOf(each, 'nullable') !== true) {
      throw invalidTemplate(`The provided value for the template parameter '${path}' lacks the property '${name}'`)
    }
  }
  if (others === undefined || others === true) return
  for (const [name, own] of Object.entries(value)) {
    if (propertyOf(properties, name) !== undefined) continue
    if (others === false) throw invalidTemplate(`The template parameter '${path}' may not have the property '${name}'`)
    judgeMember(template, declarationOf(template, others, `'${path}.${name}'`), own, `${path}.${name}`)
  }
}

function judgeMember(template: Template, declared: ObjectValue, value: Value, path: string): void {
  if (value === null && propertyOf(declared, 'nullable') === true) return
  judgeValue(template, declared, value, path)
}
