// A template with its parameters, ready to be deployed: what there is to do, in what order, and what comes out in the end.

import { isSecret, declarationOf, typeOf } from './parameters.ts'
import { bodyOf, declaredResources, type DeclaredResource } from './declared.ts'
import { dependenciesOf, resourceNamed } from './dependencies.ts'
import { invalidTemplate } from './errors.ts'
import { evaluateDeep, turnsOf } from './evaluate.ts'
import { callsIn, isExpression, parseExpression } from './expression.ts'
import type { Frame } from './frame.ts'
import { asTemplateError, templateFrame, type FrameOptions } from './template-frame.ts'
import { readTemplate, type Template } from './template.ts'
import { isArrayValue, isObjectValue, propertyOf, textOf, type ObjectValue, type Value } from './values.ts'

export interface Prepared {
  readonly template: Template
  readonly frame: Frame
  /** Those that are skipped too. */
  readonly resources: readonly DeclaredResource[]
  readonly dependencies: ReadonlyMap<DeclaredResource, readonly DeclaredResource[]>
  /** Name → type and value, as a deployment shows them; the values of secrets are left out. */
  readonly parameters: ObjectValue
  /** The resource that a name, an id or a symbol means. */
  readonly named: (name: string) => DeclaredResource | undefined
}

/** What a running deployment knows of the states of resources. */
export type States = NonNullable<Frame['state']>

/** Throws InvalidTemplate. Equal arguments give equal results, `newGuid` in the order of calls included. */
export function prepare(written: unknown, options: FrameOptions): Prepared {
  const template = readTemplate(written)
  const frame = templateFrame(template, options)
  // All of them, in the order of the template: so that each keeps its value however the rest is evaluated.
  const parameters = asTemplateError(() => parametersOf(template, frame))
  const resources = declaredResources(template, frame)
  return {
    template,
    frame,
    resources,
    dependencies: dependenciesOf(resources),
    parameters,
    named: (name) => resourceNamed(resources, name),
  }
}

function parametersOf(template: Template, frame: Frame): ObjectValue {
  const shown: Record<string, Value> = {}
  for (const [name, declared] of Object.entries(template.parameters)) {
    const what = `the template parameter '${name}'`
    const type = typeOf(declarationOf(template, declared, what), what)
    const value = frame.parameter(name)
    shown[name] = { type: shownType(type), ...(isSecret(type) ? {} : { value }) }
  }
  return shown
}

const shownTypes: Readonly<Record<string, string>> = {
  securestring: 'SecureString',
  secureobject: 'SecureObject',
}

/** `String`, `Int`, `SecureString`: as deployments write types. */
function shownType(type: string): string {
  return shownTypes[type] ?? type[0]!.toUpperCase() + type.slice(1)
}

/** What the resource's provider is sent. Throws StateNeeded where that hangs on a state that is not known yet. */
export function resourceBody(prepared: Prepared, one: DeclaredResource, states: States): ObjectValue {
  const frame = { ...one.frame, state: states }
  const body = bodyOf(one, frame)
  if (one.type.toLowerCase() !== 'microsoft.resources/deployments') return body
  return { ...body, properties: asTemplateError(() => nestedProperties(prepared, one, frame)) }
}

/** A template within a template: evaluated there (Inner), or there with the names of this one (Outer, the default). */
function nestedProperties(prepared: Prepared, { written, name }: DeclaredResource, frame: Frame): ObjectValue {
  const properties = propertyOf(written, 'properties')
  if (!isObjectValue(properties)) throw invalidTemplate(`The deployment '${name}' has no properties`)
  const template = propertyOf(properties, 'template')
  const options = propertyOf(properties, 'expressionEvaluationOptions')
  const scope = isObjectValue(options) ? textOf(propertyOf(options, 'scope') ?? 'Outer') : 'Outer'
  const { template: _, parameters: __, expressionEvaluationOptions: ___, ...others } = properties
  const rest = evaluateDeep(others, frame) as ObjectValue
  if (!isObjectValue(template)) {
    // By link: what it leads to is evaluated in a scope of its own.
    const parameters = evaluateDeep(propertyOf(properties, 'parameters') ?? {}, frame)
    return { ...rest, ...(template === undefined ? {} : { template }), parameters }
  }
  if (scope.toLowerCase() === 'inner') {
    const parameters = evaluateDeep(propertyOf(properties, 'parameters') ?? {}, frame)
    return { ...rest, template, parameters }
  }
  return { ...rest, ...outerScoped(prepared, template, name) }
}

