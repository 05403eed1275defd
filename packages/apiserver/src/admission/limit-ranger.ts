// LimitRanger: gives containers the amounts that their namespace's limit ranges name, and holds everything to their bounds.

import { podAmounts } from '@aksel/api/quota/pod-usage'
import type { Container, LimitRange, LimitRangeItem, PersistentVolumeClaim, Pod } from '@aksel/api/types/core-v1'
import type { Draft } from '@aksel/base/draft'
import { compareQuantities, formatQuantity, parseQuantity, type Quantity } from '@aksel/base/quantity'
import { forbiddenError } from '../refusals.ts'
import { concerns, type AdmissionContext, type AdmissionPlugin, type AdmissionRequest } from './admission.ts'

const annotation = 'kubernetes.io/limit-ranger'

type Amounts = Readonly<Record<string, string | number>>

interface Stated {
  readonly requests: ReadonlyMap<string, Quantity>
  readonly limits: ReadonlyMap<string, Quantity>
}

export const limitRanger: AdmissionPlugin = {
  name: 'LimitRanger',
  handles: (request) =>
    (request.operation === 'CREATE' && concerns(request, '', 'pods')) ||
    (request.operation === 'UPDATE' && request.row.plural === 'pods' && request.subresource === 'resize') ||
    ((request.operation === 'CREATE' || request.operation === 'UPDATE') &&
      concerns(request, '', 'persistentvolumeclaims')),
  async admit(request, context) {
    if (request.operation !== 'CREATE' || request.row.plural !== 'pods') return false
    const pod = request.object as unknown as Draft<Pod>
    const notes: string[] = []
    for (const { spec } of await rangesOf(request, context)) {
      for (const item of spec?.limits ?? []) {
        if (item.type !== 'Container') continue
        for (const container of pod.spec.containers) notes.push(...fill(container, item, 'container'))
        for (const container of pod.spec.initContainers ?? []) notes.push(...fill(container, item, 'init container'))
      }
    }
    if (notes.length === 0) return false
    pod.metadata.annotations = {
      ...pod.metadata.annotations,
      [annotation]: `LimitRanger plugin set: ${notes.join('; ')}`,
    }
    return true
  },
  async validate(request, context) {
    const isPod = request.row.plural === 'pods'
    for (const { spec } of await rangesOf(request, context)) {
      const errors = (spec?.limits ?? []).flatMap((item) =>
        isPod
          ? podErrors(request.object as unknown as Pod, item)
          : claimErrors(request.object as unknown as PersistentVolumeClaim, item),
      )
      if (errors.length === 0) continue
      const text = errors.length === 1 ? errors[0]! : `[${errors.join(', ')}]`
      throw forbiddenError(request.row, request.object?.metadata.name ?? request.name, text)
    }
  },
}

async function rangesOf(
  { namespace }: AdmissionRequest,
  { records, kinds }: AdmissionContext,
): Promise<readonly LimitRange[]> {
  const found = await records.list(kinds.find('', 'v1', 'limitranges')!, namespace)
  return found.map(({ object }) => object as LimitRange)
}

/** What was set, as the annotation says it. */
function fill(container: Draft<Container>, item: LimitRangeItem, what: string): readonly string[] {
  const notes: string[] = []
  for (const [which, defaults, word] of [
    ['requests', item.defaultRequest, 'request'],
    ['limits', item.default, 'limit'],
  ] as const) {
    const stated = container.resources?.[which] ?? {}
    const missing = Object.entries(defaults ?? {}).filter(([name]) => stated[name] === undefined)
    if (missing.length === 0) continue
    container.resources = { ...container.resources, [which]: { ...stated, ...Object.fromEntries(missing) } }
    const names = missing.map(([name]) => name).toSorted()
    notes.push(`${names.join(', ')} ${word} for ${what} ${container.name}`)
  }
  return notes
}

