// The time for ages, once a second for everybody, so that a page of rows does not set a page of timers.

import { useSyncExternalStore } from 'react'
import { ageText } from '../model/kube-table.ts'

const watchers = new Set<() => void>()
let nowMs = Date.now()
let timer: ReturnType<typeof setInterval> | undefined

function subscribe(watcher: () => void): () => void {
  watchers.add(watcher)
  timer ??= setInterval(() => {
    nowMs = Date.now()
    for (const each of watchers) each()
  }, 1000)
  return () => {
    watchers.delete(watcher)
    if (watchers.size > 0) return
    clearInterval(timer)
    timer = undefined
  }
}

/** Milliseconds since 1970, new every second. */
export function useNow(): number {
  return useSyncExternalStore(subscribe, () => nowMs)
}

/** Drawn anew only when the text changes: most ages on a page are minutes, hours or days. */
export function useAgeText(sinceMs: number): string {
  return useSyncExternalStore(subscribe, () => ageText(nowMs - sinceMs))
}
