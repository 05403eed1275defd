// How many watches a write would be told to: counted by what they ask for, as upstream counts them.

import type { RequestInfo } from '../request-info.ts'

/** What watches of a kind may be narrowed by so that each object is told to few: upstream's one. */
const narrowing: ReadonlyMap<string, string> = new Map([['/pods', 'spec.nodeName']])

interface Count {
  /** Watches that are not narrowed. */
  wide: number
  readonly byValue: Map<string, number>
  /** Of the values the one with most watches; undefined since one changed. */
  most: number | undefined
}

export class WatchTracker {
  /** By group, resource, namespace and name; the latter two empty where all are watched. */
  readonly #counts = new Map<string, Count>()

  /** Counts until the signal aborts. */
  register(info: RequestInfo, signal: AbortSignal): void {
    if (signal.aborted) return
    const { group, resource, namespace, authorizedName } = info
    const key = keyOf(group, resource, namespace, authorizedName)
    const field = narrowing.get(`${group}/${resource}`)
    const value = field === undefined ? undefined : valueIn(info.query.get('fieldSelector') ?? '', field)
    this.#add(key, value, 1)
    signal.addEventListener('abort', () => this.#add(key, value, -1), { once: true })
  }

  /** Of the object of a write: who watches it, its namespace, or all of its kind. */
  interestedIn({ group, resource, namespace, name }: RequestInfo): number {
    if (this.#counts.size === 0) return 0
    let sum = this.#of(group, resource, '', '')
    if (namespace !== '') sum += this.#of(group, resource, namespace, '')
    if (name === '') return sum
    if (namespace !== '') sum += this.#of(group, resource, namespace, name)
    return sum + this.#of(group, resource, '', name)
  }

  #of(group: string, resource: string, namespace: string, name: string): number {
    const count = this.#counts.get(keyOf(group, resource, namespace, name))
    if (count === undefined) return 0
    // Which value the object has is not known yet: it is one of them.
    count.most ??= [...count.byValue.values()].reduce((most, one) => Math.max(most, one), 0)
    return count.wide + count.most
  }

  #add(key: string, value: string | undefined, by: 1 | -1): void {
    let count = this.#counts.get(key)
    if (count === undefined) this.#counts.set(key, (count = { wide: 0, byValue: new Map(), most: undefined }))
    if (value === undefined) count.wide += by
    else {
      const left = (count.byValue.get(value) ?? 0) + by
      if (left > 0) count.byValue.set(value, left)
      else count.byValue.delete(value)
      count.most = undefined
    }
    if (count.wide === 0 && count.byValue.size === 0) this.#counts.delete(key)
  }
}

function keyOf(group: string, resource: string, namespace: string, name: string): string {
  return `${group}/${resource}/${namespace}/${name}`
}

function valueIn(selector: string, field: string): string | undefined {
  for (const part of selector.split(',')) {
    const [, key, value] = /^\s*([^!=\s]+)\s*==?\s*([^=\s]*)\s*$/.exec(part) ?? []
    if (key === field) return value
  }
  return undefined
}
