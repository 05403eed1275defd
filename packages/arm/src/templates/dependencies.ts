// The order of a deployment: what each resource waits for, as the template says or as its expressions show.

import { ExpressionError, invalidTemplate } from './errors.ts'
import { evaluate, evaluateDeep } from './evaluate.ts'
import { callsIn, isExpression, parseExpression } from './expression.ts'
import { StateNeeded } from './frame.ts'
import type { DeclaredResource } from './declared.ts'
import { asTemplateError } from './template-frame.ts'
import { isArrayValue, isObjectValue, propertyOf, textOf, type Value } from './values.ts'

/** For each resource those that it waits for; skipped ones are waited for by nobody. Throws InvalidTemplate. */
export function dependenciesOf(
  all: readonly DeclaredResource[],
): ReadonlyMap<DeclaredResource, readonly DeclaredResource[]> {
  const edges = new Map<DeclaredResource, readonly DeclaredResource[]>()
  for (const one of all) {
    if (one.skipped) continue
    const found = new Set([...declared(one, all), ...implied(one, all), ...batchBefore(one, all)])
    found.delete(one)
    edges.set(
      one,
      [...found].filter(({ skipped }) => !skipped),
    )
  }
  judgeAcyclic(edges)
  return edges
}

/** The resource of the template that a name, an id or a symbol means. */
export function resourceNamed(all: readonly DeclaredResource[], name: string): DeclaredResource | undefined {
  return resourcesNamed(all, name)[0]
}

function resourcesNamed(all: readonly DeclaredResource[], name: string): readonly DeclaredResource[] {
  const wanted = name.toLowerCase()
  const by = (matches: (one: DeclaredResource) => boolean): readonly DeclaredResource[] => all.filter(matches)
  const rules: readonly ((one: DeclaredResource) => boolean)[] = [
    ({ id }) => id.toLowerCase() === wanted,
    ({ symbol }) => symbol?.toLowerCase() === wanted,
    ({ copy }) => copy?.name.toLowerCase() === wanted,
    ({ id }) => wanted.includes('/') && id.toLowerCase().endsWith(`/providers/${wanted}`),
    ({ name: own }) => own.toLowerCase() === wanted,
  ]
  for (const rule of rules) {
    const found = by(rule)
    if (found.length > 0) return found
  }
  return []
}

function declared(one: DeclaredResource, all: readonly DeclaredResource[]): readonly DeclaredResource[] {
  const written = propertyOf(one.written, 'dependsOn')
  if (written === undefined) return []
  const names = asTemplateError(() => evaluateDeep(written, one.frame))
  if (!isArrayValue(names)) throw invalidTemplate(`The 'dependsOn' of '${one.name}' is not an array`)
  return names.flatMap((name) => {
    const found = typeof name === 'string' ? resourcesNamed(all, name) : []
    if (found.length > 0) return found
    throw invalidTemplate(
      `The resource '${textOf(name)}' is not defined in the template. Please see https://aka.ms/arm-syntax for usage details.`,
    )
  })
}

/** `reference` and `list…` of a resource of this template: it must be there first. */
function implied(one: DeclaredResource, all: readonly DeclaredResource[]): readonly DeclaredResource[] {
  const found: DeclaredResource[] = []
  for (const expression of expressionsIn(one.written, one.type)) {
    for (const call of callsIn(asTemplateError(() => parseExpression(expression)))) {
      if (call.namespace !== undefined || !/^(reference|list\w+)$/.test(call.name)) continue
      const target = call.args[0] === undefined ? undefined : quietly(() => evaluate(call.args[0]!, one.frame))
      if (typeof target === 'string') found.push(...resourcesNamed(all, target))
    }
  }
  return found
}

/** What cannot be evaluated yet, such as the variable of a lambda, implies nothing. */
function quietly(run: () => Value): Value | undefined {
  try {
    return run()
  } catch (error) {
    if (error instanceof ExpressionError || error instanceof StateNeeded) return undefined
    throw error
  }
}

/** All expressions of a resource but those of templates within it, which are evaluated there. */
function* expressionsIn(value: Value, type: string): Generator<string> {
  if (typeof value === 'string') {
    if (isExpression(value)) yield value
  } else if (isArrayValue(value)) for (const item of value) yield* expressionsIn(item, '')
  else if (isObjectValue(value)) {
    const isDeployment = type.toLowerCase() === 'microsoft.resources/deployments'
    for (const [name, item] of Object.entries(value)) {
      const key = name.toLowerCase()
      if (key === 'dependson' || key === 'resources') continue
      if (isDeployment && key === 'properties' && isObjectValue(item)) {
        yield* expressionsIn(propertyOf(item, 'parameters') ?? null, '')
      } else yield* expressionsIn(item, '')
    }
  }
}

/** In a serial loop the turns of a batch wait for those of the batch before. */
function batchBefore(one: DeclaredResource, all: readonly DeclaredResource[]): readonly DeclaredResource[] {
  const { copy } = one
  if (copy?.batchSize === undefined) return []
  const batch = Math.floor(copy.index / copy.batchSize)
  return all.filter(
    (other) => other.copy?.name === copy.name && Math.floor(other.copy.index / copy.batchSize!) === batch - 1,
  )
}

function judgeAcyclic(edges: ReadonlyMap<DeclaredResource, readonly DeclaredResource[]>): void {
  const done = new Set<DeclaredResource>()
  const open = new Set<DeclaredResource>()
  const visit = (one: DeclaredResource): void => {
    if (done.has(one)) return
    if (open.has(one)) {
      throw invalidTemplate(
        `Circular dependency detected on resource: '${one.id}'. Please see https://aka.ms/arm-resource-dependency for usage details.`,
      )
    }
    open.add(one)
    for (const next of edges.get(one) ?? []) visit(next)
    open.delete(one)
    done.add(one)
  }
  for (const one of edges.keys()) visit(one)
}
