// Judges a value by a schema: types, bounds, patterns, required fields and combinations of schemas, in upstream's words.
// A schema is compiled once; what an update left unchanged is not judged again (ratcheting).

import { stringifyJson } from '@aksel/base/json'
import { deepEqual } from '../deep-equal.ts'
import { invalid, notSupported, required, tooMany, type FieldError } from '../field-errors.ts'
import type { JSONSchemaProps } from '../types/apiextensions-v1.ts'
import { correlatedField, correlatedItems, isUnchanged, type Correlated } from './correlate.ts'
import { Findings, type Check } from './findings.ts'
import { numberChecks, stringChecks, typeCheck } from './scalar-checks.ts'
import { isObject, isSchema, type Json } from './schema-node.ts'

export interface ValueValidator {
  /** `base`: where the value stands (`status`), '' for a whole object. `from`: the value before, on updates. */
  validate(value: unknown, base?: string, from?: Correlated): readonly FieldError[]
}

/** Throws for a pattern that is no regular expression; the rules for definitions refuse those before. */
export function valueValidator(schema: JSONSchemaProps): ValueValidator {
  const check = compile(schema, true)
  return {
    validate(value, base = '', from) {
      const found = new Findings()
      check(value, '', from, found)
      return found.errors.map((error) => error(base))
    },
  }
}

/** Errors about what is as it was before are dropped. */
function compile(schema: JSONSchemaProps, isRoot = false): Check {
  const [typed, listed] = [typeCheck(schema), enumCheck(schema)]
  const scalars = [typed, combined(schema), stringChecks(schema), numberChecks(schema)]
  const applied = [...scalars, listChecks(schema), listed, objectChecks(schema, isRoot)].filter(
    (check) => check !== undefined,
  )
  return (value, name, from, found) => {
    const own = new Findings()
    if (value === null) {
      typed?.(value, name, from, own)
      listed?.(value, name, from, own)
    } else {
      for (const check of applied) {
        check(value, name, from, own)
        own.matches += own.errors.length === 0 ? 1 : 0
      }
    }
    if (own.errors.length > 0 && isUnchanged(value, from)) found.matches += own.matches
    else found.merge(own)
  }
}

function combined(schema: JSONSchemaProps): Check | undefined {
  const { anyOf = [], oneOf = [], allOf = [], not } = schema
  if (anyOf.length + oneOf.length + allOf.length === 0 && not === undefined) return undefined
  const [any, one, all] = [anyOf, oneOf, allOf].map((list) => list.map((each) => compile(each))) as [
    Check[],
    Check[],
    Check[],
  ]
  const none = not === undefined ? undefined : compile(not)
  return (value, name, from, found) => {
    const run = (check: Check): Findings => {
      const own = new Findings()
      check(value, name, from, own)
      return own
    }
    if (any.length > 0) anyOfCheck(any, run, name, found)
    if (one.length > 0) oneOfCheck(one, run, name, found)
    if (all.length > 0) allOfCheck(all, run, name, found)
    if (none !== undefined && run(none).errors.length === 0)
      complain(found, `${quoted(name)} must not validate the schema (not)`)
  }
}

type Run = (check: Check) => Findings

function anyOfCheck(checks: readonly Check[], run: Run, name: string, found: Findings): void {
  let best: Findings | undefined
  for (const check of checks) {
    const own = run(check)
    if (own.errors.length === 0) return found.merge(own)
    if (best === undefined || own.matches > best.matches) best = own
  }
  complain(found, `${quoted(name)} must validate at least one schema (anyOf)`)
  found.merge(best!)
}

function oneOfCheck(checks: readonly Check[], run: Run, name: string, found: Findings): void {
  let best: Findings | undefined
  let fits = 0
  for (const check of checks) {
    const own = run(check)
    if (own.errors.length === 0) fits += 1
    else if (best === undefined || own.matches > best.matches) best = own
  }
  if (fits === 1) return
  const why = fits === 0 ? 'Found none valid' : `Found ${fits} valid alternatives`
  complain(found, `${quoted(name)} must validate one and only one schema (oneOf). ${why}`)
  if (fits === 0 && best !== undefined) found.merge(best)
}

