// Whether a node is to be repaired now, and how: facts in, verdict out. Times of AKS's node auto-repair.

import type { Node } from '@aksel/api/types/core-v1'
import { conditionOf } from '../node-lifecycle/health.ts'

/** In this order, three rounds at most; a Windows node is not redeployed. */
export const repairs = ['reboot', 'reimage', 'redeploy'] as const
export type Repair = (typeof repairs)[number]

export interface RepairPeriods {
  /** So long a node is NotReady, or silent, before the first. */
  readonly unhealthyMs: number
  /** So long a repair has to help before the next. */
  readonly helpsMs: number
}

/** AKS's. */
export const repairPeriods: RepairPeriods = { unhealthyMs: 10 * 60_000, helpsMs: 5 * 60_000 }
const ROUNDS_MAX = 3

/** What was done since the node was last Ready: on the node, so that it outlives whoever did it. */
export interface RepairHistory {
  readonly done: number
  /** Milliseconds since 1970 when the last began. */
  readonly lastMs: number
}

export const historyAnnotation = 'aksel.dev/node-repairs'

export type RepairVerdict =
  | { readonly kind: 'healthy'; readonly forget: boolean }
  | { readonly kind: 'wait'; readonly forMs: number }
  | { readonly kind: 'repair'; readonly repair: Repair; readonly done: number }
  /** Nothing helped. */
  | { readonly kind: 'given up' }

export function judgeRepair(node: Node, nowMs: number, periods: RepairPeriods = repairPeriods): RepairVerdict {
  const ready = conditionOf(node, 'Ready')
  const history = historyOf(node)
  // A node that never said how it is, is one in the making.
  if (ready === undefined || ready.status === 'True') return { kind: 'healthy', forget: history.done > 0 }
  const choices = isWindows(node) ? repairs.slice(0, 2) : repairs
  if (history.done >= choices.length * ROUNDS_MAX) return { kind: 'given up' }
  const sinceMs = Date.parse(ready.lastTransitionTime ?? '') || nowMs
  const dueMs = history.done === 0 ? sinceMs + periods.unhealthyMs : history.lastMs + periods.helpsMs
  if (dueMs > nowMs) return { kind: 'wait', forMs: dueMs - nowMs }
  return { kind: 'repair', repair: choices[history.done % choices.length]!, done: history.done + 1 }
}

function isWindows({ metadata }: Node): boolean {
  return metadata.labels?.['kubernetes.io/os'] === 'windows'
}

/** What cannot be read is nothing: somebody else wrote it. */
function historyOf({ metadata }: Node): RepairHistory {
  const [, done, lastMs] = /^(\d{1,3})@(\d{1,15})$/.exec(metadata.annotations?.[historyAnnotation] ?? '') ?? []
  return { done: Number(done ?? 0), lastMs: Number(lastMs ?? 0) }
}

export function historyText({ done, lastMs }: RepairHistory): string {
  return `${done}@${lastMs}`
}
