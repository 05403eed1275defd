// The status of a quota from the objects that it counts.

import type { KubernetesObject } from '@aksel/api/resource'
import { addUsage } from '@aksel/api/quota/quantities'
import type { Usage } from '@aksel/api/quota/quantities'
import { isInScope, usageOf } from '@aksel/api/quota/usage'
import type { Counted } from '@aksel/api/quota/usage'
import type { ResourceQuota, ResourceQuotaStatus } from '@aksel/api/types/core-v1'
import { formatQuantity } from '@aksel/base/quantity'

/** Names of quotas that pods take from. */
const podNames = /^(pods|cpu|memory|ephemeral-storage|hugepages-.*|requests\..*|limits\..*)$/

/** The kinds to look at for the limits of a quota. */
export function countedKinds({ spec }: ResourceQuota): readonly Counted[] {
  const kinds = new Map<string, Counted>()
  const add = (plural: string, group = ''): void => void kinds.set(`${plural}.${group}`, { group, plural })
  for (const name of Object.keys(spec?.hard ?? {})) {
    const counted = /^count\/([^.]+)(?:\.(.+))?$/.exec(name)
    if (counted !== null) add(counted[1]!, counted[2])
    else if (name === 'requests.storage' || name.includes('.storageclass.storage.k8s.io/'))
      add('persistentvolumeclaims')
    else if (podNames.test(name)) add('pods')
    else if (name.startsWith('services')) add('services')
    else if (!name.includes('/') && !name.includes('.')) add(name)
  }
  return [...kinds.values()]
}

export interface CountedObjects {
  readonly kind: Counted
  /** Undefined: it is not known how many there are, and what stands in the status stays. */
  readonly objects: readonly KubernetesObject[] | undefined
}

export function judgeQuota(
  quota: ResourceQuota,
  counted: readonly CountedObjects[],
  nowMs: number,
): ResourceQuotaStatus {
  const hard = quota.spec?.hard ?? {}
  const names = Object.keys(hard)
  let total: Usage = new Map()
  const unknown = new Set<string>()
  const known = new Set<string>()
  for (const { kind, objects } of counted) {
    if (objects === undefined) {
      unknown.add(`count/${kind.plural}${kind.group === '' ? '' : `.${kind.group}`}`)
      continue
    }
    for (const name of namesOf(kind, names)) known.add(name)
    for (const object of objects) {
      if (isInScope(quota, kind, object)) total = addUsage(total, usageOf(kind, object, nowMs))
    }
  }
  const used: Record<string, string | number> = {}
  for (const name of names) {
    const before = quota.status?.used?.[name]
    if (unknown.has(name) && before !== undefined) used[name] = before
    else if (known.has(name)) {
      const amount = total.get(name)
      used[name] = amount === undefined ? '0' : formatQuantity(amount)
    }
  }
  return { hard, used: used as NonNullable<ResourceQuotaStatus['used']> }
}

function namesOf(kind: Counted, names: readonly string[]): readonly string[] {
  return names.filter((name) =>
    countedKinds({ metadata: { name: '' }, spec: { hard: { [name]: '0' } } }).some(
      ({ group, plural }) => group === kind.group && plural === kind.plural,
    ),
  )
}
