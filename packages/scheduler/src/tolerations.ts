// Which taints a pod puts up with.

import type { Taint, Toleration } from '@aksel/api/types/core-v1'

export function tolerates(tolerations: readonly Toleration[], taint: Omit<Taint, 'timeAdded'>): boolean {
  return tolerations.some((toleration) => toleratesTaint(toleration, taint))
}

/** The first taint that keeps the pod away. */
export function untolerated(
  taints: readonly Taint[] | undefined,
  tolerations: readonly Toleration[],
): Taint | undefined {
  if (taints === undefined) return undefined
  return taints.find((taint) => taint.effect !== 'PreferNoSchedule' && !tolerates(tolerations, taint))
}

function toleratesTaint(toleration: Toleration, taint: Omit<Taint, 'timeAdded'>): boolean {
  if (toleration.effect !== undefined && toleration.effect !== '' && toleration.effect !== taint.effect) return false
  if (toleration.key !== undefined && toleration.key !== '' && toleration.key !== taint.key) return false
  switch (toleration.operator ?? 'Equal') {
    case '':
    case 'Equal':
      return (toleration.value ?? '') === (taint.value ?? '')
    case 'Exists':
      return true
    case 'Gt':
      return compares(taint.value, toleration.value, (left, right) => left > right)
    case 'Lt':
      return compares(taint.value, toleration.value, (left, right) => left < right)
    default:
      return false
  }
}

function compares(
  taint: string | undefined,
  toleration: string | undefined,
  holds: (left: number, right: number) => boolean,
): boolean {
  if (!/^-?\d+$/.test(taint ?? '') || !/^-?\d+$/.test(toleration ?? '')) return false
  return holds(Number(taint), Number(toleration))
}
