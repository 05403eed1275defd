// The tag names and values of a subscription: those that were made beforehand, and those that resources have, counted.

import { ArmError } from '@aksel/base/errors'
import { page } from '../../front-door/pages.ts'
import { param, type ArmRequest, type ArmResponse, type Route } from '../../front-door/route.ts'
import type { Hub } from '../../hub.ts'
import type { Json, Tags } from '../../records.ts'
import { keys } from '../../store-keyspace.ts'

interface TagNameRecord {
  readonly kind: 'tagName'
  readonly name: string
  readonly values: readonly string[]
}

export function tagNameRoutes(hub: Hub): readonly Route[] {
  const all = '/subscriptions/:subscription/tagNames'
  const one = `${all}/:tag`
  const value = `${one}/tagValues/:value`
  return [
    { method: 'GET', path: all, handle: (request) => list(hub, request) },
    { method: 'PUT', path: one, handle: (request) => put(hub, request) },
    { method: 'DELETE', path: one, handle: (request) => remove(hub, request) },
    { method: 'PUT', path: value, handle: (request) => put(hub, request) },
    { method: 'DELETE', path: value, handle: (request) => remove(hub, request) },
  ]
}

const idOf = (request: ArmRequest, name: string): string =>
  `/subscriptions/${param(request, 'subscription')}/tagNames/${name}`

/** Tag by value: how many groups and resources have it. Names and values compare without regard to case. */
type Counts = Map<
  string,
  { readonly name: string; readonly values: Map<string, { readonly value: string; count: number }> }
>

function counted(counts: Counts, name: string, value: string | undefined, by: number): void {
  const known = counts.get(name.toLowerCase()) ?? { name, values: new Map() }
  counts.set(name.toLowerCase(), known)
  if (value === undefined) return
  const own = known.values.get(value.toLowerCase()) ?? { value, count: 0 }
  own.count += by
  known.values.set(value.toLowerCase(), own)
}

async function countsOf(hub: Hub, request: ArmRequest): Promise<Counts> {
  const subscription = `/subscriptions/${param(request, 'subscription')}`
  const counts: Counts = new Map()
  const made = await hub.store.list<TagNameRecord>(keys.tagNames(param(request, 'subscription')))
  for (const {
    value: { name, values },
  } of made) {
    counted(counts, name, undefined, 0)
    for (const value of values) counted(counts, name, value, 0)
  }
  for (const { value } of await hub.store.list<{ readonly tags?: Tags }>(keys.below(subscription)))
    for (const [name, text] of Object.entries(value.tags ?? {})) counted(counts, name, text, 1)
  return counts
}

function body(request: ArmRequest, { name, values }: NonNullable<ReturnType<Counts['get']>>): Json {
  const of = (value: number): Json => ({ type: 'Total', value })
  const all = [...values.values()]
  return {
    id: idOf(request, name),
    tagName: name,
    count: of(all.reduce((sum, { count }) => sum + count, 0)),
    values: all.map(({ value, count }) => ({
      id: `${idOf(request, name)}/tagValues/${value}`,
      tagValue: value,
      count: of(count),
    })),
  }
}

async function list(hub: Hub, request: ArmRequest): Promise<ArmResponse> {
  return page(request, [...(await countsOf(hub, request)).values()], (one) => body(request, one))
}

async function put(hub: Hub, request: ArmRequest): Promise<ArmResponse> {
  const name = param(request, 'tag')
  const { value } = request.params
  if (name.length > 512 || /[<>%&\\?/]/.test(name))
    throw new ArmError(400, 'InvalidTagName', `The tag name '${name}' has more than 512 characters or one of <>%&\\?/.`)
  if (value !== undefined && value.length > 256)
    throw new ArmError(400, 'InvalidTagValue', `The tag value '${value}' has more than 256 characters.`)
  const key = keys.tagName(param(request, 'subscription'), name)
  const isNew = await hub.store.decide(async () => {
    const before = await hub.store.get<TagNameRecord>(key)
    if (before === undefined && value !== undefined && !(await countsOf(hub, request)).has(name.toLowerCase()))
      throw new ArmError(404, 'TagNameNotFound', `The tag name '${name}' could not be found.`)
    const record = before?.value ?? { kind: 'tagName' as const, name, values: [] }
    const isKnown = value === undefined ? before !== undefined : record.values.includes(value)
    if (isKnown) return { changes: [], result: false }
    const next = { ...record, values: value === undefined ? record.values : [...record.values, value] }
    return { changes: [{ kind: 'put', key, value: next, expected: before?.modRevision ?? 0 }], result: true }
  })
  const found = body(request, (await countsOf(hub, request)).get(name.toLowerCase())!)
  const shown =
    value === undefined ? found : (found['values'] as readonly Json[]).find(({ tagValue }) => tagValue === value)
  return { status: isNew ? 201 : 200, body: shown }
}

/** What resources have cannot be taken away here. */
async function remove(hub: Hub, request: ArmRequest): Promise<ArmResponse> {
  const name = param(request, 'tag')
  const { value } = request.params
  return hub.store.decide<ArmResponse>(async () => {
    const used = (await countsOf(hub, request)).get(name.toLowerCase())
    const counts = [...(used?.values.values() ?? [])].filter((one) => value === undefined || one.value === value)
    if (counts.some(({ count }) => count > 0))
      throw new ArmError(
        409,
        'TagInUse',
        `The tag '${name}'${value === undefined ? '' : ` with the value '${value}'`} is used by resources and cannot be deleted.`,
      )
    const stored = await hub.store.get<TagNameRecord>(keys.tagName(param(request, 'subscription'), name))
    if (stored === undefined) return { changes: [], result: { status: 204 } }
    const { key, modRevision: expected } = stored
    const left = stored.value.values.filter((each) => each !== value)
    if (value !== undefined && left.length === stored.value.values.length)
      return { changes: [], result: { status: 204 } }
    const change =
      value === undefined
        ? ({ kind: 'delete', key, expected } as const)
        : ({ kind: 'put', key, value: { ...stored.value, values: left }, expected } as const)
    return { changes: [change], result: { status: 200 } }
  })
}
