// Finding a page by a few letters.

import type { Route } from './route.ts'

export interface PaletteEntry {
  readonly title: string
  readonly detail: string
  /** Other names of it, in lower case. */
  readonly words: string
  readonly route: Route
}

/** The beginning of a name first, then of one of its words, then anywhere, then letters in that order. */
export function search(entries: readonly PaletteEntry[], text: string): readonly PaletteEntry[] {
  const wanted = text.trim().toLowerCase()
  if (wanted === '') return entries
  return entries
    .map((entry) => ({ entry, rank: rankOf(entry, wanted) }))
    .filter(({ rank }) => rank < 9)
    .toSorted((left, right) => left.rank - right.rank)
    .map(({ entry }) => entry)
}

function rankOf({ title, words, detail }: PaletteEntry, wanted: string): number {
  const name = title.toLowerCase()
  if (words.split(' ').includes(wanted) || name === wanted) return 0
  if (name.startsWith(wanted)) return 1
  if (words.split(' ').some((word) => word.startsWith(wanted))) return 2
  if (name.includes(wanted) || words.includes(wanted)) return 3
  if (detail.toLowerCase().includes(wanted)) return 5
  let at = 0
  for (const letter of name) if (letter === wanted[at]) at++
  return at === wanted.length ? 6 : 9
}
