// What a node watches itself for, and below which amount it acts: eviction thresholds as a kubelet configuration
// writes them, read and judged. Pure.

import { durationMs } from '@aksel/base/duration'
import { parseQuantity, quantityUnits } from '@aksel/base/quantity'

export const signals = [
  'memory.available',
  'nodefs.available',
  'nodefs.inodesFree',
  'imagefs.available',
  'imagefs.inodesFree',
  'pid.available',
] as const
export type Signal = (typeof signals)[number]

/** How much of a signal: in its own units, or as a part of the capacity. */
export type Amount =
  | { readonly kind: 'quantity'; readonly units: number; readonly text: string }
  | { readonly kind: 'fraction'; readonly fraction: number }

export interface Threshold {
  readonly signal: Signal
  /** Met while less than this is available. */
  readonly below: Amount
  /** How long it must be met before pods go; 0 for a hard one. */
  readonly graceMs: number
  readonly isHard: boolean
  /** What must be free beyond the threshold before it counts as over. */
  readonly reclaim?: Amount
}

/** As in a KubeletConfiguration. */
export interface EvictionSettings {
  readonly evictionHard: Readonly<Record<string, string>>
  readonly evictionSoft: Readonly<Record<string, string>>
  readonly evictionSoftGracePeriod: Readonly<Record<string, string>>
  readonly evictionMinimumReclaim: Readonly<Record<string, string>>
}

/** Throws an error that names the setting. */
export function parseThresholds(settings: EvictionSettings): readonly Threshold[] {
  const reclaims = amounts('evictionMinimumReclaim', settings.evictionMinimumReclaim)
  const graces = new Map<Signal, number>()
  for (const [name, text] of Object.entries(settings.evictionSoftGracePeriod)) {
    graces.set(signalOf('evictionSoftGracePeriod', name), durationMs(`evictionSoftGracePeriod: ${name}`, text))
  }
  const withReclaim = (signal: Signal): Pick<Threshold, 'reclaim'> => {
    const reclaim = reclaims.get(signal)
    return reclaim === undefined ? {} : { reclaim }
  }
  const hard = [...amounts('evictionHard', settings.evictionHard)].map(([signal, below]): Threshold => ({
    signal,
    below,
    graceMs: 0,
    isHard: true,
    ...withReclaim(signal),
  }))
  const soft = [...amounts('evictionSoft', settings.evictionSoft)].map(([signal, below]): Threshold => {
    const graceMs = graces.get(signal)
    if (graceMs === undefined)
      throw new Error(`grace period must be specified for the soft eviction threshold ${signal}`)
    return { signal, below, graceMs, isHard: false, ...withReclaim(signal) }
  })
  return [...hard, ...soft].filter(({ below }) => (below.kind === 'quantity' ? below.units > 0 : below.fraction > 0))
}

function amounts(setting: string, texts: Readonly<Record<string, string>>): ReadonlyMap<Signal, Amount> {
  return new Map(Object.entries(texts).map(([name, text]) => [signalOf(setting, name), parseAmount(setting, text)]))
}

function signalOf(setting: string, name: string): Signal {
  if (!signals.includes(name as Signal)) throw new Error(`${setting}: unknown eviction signal ${name}`)
  return name as Signal
}

function parseAmount(setting: string, text: string): Amount {
  const percent = /^(\d+(?:\.\d+)?)%$/.exec(text)
  if (percent !== null) {
    const fraction = Number(percent[1]) / 100
    if (fraction > 1) throw new Error(`${setting}: eviction percentage threshold must be <= 100%: ${text}`)
    return { kind: 'fraction', fraction }
  }
  try {
    parseQuantity(text)
  } catch (cause) {
    throw new Error(`${setting}: "${text}" is neither a quantity nor a percentage`, { cause })
  }
  const units = quantityUnits(text)
  if (units < 0) throw new Error(`${setting}: eviction threshold must be positive: ${text}`)
  return { kind: 'quantity', units, text }
}

/** In the signal's units. */
export function unitsOf(amount: Amount, capacity: number): number {
  return amount.kind === 'quantity' ? amount.units : Math.floor(amount.fraction * capacity)
}
