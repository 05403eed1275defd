// Bounds the entries that updates leave: the oldest ones of a version become one.

import { union } from './field-set.ts'
import { managerKey, secondsOf, type Manager, type Managers } from './managers.ts'

const UPDATERS_MAX = 10
const OLD_CHANGES = 'ancient-changes'

export function capManagers(managers: Managers): Managers {
  if (managers.size <= UPDATERS_MAX) return managers
  const updaters = [...managers].filter(([, manager]) => manager.operation === 'Update')
  if (updaters.length <= UPDATERS_MAX) return managers
  updaters.sort(([keyA, a], [keyB, b]) => secondsOf(a) - secondsOf(b) || (keyA < keyB ? -1 : 1))
  const kept = new Map(managers)
  const firstOfVersion = new Map<string, string>()
  let count = updaters.length
  for (const [key, manager] of updaters) {
    if (count <= UPDATERS_MAX) break
    const first = firstOfVersion.get(manager.apiVersion)
    if (first === undefined) firstOfVersion.set(manager.apiVersion, key)
    else {
      moveToBucket(kept, first, [key, manager])
      count -= 1
    }
  }
  return kept
}

/** The first of a version becomes the bucket, every later one is poured into it. */
function moveToBucket(kept: Map<string, Manager>, first: string, [key, manager]: readonly [string, Manager]): void {
  const { apiVersion, time } = manager
  const bucket = { name: OLD_CHANGES, operation: 'Update', subresource: '', apiVersion } as const
  const bucketKey = managerKey(bucket)
  const before = kept.get(bucketKey) ?? kept.get(first)
  if (!kept.has(bucketKey)) kept.delete(first)
  if (key !== bucketKey) kept.delete(key)
  kept.set(bucketKey, { ...bucket, time, set: union(manager.set, before?.set ?? {}) })
}