function podErrors(pod: Pod, item: LimitRangeItem): readonly string[] {
  if (item.type === 'Container') {
    const containers = [...(pod.spec.containers ?? []), ...(pod.spec.initContainers ?? [])]
    return containers.flatMap(({ resources }) =>
      boundErrors(item, { requests: parsed(resources?.requests), limits: parsed(resources?.limits) }),
    )
  }
  if (item.type !== 'Pod') return []
  return boundErrors(item, { requests: podAmounts(pod, 'requests'), limits: podAmounts(pod, 'limits') })
}

function claimErrors({ spec }: PersistentVolumeClaim, item: LimitRangeItem): readonly string[] {
  if (item.type !== 'PersistentVolumeClaim') return []
  const requests = parsed(spec?.resources?.requests)
  const errors = entries(item.min).map(([name, bound]) => minimum(item, name, bound, { requests, limits: new Map() }))
  for (const [name, bound] of entries(item.max)) {
    const request = requests.get(name)
    const head = `maximum ${name} usage per ${item.type} is ${formatQuantity(bound)}`
    if (request === undefined) errors.push(`${head}.  No request is specified`)
    else if (compareQuantities(request, bound) > 0) errors.push(`${head}, but request is ${formatQuantity(request)}`)
  }
  return errors.filter((error) => error !== undefined)
}

function parsed(amounts: Amounts | undefined): ReadonlyMap<string, Quantity> {
  return new Map(Object.entries(amounts ?? {}).map(([name, amount]) => [name, parseQuantity(amount)]))
}

function entries(amounts: Amounts | undefined): readonly (readonly [string, Quantity])[] {
  return [...parsed(amounts)].toSorted(([a], [b]) => (a < b ? -1 : 1))
}

function boundErrors(item: LimitRangeItem, stated: Stated): readonly string[] {
  return [
    ...entries(item.min).map(([name, bound]) => minimum(item, name, bound, stated)),
    ...entries(item.max).map(([name, bound]) => maximum(item, name, bound, stated)),
    ...entries(item.maxLimitRequestRatio).map(([name, bound]) => ratio(item, name, bound, stated)),
  ].filter((error) => error !== undefined)
}

function minimum({ type }: LimitRangeItem, name: string, bound: Quantity, stated: Stated): string | undefined {
  const [request, limit] = [stated.requests.get(name), stated.limits.get(name)]
  const head = `minimum ${name} usage per ${type} is ${formatQuantity(bound)}`
  if (request === undefined) return `${head}.  No request is specified`
  if (compareQuantities(request, bound) < 0) return `${head}, but request is ${formatQuantity(request)}`
  if (limit !== undefined && compareQuantities(limit, bound) < 0)
    return `${head}, but limit is ${formatQuantity(limit)}`
  return undefined
}

function maximum({ type }: LimitRangeItem, name: string, bound: Quantity, stated: Stated): string | undefined {
  const [request, limit] = [stated.requests.get(name), stated.limits.get(name)]
  const head = `maximum ${name} usage per ${type} is ${formatQuantity(bound)}`
  if (limit === undefined) return `${head}.  No limit is specified`
  if (compareQuantities(limit, bound) > 0) return `${head}, but limit is ${formatQuantity(limit)}`
  if (request !== undefined && compareQuantities(request, bound) > 0) {
    return `${head}, but request is ${formatQuantity(request)}`
  }
  return undefined
}

function ratio({ type }: LimitRangeItem, name: string, bound: Quantity, stated: Stated): string | undefined {
  const [request, limit] = [stated.requests.get(name), stated.limits.get(name)]
  const head = `${name} max limit to request ratio per ${type} is ${formatQuantity(bound)}`
  if (request === undefined || request.nano === 0n) return `${head}, but no request is specified or request is 0`
  if (limit === undefined || limit.nano === 0n) return `${head}, but no limit is specified or limit is 0`
  const actual = Number(limit.nano) / Number(request.nano)
  return actual * 1e9 > Number(bound.nano) ? `${head}, but provided ratio is ${actual.toFixed(6)}` : undefined
}
