// Which taints a pod puts up with: the scheduler, the daemon sets and whoever drives pods off nodes ask the same question.

import type { Taint, Toleration } from '@aksel/api/types/core-v1'

export function toleratesTaint(toleration: Toleration, taint: Omit<Taint, 'timeAdded'>): boolean {
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

/** Numbers of 64 bits; what is none holds to nothing. */
function compares(
  taint: string | undefined,
  toleration: string | undefined,
  holds: (left: bigint, right: bigint) => boolean,
): boolean {
  const [left, right] = [integerOf(taint), integerOf(toleration)]
  return left !== undefined && right !== undefined && holds(left, right)
}

function integerOf(text: string | undefined): bigint | undefined {
  return text !== undefined && /^-?\d{1,19}$/.test(text) ? BigInt(text) : undefined
}
