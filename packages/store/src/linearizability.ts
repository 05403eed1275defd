// Judges a history of operations on single keys: is there an order of all of them, each at a moment between its call and its
// answer, in which every answer is right? (Wing and Gong's search, with Lowe's memory of what was tried.)

/** What was done to one key. `undefined` stands for "no such key". */
export type KeyOperation =
  | { readonly kind: 'read'; readonly result: string | undefined }
  | { readonly kind: 'write'; readonly value: string | undefined }
  /** Writes `value` if the key holds `expected`; `done` says whether it did. */
  | { readonly kind: 'swap'; readonly expected: string | undefined; readonly value: string; readonly done: boolean }

export interface HistoryEntry {
  readonly key: string
  readonly operation: KeyOperation
  /** On one clock; the answer is Infinity for an operation that may or may not have happened. */
  readonly calledMs: number
  readonly answeredMs: number
}

/** The first key whose history has no such order, or undefined. */
export function notLinearizable(history: readonly HistoryEntry[]): string | undefined {
  const byKey = Map.groupBy(history, (entry) => entry.key)
  for (const [key, entries] of byKey) if (!hasOrder(entries)) return key
  return undefined
}

interface Step {
  readonly taken: bigint
  readonly state: string | undefined
}

function hasOrder(entries: readonly HistoryEntry[]): boolean {
  const sorted = entries.toSorted((left, right) => left.calledMs - right.calledMs)
  const certain = sorted.reduce(
    (bits, entry, i) => (entry.answeredMs === Infinity ? bits : bits | (1n << BigInt(i))),
    0n,
  )
  const seen = new Set<string>()
  const stack: Step[] = [{ taken: 0n, state: undefined }]
  for (let step = stack.pop(); step !== undefined; step = stack.pop()) {
    if ((step.taken & certain) === certain) return true
    const id = `${step.taken.toString(36)} ${step.state ?? ''}`
    if (seen.has(id)) continue
    seen.add(id)
    for (const i of candidates(sorted, step.taken)) {
      const after = applied(sorted[i]!, step.state)
      if (after !== impossible) stack.push({ taken: step.taken | (1n << BigInt(i)), state: after })
    }
  }
  return false
}

/** Those that may come next: called before any that is left was answered. */
function candidates(sorted: readonly HistoryEntry[], taken: bigint): readonly number[] {
  const found: number[] = []
  let firstAnswerMs = Infinity
  for (let i = lowestFree(taken); i < sorted.length; i++) {
    const entry = sorted[i]!
    if (entry.calledMs > firstAnswerMs) break
    if ((taken >> BigInt(i)) & 1n) continue
    found.push(i)
    firstAnswerMs = Math.min(firstAnswerMs, entry.answeredMs)
  }
  return found
}

function lowestFree(taken: bigint): number {
  let i = 0
  for (let rest = taken; rest & 1n; rest >>= 1n) i += 1
  return i
}

const impossible = Symbol('impossible')

function applied(
  { operation, answeredMs }: HistoryEntry,
  state: string | undefined,
): string | undefined | typeof impossible {
  switch (operation.kind) {
    case 'read':
      return operation.result === state ? state : impossible
    case 'write':
      return operation.value
    case 'swap': {
      const holds = operation.expected === state
      // Nobody heard whether an unanswered swap was done.
      if (answeredMs !== Infinity && holds !== operation.done) return impossible
      return holds ? operation.value : state
    }
    default:
      return operation satisfies never
  }
}
