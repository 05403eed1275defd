// An answer that is asked for once, again when what it is about changes, and at an interval where one is given.

import { useCallback, useEffect, useState } from 'react'

export interface Answer<T> {
  readonly value: T | undefined
  readonly error: unknown
  readonly again: () => void
}

/** The last answer stays while a new one is on its way; an error does not hide it. */
export function useAsync<T>(key: string, ask: (signal: AbortSignal) => Promise<T>, everyMs?: number): Answer<T> {
  const [state, setState] = useState<{ readonly key: string; readonly value?: T; readonly error?: unknown }>({ key })
  const [round, setRound] = useState(0)
  useEffect(() => {
    const stop = new AbortController()
    let timer: ReturnType<typeof setTimeout> | undefined
    const turn = async (): Promise<void> => {
      try {
        const value = await ask(stop.signal)
        if (!stop.signal.aborted) setState({ key, value })
      } catch (error) {
        if (!stop.signal.aborted) setState((before) => (before.key === key ? { ...before, error } : { key, error }))
      }
      if (everyMs !== undefined && !stop.signal.aborted)
        timer = setTimeout(() => (document.hidden ? (timer = setTimeout(turn, everyMs)) : turn()), everyMs)
    }
    void turn()
    return () => {
      stop.abort()
      clearTimeout(timer)
    }
  }, [key, round, everyMs])
  const again = useCallback(() => setRound((before) => before + 1), [])
  const current = state.key === key ? state : { key }
  return { value: current.value as T | undefined, error: (current as { readonly error?: unknown }).error, again }
}
