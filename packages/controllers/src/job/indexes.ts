// Sets of completion indexes, and the text in which a status and a policy hold them: `1,3-5,7`.

import type { Pod } from '@aksel/api/types/core-v1'

export const indexAnnotation = 'batch.kubernetes.io/job-completion-index'

export type Indexes = ReadonlySet<number>

/** Indexes below `completions`; parts that are malformed are left out. */
export function parseIndexes(text: string | undefined, completions: number): Indexes {
  const found = new Set<number>()
  for (const part of (text ?? '').split(',')) {
    const match = /^(\d+)(?:-(\d+))?$/.exec(part.trim())
    if (match === null) continue
    const last = Math.min(Number(match[2] ?? match[1]), completions - 1)
    for (let index = Number(match[1]); index <= last; index += 1) found.add(index)
  }
  return found
}

/** Three and more in a row are written as a range, as upstream does. */
export function formatIndexes(indexes: Indexes): string {
  const sorted = [...indexes].toSorted((left, right) => left - right)
  const parts: string[] = []
  for (let at = 0; at < sorted.length;) {
    let end = at
    while (sorted[end + 1] === sorted[end]! + 1) end += 1
    if (end - at >= 2) parts.push(`${sorted[at]}-${sorted[end]}`)
    else for (let each = at; each <= end; each += 1) parts.push(String(sorted[each]))
    at = end + 1
  }
  return parts.join(',')
}

/** Undefined where the pod has no index, or none that the annotation spells. */
export function indexOf({ metadata }: Pod): number | undefined {
  const text = metadata.annotations?.[indexAnnotation]
  return text !== undefined && /^\d+$/.test(text) ? Number(text) : undefined
}
