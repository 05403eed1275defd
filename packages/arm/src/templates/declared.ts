// The resources that a template declares: loops unrolled, conditions judged, names and ids known, bodies still to be evaluated.

import { ExpressionError, invalidTemplate } from './errors.ts'
import { evaluateDeep, turnsOf } from './evaluate.ts'
import type { Frame } from './frame.ts'
import { asTemplateError } from './template-frame.ts'
import { limits, type Template, type WrittenResource } from './template.ts'
import { isArrayValue, isObjectValue, propertyOf, textOf, type ObjectValue, type Value } from './values.ts'

export interface DeclaredResource {
  readonly id: string
  readonly type: string
  readonly name: string
  readonly apiVersion: string
  readonly symbol: string | undefined
  /** The loop it is a turn of. */
  readonly copy: Copy | undefined
  /** It is read, never written. */
  readonly existing: boolean
  /** Its condition says that it is not there. */
  readonly skipped: boolean
  /** As the template writes it. */
  readonly written: ObjectValue
  readonly frame: Frame
}

export interface Copy {
  readonly name: string
  readonly index: number
  /** Turns that may run together; undefined: all. */
  readonly batchSize: number | undefined
}

/** What is not sent to the resource's provider. */
const ownNames = new Set(
  [
    'type',
    'apiVersion',
    'name',
    'condition',
    'copy',
    'dependsOn',
    'comments',
    'scope',
    'resources',
    'existing',
    'symbol',
  ].map((name) => name.toLowerCase()),
)
const placeNames = new Set(['subscriptionid', 'resourcegroup', 'metadata', 'asserts', 'import', 'extension'])

interface Parent {
  readonly type: string
  readonly name: string
}

/** Every resource of the template, those within others too. Throws InvalidTemplate. */
export function declaredResources(template: Template, frame: Frame): readonly DeclaredResource[] {
  const all = template.resources.flatMap((written) => unrolled(written, frame, undefined))
  if (all.length > limits.resources) {
    throw invalidTemplate(
      `The number of template resources limit exceeded. Limit: '${limits.resources}' and actual: '${all.length}'`,
    )
  }
  judgeOnce(all)
  return all
}

function unrolled(written: WrittenResource, frame: Frame, parent: Parent | undefined): readonly DeclaredResource[] {
  const copy = propertyOf(written.body, 'copy')
  if (copy === undefined) return one(written, frame, parent, undefined)
  const name = isObjectValue(copy) ? propertyOf(copy, 'name') : undefined
  const count = isObjectValue(copy) ? propertyOf(copy, 'count') : undefined
  if (!isObjectValue(copy) || typeof name !== 'string' || count === undefined) {
    throw invalidTemplate("A resource's 'copy' has no 'name' or no 'count'")
  }
  const isSerial = textOf(propertyOf(copy, 'mode') ?? 'parallel').toLowerCase() === 'serial'
  const batchSize = isSerial ? Number(propertyOf(copy, 'batchSize') ?? 1) : undefined
  return asTemplateError(() =>
    turnsOf({ name, count }, frame).flatMap((turn, index) => one(written, turn, parent, { name, index, batchSize })),
  )
}

function one(
  { symbol, body }: WrittenResource,
  frame: Frame,
  parent: Parent | undefined,
  copy: Copy | undefined,
): readonly DeclaredResource[] {
  return asTemplateError(() => {
    const own = { type: textAt(body, 'type', frame), name: textAt(body, 'name', frame) }
    const type = parent === undefined ? own.type : `${parent.type}/${own.type}`
    const name = parent === undefined ? own.name : `${parent.name}/${own.name}`
    const declared: DeclaredResource = {
      id: idOf(body, { type, name }, frame),
      type,
      name,
      apiVersion: textAt(body, 'apiVersion', frame),
      symbol,
      copy,
      existing: propertyOf(body, 'existing') === true,
      skipped: !conditionOf(body, frame),
      written: body,
      frame,
    }
    return [declared, ...childrenOf(declared)]
  })
}

