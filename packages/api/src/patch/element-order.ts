// The order of a merged list: what the patch names stands in its order, what only the server knows keeps its place.

import { sameJson } from './json-patch.ts'

type Json = unknown

export interface OrderRequest {
  readonly items: readonly Json[]
  /** Identities in the order the patch wants. */
  readonly wanted: readonly Json[]
  /** Identities in the order in which they stood. */
  readonly before: readonly Json[]
  readonly identity: (item: Json) => Json
}

export function orderElements({ items, wanted, before, identity }: OrderRequest): readonly Json[] {
  const indexIn = (list: readonly Json[], item: Json): number =>
    list.findIndex((other) => sameJson(other, identity(item)))
  const sorted = (list: readonly Json[], by: readonly Json[]): Json[] =>
    list.toSorted((a, b) => indexIn(by, a) - indexIn(by, b))
  const named = sorted(
    items.filter((item) => indexIn(wanted, item) >= 0),
    wanted,
  )
  const others = sorted(
    items.filter((item) => indexIn(wanted, item) < 0),
    before,
  )
  const merged: Json[] = []
  while (named.length > 0 && others.length > 0) {
    const left = indexIn(before, named[0])
    const right = indexIn(before, others[0])
    // Without a place of its own, what the patch names comes first.
    merged.push(left < 0 || right < 0 || left <= right ? named.shift() : others.shift())
  }
  return [...merged, ...named, ...others]
}
