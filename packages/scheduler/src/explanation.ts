// Why a pod waits, in upstream's words: nodes counted by reason, and what each single node answered.

import type { Evaluation } from './evaluator.ts'
import { NO_NODE, type World } from './plugin.ts'

export interface NodeAnswer {
  readonly node: string
  readonly fits: boolean
  /** The plug-in that turned the node away, and its words. */
  readonly plugin?: string
  readonly reasons: readonly string[]
}

/** By node, in the order in which they came. */
export function answersOf({ state, refusals }: World, { verdicts, blocked }: Evaluation): readonly NodeAnswer[] {
  return state.nodes.flatMap((entry, slot): readonly NodeAnswer[] => {
    if (entry === undefined) return []
    if (blocked !== undefined)
      return [{ node: entry.name, fits: false, plugin: blocked.plugin, reasons: [blocked.blocked] }]
    const code = verdicts[slot] ?? NO_NODE
    if (code === 0) return [{ node: entry.name, fits: true, reasons: [] }]
    const { plugin, words } = refusals.of(code)
    return [{ node: entry.name, fits: false, plugin, reasons: words }]
  })
}

/** `0/5 nodes are available: 2 Insufficient cpu, 3 node(s) had untolerated taint {k: v}.` */
export function failureMessage({ state, refusals }: World, { verdicts, blocked }: Evaluation): string {
  const total = state.nodeCount
  if (total === 0) return 'no nodes available to schedule pods'
  if (blocked !== undefined) return `0/${total} nodes are available: ${blocked.blocked}.`
  return `0/${total} nodes are available: ${countedWords(codeCounts(verdicts), (code) => refusals.of(code).words)}.`
}

/** Neighbours mostly answer the same: they are counted at once. */
export function codeCounts(verdicts: Uint16Array): ReadonlyMap<number, number> {
  const counts = new Map<number, number>()
  for (let slot = 0; slot < verdicts.length;) {
    const code = verdicts[slot]!
    const from = slot
    do slot += 1
    while (slot < verdicts.length && verdicts[slot] === code)
    if (code !== 0 && code !== NO_NODE) counts.set(code, (counts.get(code) ?? 0) + slot - from)
  }
  return counts
}

/** `2 Insufficient cpu, 3 Too many pods`, sorted as text. */
export function countedWords<T>(counts: ReadonlyMap<T, number>, wordsOf: (of: T) => readonly string[]): string {
  const byWord = new Map<string, number>()
  for (const [of, count] of counts) for (const word of wordsOf(of)) byWord.set(word, (byWord.get(word) ?? 0) + count)
  return [...byWord]
    .map(([word, count]) => `${count} ${word}`)
    .sort()
    .join(', ')
}

/** The plug-ins that turned nodes away, or the pod as a whole: what would have to change before it is tried again. */
export function refusingPlugins({ refusals }: World, { verdicts, blocked }: Evaluation): ReadonlySet<string> {
  if (blocked !== undefined) return new Set([blocked.plugin])
  return new Set([...codeCounts(verdicts).keys()].map((code) => refusals.of(code).plugin))
}