function childrenOf({ written, type, name, frame, skipped }: DeclaredResource): readonly DeclaredResource[] {
  const children = propertyOf(written, 'resources')
  if (!isArrayValue(children ?? null) || type.toLowerCase() === 'microsoft.resources/deployments') return []
  return (children as readonly Value[]).flatMap((body) => {
    if (!isObjectValue(body)) throw invalidTemplate(`A child resource of '${name}' is not an object`)
    const declared = unrolled({ symbol: undefined, body }, frame, { type, name })
    return skipped ? declared.map((child) => ({ ...child, skipped })) : declared
  })
}

function conditionOf(body: ObjectValue, frame: Frame): boolean {
  const written = propertyOf(body, 'condition')
  if (written === undefined) return true
  const value = evaluateDeep(written, frame)
  if (typeof value === 'boolean') return value
  throw new ExpressionError("The resource 'condition' is not a boolean")
}

function textAt(body: ObjectValue, name: string, frame: Frame): string {
  const written = propertyOf(body, name)
  const value = written === undefined ? undefined : evaluateDeep(written, frame)
  if (typeof value === 'string' && value !== '') return value
  throw invalidTemplate(`Required property '${name}' not found in JSON, or it is not a text. Path 'resources'`)
}

function idOf(body: ObjectValue, { type, name }: Parent, frame: Frame): string {
  const names = name.split('/')
  const [namespace, ...types] = type.split('/')
  if (types.length === 0 || types.length !== names.length) {
    throw invalidTemplate(
      `The template resource '${name}' for type '${type}' has incorrect segment lengths. A nested resource type must have identical number of segments as its resource name. A root resource type must have segment length one greater than its resource name. Please see https://aka.ms/arm-syntax-resources for usage details.`,
    )
  }
  const place = placeOf(body, frame)
  if (/^microsoft\.resources\/resourcegroups$/i.test(type)) return `${place}/resourceGroups/${name}`
  return `${place}/providers/${[namespace, ...types.flatMap((part, at) => [part, names[at]])].join('/')}`
}

/** Where the resource lies: in its `scope`, or in the group and subscription that it or the deployment names. */
function placeOf(body: ObjectValue, frame: Frame): string {
  const { facts } = frame
  const optional = (name: string): string | undefined => {
    const written = propertyOf(body, name)
    return written === undefined ? undefined : textAt(body, name, frame)
  }
  const scope = optional('scope')
  const subscriptionId = optional('subscriptionId')
  const subscription = `/subscriptions/${subscriptionId ?? facts.subscription.subscriptionId}`
  const group = optional('resourceGroup') ?? (subscriptionId === undefined ? facts.resourceGroup?.name : undefined)
  const own = group === undefined ? subscription : `${subscription}/resourceGroups/${group}`
  if (scope === undefined) return own
  if (scope === '/') return ''
  return scope.startsWith('/') ? scope.replace(/\/$/, '') : `${own}/providers/${scope}`
}

/** What the resource's provider is sent; may throw StateNeeded. */
export function bodyOf(declared: DeclaredResource, frame: Frame): ObjectValue {
  const { written } = declared
  const isPlaced = declared.type.toLowerCase() === 'microsoft.resources/deployments'
  const entries = Object.entries(written).filter(([name]) => {
    const key = name.toLowerCase()
    return !ownNames.has(key) && !placeNames.has(key) && !(isPlaced && key === 'properties')
  })
  return asTemplateError(() => evaluateDeep(Object.fromEntries(entries), frame) as ObjectValue)
}

function judgeOnce(all: readonly DeclaredResource[]): void {
  const seen = new Set<string>()
  for (const { id, skipped } of all) {
    if (skipped) continue
    const key = id.toLowerCase()
    if (seen.has(key)) {
      throw invalidTemplate(
        `The resource '${id}' is defined multiple times in a template. Please see https://aka.ms/arm-syntax-resources for usage details.`,
      )
    }
    seen.add(key)
  }
}
