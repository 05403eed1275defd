// Arithmetic of estimated sizes and costs: ranges that grow, saturate, and never overflow.

import type { CelType } from './types.ts'

/** From the cheapest to the dearest outcome. Sizes and costs alike; both ends saturate at `unbounded`. */
export interface CostRange {
  readonly min: number
  readonly max: number
}

export interface CallEstimate {
  readonly cost: CostRange
  readonly resultSize?: CostRange | undefined
}

/** One operand of a call whose cost is estimated. */
export interface EstimatedNode {
  readonly type: CelType
  /** Its size; unbounded where nothing is known. */
  readonly size: CostRange
  /** Size of its elements, for a list. */
  readonly elementSize: CostRange
  /** The integer it is, where it is written out. */
  readonly literalInt: bigint | undefined
}

export interface EstimatedCall {
  readonly args: readonly EstimatedNode[]
  readonly target: EstimatedNode | undefined
  /** What the overload declares, the target first. */
  readonly params: readonly CelType[]
}

/** Where upstream's unsigned 64-bit count ends. */
export const unbounded = 2 ** 64

export const unknownSize: CostRange = { min: 0, max: unbounded }

export const traversalFactor = 0.1
export const regexFactor = 0.25

export function exactly(value: number): CostRange {
  return { min: value, max: value }
}

export function plus(left: CostRange, right: CostRange): CostRange {
  return { min: cap(left.min + right.min), max: cap(left.max + right.max) }
}

export function times(left: CostRange, right: CostRange): CostRange {
  return { min: cap(left.min * right.min), max: cap(left.max * right.max) }
}

/** Both ends by a factor, rounded up. */
export function scaled(range: CostRange, factor: number): CostRange {
  return { min: cap(Math.ceil(range.min * factor)), max: cap(Math.ceil(range.max * factor)) }
}

export function union(left: CostRange, right: CostRange): CostRange {
  return { min: Math.min(left.min, right.min), max: Math.max(left.max, right.max) }
}

/** The cost of walking so many code points once, or a multiple of it. */
export function traversal(size: number, factor = 1): number {
  return Math.ceil(size * factor * traversalFactor)
}

/** What matching a text against a pattern costs by upstream's rule: the product of their lengths, scaled. */
export function matching(textSize: number, patternSize: number): number {
  return traversal(textSize + 1) * Math.ceil(patternSize * regexFactor)
}

function cap(value: number): number {
  return value >= unbounded ? unbounded : value
}
