// What can be ordered to go wrong with a simulated node, written on the node itself so that everyone sees it.

import type { Node } from '@aksel/api/types/core-v1'

/** On a node: JSON, a list of `Fault`. */
export const faultsAnnotation = 'aksel.dev/simulated-faults'

export const faultKinds = [
  /** Silent: no lease, no status, pods do not move. What a lost machine or zone looks like. */
  'lost',
  /** Silent and back again, half of `seconds` each, from the order on. */
  'flapping',
  /** Every pod takes `seconds` longer to start. */
  'slow-start',
  /** No image can be pulled. */
  'image-pull',
  /** Containers that run are killed for memory, once per order. */
  'oom',
  /** The disk is full: the node says DiskPressure and evicts its pods. */
  'disk-full',
] as const
export type FaultKind = (typeof faultKinds)[number]

export interface Fault {
  readonly kind: FaultKind
  /** Of `slow-start` and `flapping`; 30 when absent. */
  readonly seconds?: number
  /** When it was ordered, RFC 3339: `oom` kills what started before, `flapping` begins. */
  readonly since?: string
}

const DEFAULT_SECONDS = 30

export interface NodeFaults {
  readonly silent: boolean
  readonly slowStartMs: number
  readonly imagePullFails: boolean
  /** Containers that started before are killed; undefined when none are. */
  readonly oomBeforeMs: number | undefined
  readonly diskFull: boolean
  /** When the verdict may change by itself, in milliseconds from now. */
  readonly changesAfterMs: number | undefined
}

export const noFaults: NodeFaults = {
  silent: false,
  slowStartMs: 0,
  imagePullFails: false,
  oomBeforeMs: undefined,
  diskFull: false,
  changesAfterMs: undefined,
}

/** Entries that are no faults are passed over: a node must not stop because of a word on it. */
export function parseFaults(text: string | undefined): readonly Fault[] {
  if (text === undefined || text === '') return []
  try {
    const value: unknown = JSON.parse(text)
    if (!Array.isArray(value)) return []
    return value.filter(
      (each: unknown): each is Fault =>
        typeof each === 'object' && each !== null && faultKinds.includes((each as Fault).kind),
    )
  } catch {
    return []
  }
}

export function judgeFaults(node: Node | undefined, nowMs: number): NodeFaults {
  const faults = parseFaults(node?.metadata.annotations?.[faultsAnnotation])
  if (faults.length === 0) return noFaults
  const of = (kind: FaultKind): Fault | undefined => faults.find((fault) => fault.kind === kind)
  const secondsOf = (fault: Fault): number =>
    typeof fault.seconds === 'number' && fault.seconds > 0 ? fault.seconds : DEFAULT_SECONDS
  const flapping = of('flapping')
  const halfMs = flapping === undefined ? 0 : (secondsOf(flapping) * 1000) / 2
  const flapMs = flapping === undefined ? 0 : Math.max(0, nowMs - (Date.parse(flapping.since ?? '') || 0))
  const flapSilent = flapping !== undefined && Math.floor(flapMs / halfMs) % 2 === 0
  const slow = of('slow-start')
  const oom = of('oom')
  return {
    silent: of('lost') !== undefined || flapSilent,
    slowStartMs: slow === undefined ? 0 : secondsOf(slow) * 1000,
    imagePullFails: of('image-pull') !== undefined,
    oomBeforeMs: oom === undefined ? undefined : Date.parse(oom.since ?? '') || nowMs,
    diskFull: of('disk-full') !== undefined,
    changesAfterMs: flapping === undefined ? undefined : halfMs - (flapMs % halfMs),
  }
}