function outerScoped(prepared: Prepared, template: ObjectValue, name: string): ObjectValue {
  const own = propertyOf(template, 'parameters')
  if (isObjectValue(own) && Object.keys(own).length > 0) {
    throw invalidTemplate(
      `The nested deployment '${name}' is evaluated in the outer scope and may not declare parameters of its own`,
    )
  }
  judgeLoopFree(template, name)
  const { whole, parameters } = prepared.template
  const given = Object.keys(parameters).map((one) => [one, { value: prepared.frame.parameter(one) }])
  const inherited = ['variables', 'functions', 'definitions'].flatMap((part) => {
    const value = propertyOf(whole, part)
    return value === undefined ? [] : [[part, value] as const]
  })
  const types = Object.entries(parameters).map(([one, declared]) => {
    const { defaultValue: _, ...rest } = declared as ObjectValue
    return [one, { ...rest, nullable: true }]
  })
  return {
    template: { ...template, parameters: Object.fromEntries(types), ...Object.fromEntries(inherited) } as ObjectValue,
    parameters: Object.fromEntries(given.filter(([, one]) => (one as { value: Value }).value !== null)) as ObjectValue,
  }
}

/** The turn of a loop around the nested deployment is unknown within it. */
function judgeLoopFree(template: ObjectValue, name: string): void {
  const resources = propertyOf(template, 'resources')
  const bodies = isArrayValue(resources ?? null) ? (resources as readonly Value[]) : []
  for (const body of bodies) {
    if (!isObjectValue(body) || propertyOf(body, 'copy') !== undefined) continue
    for (const one of ['name', 'location', 'tags']) {
      const written = propertyOf(body, one)
      if (typeof written !== 'string' || !isExpression(written)) continue
      for (const call of callsIn(parseExpression(written))) {
        if (call.name === 'copyindex') {
          throw invalidTemplate(
            `The nested deployment '${name}' uses copyIndex of a loop around it: give it the scope Inner and pass the index as a parameter`,
          )
        }
      }
    }
  }
}

/** The outputs, once everything is deployed; secrets without their value. */
export function outputsOf({ template, frame }: Prepared, states: States): ObjectValue {
  const outputs: Record<string, Value> = {}
  for (const [name, written] of Object.entries(template.outputs)) {
    const what = `the template output '${name}'`
    const declared = declarationOf(template, written, what)
    const type = typeOf(declared, what)
    const value = asTemplateError(() => outputValue(declared, { ...frame, state: states }))
    if (value === undefined) continue
    outputs[name] = { type: shownType(type), ...(isSecret(type) ? {} : { value }) }
  }
  return outputs
}

/** Undefined: its condition says that there is none. */
function outputValue(declared: ObjectValue, frame: Frame): Value | undefined {
  const condition = propertyOf(declared, 'condition')
  if (condition !== undefined && evaluateDeep(condition, frame) === false) return undefined
  const copy = propertyOf(declared, 'copy')
  if (!isObjectValue(copy)) return evaluateDeep(propertyOf(declared, 'value') ?? null, frame)
  const loop = { name: textOf(propertyOf(copy, 'name') ?? ''), count: propertyOf(copy, 'count') ?? 0 }
  return turnsOf(loop, frame).map((turn) => evaluateDeep(propertyOf(copy, 'input') ?? null, turn))
}
