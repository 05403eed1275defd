// A signal of several, that misses none of them.

const sources = Symbol('sources')

/**
 * Aborts with the first of `signals` that does.
 *
 * `AbortSignal.any` holds its sources weakly and, while nobody listens to it, looks at them only when it is asked. A
 * source that aborted and was then collected is taken for one that never did: a loop that was killed would go on. So
 * the result keeps what it was made of; the sources still know nothing of it and hold nothing.
 */
export function anySignal(signals: readonly AbortSignal[]): AbortSignal {
  return Object.assign(AbortSignal.any([...signals]), { [sources]: signals })
}
