// `25%` or `3`: a share of a total, or a number.

import type { IntOrString } from '@aksel/api/types/apimachinery-intstr'

/** A percentage of `total`, rounded as told, or the number itself. */
export function scaledValue(value: IntOrString, total: number, round: 'up' | 'down'): number {
  if (typeof value === 'number') return value
  const percent = /^(\d+)%$/.exec(value)
  if (percent === null) return Number.parseInt(value, 10) || 0
  const exact = (Number(percent[1]) * total) / 100
  return round === 'up' ? Math.ceil(exact) : Math.floor(exact)
}
