// The shape of a row in the table of functions.

import type { Frame } from '../frame.ts'
import type { Value } from '../values.ts'

export interface TemplateFunction {
  /** How many arguments it takes. */
  readonly min: number
  readonly max: number
  readonly run: (args: readonly Value[], frame: Frame) => Value
}

/** `min` to `max` arguments; exactly `min` where no `max` is given. */
export function fn(min: number, max: number | undefined, run: TemplateFunction['run']): TemplateFunction {
  return { min, max: max ?? min, run }
}
