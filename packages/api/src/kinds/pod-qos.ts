// The quality-of-service class of a pod, from what its containers ask for.

import { parseQuantity } from '@aksel/base/quantity'
import type { Pod } from '../types/core-v1.ts'

const counted = ['cpu', 'memory']

/** `Guaranteed`, `Burstable` or `BestEffort`. */
export function qosClassOf({ spec }: Pod): string {
  const requests = new Set<string>()
  const limits = new Set<string>()
  let isGuaranteed = true
  const all = [...(spec.containers ?? []), ...(spec.initContainers ?? [])]
  const asking = spec.resources === undefined ? all : [{ resources: spec.resources }]
  for (const { resources } of asking) {
    for (const name of counted) {
      const [request, limit] = [resources?.requests?.[name], resources?.limits?.[name]]
      if (isSome(request)) requests.add(name)
      if (isSome(limit)) limits.add(name)
      if (!isSome(limit) || (isSome(request) && !isSame(request!, limit!))) isGuaranteed = false
    }
  }
  if (requests.size === 0 && limits.size === 0) return 'BestEffort'
  return isGuaranteed && limits.size === counted.length ? 'Guaranteed' : 'Burstable'
}

function isSome(quantity: string | number | undefined): boolean {
  return quantity !== undefined && parseQuantity(quantity).nano !== 0n
}

function isSame(one: string | number, other: string | number): boolean {
  return one === other || parseQuantity(one).nano === parseQuantity(other).nano
}
