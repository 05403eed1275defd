// ResourceQuota: nothing is made that would pass a namespace's quotas. What is granted is written into the quota before the
// object is, guarded by its revision, so that however many ask at once, no more is granted than there is.

import { isInScope, usageOf } from '@aksel/api/quota/usage'
import type { Usage } from '@aksel/api/quota/quantities'
import type { KubernetesObject } from '@aksel/api/resource'
import type { Container, Pod, ResourceQuota } from '@aksel/api/types/core-v1'
import { draftOf } from '@aksel/base/draft'
import {
  addQuantities,
  compareQuantities,
  formatQuantity,
  parseQuantity,
  subtractQuantities,
  type Quantity,
} from '@aksel/base/quantity'
import { forbiddenError } from '../refusals.ts'
import type { StoredRecord } from '../registry/record.ts'
import type { AdmissionContext, AdmissionPlugin, AdmissionRequest } from './admission.ts'
import { Turns } from './turns.ts'

/** Updates can take more too, where the amount is part of what may change. */
const countedUpdates: ReadonlySet<string> = new Set(['services', 'persistentvolumeclaims'])

export function resourceQuota(): AdmissionPlugin {
  const turns = new Turns()
  return {
    name: 'ResourceQuota',
    handles: ({ operation, row, subresource }) =>
      row.namespaced &&
      ((operation === 'CREATE' && subresource === '') ||
        (operation === 'UPDATE' && row.group === '' && subresource === '' && countedUpdates.has(row.plural)) ||
        (operation === 'UPDATE' && row.group === '' && row.plural === 'pods' && subresource === 'resize')),
    async validate(request, context) {
      const row = context.kinds.find('', 'v1', 'resourcequotas')!
      const first = await context.records.list(row, request.namespace)
      if (first.length === 0) return
      // In turn, so that those who ask at once do not make each other try again.
      using _turn = await turns.take(request.namespace)
      while (!(await charge(await context.records.list(row, request.namespace), request, context))) continue
    },
  }
}

/** False where a quota changed meanwhile and all have to be looked at again. Throws Forbidden. */
async function charge(
  records: readonly StoredRecord[],
  request: AdmissionRequest,
  context: AdmissionContext,
): Promise<boolean> {
  const object = request.object as KubernetesObject
  const relevant = records.filter(({ object: quota }) => isRelevant(quota as ResourceQuota, request, object))
  if (relevant.length === 0) return true
  for (const { object: quota } of relevant) assertUsable(quota as ResourceQuota, request, object)
  const delta = deltaOf(request, context.clock.now())
  if (delta.size === 0) return true
  const row = context.kinds.find('', 'v1', 'resourcequotas')!
  const granted = relevant.map((record) => [record, usedAfter(record.object as ResourceQuota, delta, request)] as const)
  if (request.dryRun) return true
  for (const [record, used] of granted) {
    if (used === undefined) continue
    const next = draftOf(record.object as ResourceQuota)
    next.status = { ...next.status, used: { ...next.status?.used, ...used } }
    delete next.metadata.resourceVersion
    if ((await context.records.put(row, next as ResourceQuota, record, request.fence)) === undefined) return false
  }
  return true
}

function hardOf({ status }: ResourceQuota): Readonly<Record<string, string | number>> {
  return status?.hard ?? {}
}

function isRelevant(quota: ResourceQuota, { row }: AdmissionRequest, object: KubernetesObject): boolean {
  if (!isInScope(quota, row, object)) return false
  const limited = new Set([...Object.keys(hardOf(quota)), ...Object.keys(quota.spec?.hard ?? {})])
  return [...usageOf(row, object, 0).keys(), ...(row.plural === 'pods' && row.group === '' ? mustBeStated : [])].some(
    (name) => limited.has(name),
  )
}

/** Computed by the quota controller, without which nobody knows what is left; and pods must say what they take of it. */
function assertUsable(quota: ResourceQuota, request: AdmissionRequest, object: KubernetesObject): void {
  const { row } = request
  const { name } = object.metadata
  const hard = hardOf(quota)
  const unknown = Object.keys(quota.spec?.hard ?? {}).filter(
    (resource) => hard[resource] === undefined || quota.status?.used?.[resource] === undefined,
  )
  if (unknown.length > 0) {
    const text = `status unknown for quota: ${quota.metadata.name}, resources: ${unknown.toSorted().join(',')}`
    throw forbiddenError(row, name, text)
  }
  if (row.group !== '' || row.plural !== 'pods') return
  const missing = missingAmounts(object as Pod, Object.keys(hard))
  if (missing !== '') throw forbiddenError(row, name, `failed quota: ${quota.metadata.name}: must specify ${missing}`)
}

const mustBeStated = ['cpu', 'memory', 'requests.cpu', 'requests.memory', 'limits.cpu', 'limits.memory']

/** `limits.cpu for: a,b; requests.memory for: a` */
function missingAmounts({ spec }: Pod, limited: readonly string[]): string {
  const whole = spec.resources
  const containers: readonly Container[] = [...(spec.containers ?? []), ...(spec.initContainers ?? [])]
  return mustBeStated
    .filter((name) => limited.includes(name))
    .toSorted()
    .flatMap((name) => {
      const which = name.startsWith('limits.') ? 'limits' : 'requests'
      const resource = name.replace(/^(?:limits|requests)\./, '')
      if (whole?.[which]?.[resource] !== undefined) return []
      const names = containers.filter(({ resources }) => resources?.[which]?.[resource] === undefined)
      return names.length === 0
        ? []
        : [
            `${name} for: ${names
              .map((one) => one.name)
              .toSorted()
              .join(',')}`,
          ]
    })
    .join('; ')
}

/** What the request takes beyond what the object took before; nothing that is zero or less. */
function deltaOf({ row, object, old }: AdmissionRequest, nowMs: number): Usage {
  const after = usageOf(row, object as KubernetesObject, nowMs)
  const before: Usage = old === undefined ? new Map() : usageOf(row, old, nowMs)
  const delta = new Map<string, Quantity>()
  for (const [name, amount] of after) {
    const known = before.get(name)
    const more = known === undefined ? amount : subtractQuantities(amount, known)
    if (more.nano > 0n) delta.set(name, more)
  }
  return delta
}

/** What the quota's used amounts become, or undefined where it counts none of this. Throws Forbidden where it is too much. */
function usedAfter(
  quota: ResourceQuota,
  delta: Usage,
  { row, object }: AdmissionRequest,
): Record<string, string> | undefined {
  const hard = hardOf(quota)
  const names = [...delta.keys()].filter((name) => hard[name] !== undefined).toSorted()
  if (names.length === 0) return undefined
  const used = (name: string): Quantity => parseQuantity(quota.status?.used?.[name] ?? '0')
  const exceeded = names.filter(
    (name) => compareQuantities(addQuantities(used(name), delta.get(name)!), parseQuantity(hard[name]!)) > 0,
  )
  if (exceeded.length > 0) {
    const list = (amount: (name: string) => Quantity): string =>
      exceeded.map((name) => `${name}=${formatQuantity(amount(name))}`).join(',')
    const text = [
      `exceeded quota: ${quota.metadata.name}`,
      `requested: ${list((name) => delta.get(name)!)}`,
      `used: ${list(used)}`,
      `limited: ${list((name) => parseQuantity(hard[name]!))}`,
    ].join(', ')
    throw forbiddenError(row, object?.metadata.name ?? '', text)
  }
  return Object.fromEntries(names.map((name) => [name, formatQuantity(addQuantities(used(name), delta.get(name)!))]))
}
