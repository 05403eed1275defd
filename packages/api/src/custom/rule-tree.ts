// The rules in CEL of a schema, compiled: a tree of the places that have rules at or below them.

import { compile, type Program } from '@aksel/cel/compile'
import { environment } from '@aksel/cel/environment'
import { escapeField } from '@aksel/cel/escaping'
import { CelCompileError } from '@aksel/cel/problems'
import { schemaType, type StructuralSchema } from '@aksel/cel/schema-types'
import { optionalOf, type CelType } from '@aksel/cel/types'
import type { JSONSchemaProps, ValidationRule } from '../types/apiextensions-v1.ts'
import { findField } from './definition/field-path.ts'
import { isSchema } from './schema-node.ts'

export interface CompiledRule {
  readonly rule: ValidationRule
  /** Undefined where `error` says why. */
  readonly program: Program | undefined
  /** `compilation failed: …` */
  readonly error: string | undefined
  readonly usesOldSelf: boolean
  readonly message: Program | undefined
  readonly messageError: string | undefined
  /** Where the rule's errors stand, below the value that it is on; '' for the value itself. */
  readonly fieldPath: string
}

export interface RuleNode {
  readonly schema: JSONSchemaProps
  readonly type: CelType
  readonly rules: readonly CompiledRule[]
  readonly properties: ReadonlyMap<string, RuleNode>
  readonly additional: RuleNode | undefined
  readonly items: RuleNode | undefined
}

/** Undefined for a schema without rules, or of a type that expressions cannot see. `isRoot`: a whole object. */
export function ruleTree(schema: JSONSchemaProps, isRoot: boolean): RuleNode | undefined {
  if (!hasRules(schema)) return undefined
  const type = schemaType(schema as StructuralSchema, { isRoot })
  return type === undefined ? undefined : nodeOf(schema, type)
}

export function hasRules(schema: JSONSchemaProps): boolean {
  const { items, additionalProperties, properties = {} } = schema
  return (
    (schema['x-kubernetes-validations'] ?? []).length > 0 ||
    (isSchema(items) && hasRules(items)) ||
    (typeof additionalProperties === 'object' && hasRules(additionalProperties)) ||
    Object.values(properties).some(hasRules)
  )
}

function nodeOf(schema: JSONSchemaProps, type: CelType): RuleNode {
  const properties = new Map<string, RuleNode>()
  for (const [key, child] of Object.entries(schema.properties ?? {})) {
    const childType = typeOfField(type, key, child)
    if (childType !== undefined && hasRules(child)) properties.set(key, nodeOf(child, childType))
  }
  const { additionalProperties, items } = schema
  const below = (child: JSONSchemaProps, childType: CelType | undefined): RuleNode | undefined =>
    childType === undefined || !hasRules(child) ? undefined : nodeOf(child, childType)
  return {
    schema,
    type,
    rules: (schema['x-kubernetes-validations'] ?? []).map((rule) => compileRule(rule, schema, type)),
    properties,
    additional:
      typeof additionalProperties === 'object'
        ? below(additionalProperties, type.kind === 'map' ? type.value : undefined)
        : undefined,
    items: isSchema(items) ? below(items, type.kind === 'list' ? type.element : undefined) : undefined,
  }
}

/** A field that expressions cannot name may have rules of its own. */
function typeOfField(type: CelType, key: string, schema: JSONSchemaProps): CelType | undefined {
  const escaped = escapeField(key)
  if (escaped === undefined)
    return schemaType(schema as StructuralSchema, { isRoot: schema['x-kubernetes-embedded-resource'] === true })
  return type.kind === 'object' ? type.fields.get(escaped)?.type : undefined
}

function compileRule(rule: ValidationRule, schema: JSONSchemaProps, type: CelType): CompiledRule {
  const oldSelf = rule.optionalOldSelf === true ? optionalOf(type) : type
  const scope = environment({ variables: { self: type, oldSelf } })
  const { program, error } = compiled(rule.rule, scope, 'bool')
  const usesOldSelf = program !== undefined && mentionsOldSelf(rule.rule, type)
  const { messageExpression = '' } = rule
  const message =
    messageExpression.trim() === '' || program === undefined
      ? { program: undefined, error: undefined }
      : compiled(messageExpression, scope, 'string')
  return {
    rule,
    program,
    error,
    usesOldSelf,
    message: message.program,
    messageError: message.error,
    fieldPath: normalized(rule.fieldPath ?? '', schema),
  }
}

function compiled(
  expression: string,
  scope: ReturnType<typeof environment>,
  output: 'bool' | 'string',
): { readonly program: Program | undefined; readonly error: string | undefined } {
  const lead = output === 'string' ? 'messageExpression ' : ''
  try {
    const program = compile(expression, scope)
    if (program.outputType.kind === output) return { program, error: undefined }
    const words =
      output === 'bool' ? 'cel expression must evaluate to a bool' : 'messageExpression must evaluate to a string'
    return { program: undefined, error: words }
  } catch (error) {
    if (!(error instanceof CelCompileError)) throw error
    return { program: undefined, error: `${lead}compilation failed: ${error.message}` }
  }
}

/** It does where it does not compile without. */
function mentionsOldSelf(expression: string, self: CelType): boolean {
  if (!expression.includes('oldSelf')) return false
  try {
    compile(expression, environment({ variables: { self } }))
    return false
  } catch (error) {
    if (error instanceof CelCompileError) return true
    throw error
  }
}

function normalized(path: string, schema: JSONSchemaProps): string {
  if (path === '') return ''
  try {
    return findField(path, schema).path
  } catch {
    return ''
  }
}
