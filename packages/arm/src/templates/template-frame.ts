// The frame in which a template's own expressions are evaluated: its parameters, its variables, its functions.

import { evaluationFailed, ExpressionError, invalidTemplate } from './errors.ts'
import { evaluateDeep } from './evaluate.ts'
import type { DeploymentFacts, Frame, UserFunction } from './frame.ts'
import { parameterReader } from './parameters.ts'
import type { Template } from './template.ts'
import { isArrayValue, isObjectValue, propertyOf, textOf, type ObjectValue, type Value } from './values.ts'

export interface FrameOptions {
  readonly facts: DeploymentFacts
  /** As clients give them: `{ name: { value } }`. */
  readonly parameters: ObjectValue
  readonly newGuid: () => string
}

export function templateFrame(template: Template, { facts, parameters, newGuid }: FrameOptions): Frame {
  const bare = {
    facts,
    loopIndex: () => undefined,
    lambdas: new Map<string, Value>(),
    userFunctions: functionsOf(template),
    variable: (name: string): never => {
      throw new ExpressionError(`The variable '${name}' may not be used in a parameter's default value`)
    },
  }
  const parameter = parameterReader(template, parameters, { ...bare, newGuid })
  const frame: Frame = { ...bare, parameter, variable: (name) => variable(name) }
  const variable = variableReader(template.variables, frame)
  return frame
}

/** Evaluates variables when they are asked for, each once. */
function variableReader(variables: ObjectValue, frame: Frame): (name: string) => Value {
  const known = new Map<string, Value>()
  const open = new Set<string>()
  const loops = propertyOf(variables, 'copy')
  const looped = isArrayValue(loops ?? null) ? (loops as readonly Value[]).filter(isObjectValue) : []
  return (name) => {
    const key = name.toLowerCase()
    const before = known.get(key)
    if (before !== undefined) return before
    if (open.has(key)) throw new ExpressionError(`Circular reference detected on variable '${name}'`)
    const loop = looped.find((one) => textOf(propertyOf(one, 'name') ?? '').toLowerCase() === key)
    const written = propertyOf(variables, name)
    if (loop === undefined && (written === undefined || key === 'copy')) {
      throw new ExpressionError(`The template variable '${name}' is not found`)
    }
    open.add(key)
    const value =
      loop === undefined
        ? evaluateDeep(written!, frame)
        : propertyOf(evaluateDeep({ copy: [loop] }, frame) as ObjectValue, name)!
    open.delete(key)
    known.set(key, value)
    return value
  }
}

function functionsOf(template: Template): ReadonlyMap<string, UserFunction> {
  const found = new Map<string, UserFunction>()
  for (const one of template.functions) {
    if (!isObjectValue(one)) throw invalidTemplate("An entry of the template's 'functions' is not an object")
    const [namespace, members] = [propertyOf(one, 'namespace'), propertyOf(one, 'members')]
    if (typeof namespace !== 'string' || !isObjectValue(members)) {
      throw invalidTemplate("An entry of the template's 'functions' has no 'namespace' or no 'members'")
    }
    for (const [name, member] of Object.entries(members)) {
      found.set(`${namespace}.${name}`.toLowerCase(), functionOf(member, `${namespace}.${name}`))
    }
  }
  return found
}

function functionOf(member: Value, name: string): UserFunction {
  const output = isObjectValue(member) ? propertyOf(member, 'output') : undefined
  const value = isObjectValue(output) ? propertyOf(output, 'value') : undefined
  if (!isObjectValue(member) || value === undefined) throw invalidTemplate(`The function '${name}' has no output value`)
  const parameters = propertyOf(member, 'parameters') ?? []
  if (!isArrayValue(parameters)) throw invalidTemplate(`The parameters of the function '${name}' are not an array`)
  const names = parameters.map((one) => (isObjectValue(one) ? propertyOf(one, 'name') : undefined))
  if (!names.every((one) => typeof one === 'string'))
    throw invalidTemplate(`A parameter of the function '${name}' has no name`)
  return { parameters: names, output: value }
}

/** Runs an evaluation; what is wrong with an expression becomes Resource Manager's error. */
export function asTemplateError<T>(run: () => T): T {
  try {
    return run()
  } catch (error) {
    throw error instanceof ExpressionError ? evaluationFailed(error.message) : error
  }
}