function allOfCheck(checks: readonly Check[], run: Run, name: string, found: Findings): void {
  let fits = 0
  for (const check of checks) {
    const own = run(check)
    if (own.errors.length === 0) fits += 1
    found.merge(own)
  }
  if (fits === checks.length) return
  complain(found, `${quoted(name)} must validate all the schemas (allOf)${fits === 0 ? '. None validated' : ''}`)
}

/** Upstream tells these of the whole object, not of the place. */
function complain(found: Findings, words: string): void {
  found.add('', (field) => invalid(field, '', words))
}

function quoted(name: string): string {
  return JSON.stringify(name)
}

function enumCheck({ enum: values = [] }: JSONSchemaProps): Check | undefined {
  if (values.length === 0) return undefined
  const shown = values.map((value) => (typeof value === 'string' ? value : stringifyJson(value)))
  return (value, name, _from, found) => {
    if (value !== null && values.some((one) => one !== null && deepEqual(one, value))) return
    found.add(name, (field) => notSupported(field, value, shown))
  }
}

function listChecks(schema: JSONSchemaProps): Check | undefined {
  const { items, minItems, maxItems } = schema
  const item = isSchema(items) ? compile(items) : undefined
  if (item === undefined && minItems === undefined && maxItems === undefined) return undefined
  return (value, name, from, found) => {
    if (!Array.isArray(value)) return
    if (item !== undefined) {
      const oldItem = correlatedItems(schema, from)
      for (const [index, one] of value.entries()) item(one, `${name}[${index}]`, oldItem(one), found)
    }
    const size = value.length
    if (minItems !== undefined && size < minItems)
      found.add(name, (field) => invalid(field, size, `${name} in body should have at least ${minItems} items`))
    if (maxItems !== undefined && size > maxItems) found.add(name, (field) => tooMany(field, size, maxItems))
  }
}

function objectChecks(schema: JSONSchemaProps, isRoot: boolean): Check | undefined {
  const { minProperties, maxProperties, required: names = [], additionalProperties } = schema
  const fields = Object.entries(schema.properties ?? {}).map(([key, one]) => [key, compile(one)] as const)
  const known = new Set(fields.map(([key]) => key))
  const other = typeof additionalProperties === 'object' ? compile(additionalProperties) : undefined
  const child = (from: Correlated | undefined, key: string): Correlated | undefined =>
    isRoot && (key === 'kind' || key === 'apiVersion') ? undefined : correlatedField(from, key)
  const size = sizeCheck(minProperties, maxProperties)
  return (value, name, from, found) => {
    if (!isObject(value)) return
    size(value, name, found)
    if (additionalProperties === false) refuseOthers(value, name, known, found)
    if (other !== undefined) {
      for (const key of Object.keys(value))
        if (!known.has(key)) other(value[key], `${name}.${key}`, child(from, key), found)
    }
    for (const [key, check] of fields)
      if (Object.hasOwn(value, key)) check(value[key], name === '' ? key : `${name}.${key}`, child(from, key), found)
    for (const key of names) if (!Object.hasOwn(value, key)) found.add(`${name}.${key}`, (field) => required(field))
  }
}

function sizeCheck(min: number | undefined, max: number | undefined) {
  return (value: Json, name: string, found: Findings): void => {
    if (min === undefined && max === undefined) return
    const size = Object.keys(value).length
    if (min !== undefined && size < min)
      found.add(name, (field) => invalid(field, size, `${name} in body should have at least ${min} properties`))
    if (max !== undefined && size > max) found.add(name, (field) => tooMany(field, size, max))
  }
}

function refuseOthers(value: Json, name: string, known: ReadonlySet<string>, found: Findings): void {
  for (const key of Object.keys(value))
    if (!known.has(key))
      found.add(name, (field) => invalid(field, key, `${name}.${key} in body is a forbidden property`))
}
