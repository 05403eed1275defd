// What a pod asks of a node, as numbers: the sum of its containers, or its largest init step, plus overhead.

import { quantityMilli, quantityUnits } from '@aksel/base/quantity'
import type { Container, Pod } from '@aksel/api/types/core-v1'

/** Amounts by resource name: cpu in millicores, everything else in its own unit. */
export type Amounts = Readonly<Record<string, number>>

type QuantityList = Readonly<Record<string, number | string>>

export function amountsOf(list: QuantityList | undefined): Amounts {
  const amounts: Record<string, number> = {}
  for (const [name, quantity] of Object.entries(list ?? {})) {
    amounts[name] = name === 'cpu' ? quantityMilli(quantity) : quantityUnits(quantity)
  }
  return amounts
}

/** The sum; names of either side. */
export function plus(a: Amounts, b: Amounts): Amounts {
  const sum: Record<string, number> = { ...a }
  for (const [name, amount] of Object.entries(b)) sum[name] = (sum[name] ?? 0) + amount
  return sum
}

export function minus(a: Amounts, b: Amounts): Amounts {
  const rest: Record<string, number> = { ...a }
  for (const [name, amount] of Object.entries(b)) rest[name] = (rest[name] ?? 0) - amount
  return rest
}

function larger(a: Amounts, b: Amounts): Amounts {
  const most: Record<string, number> = { ...a }
  for (const [name, amount] of Object.entries(b)) most[name] = Math.max(most[name] ?? 0, amount)
  return most
}

/**
 * The request that scheduling counts. Side-cars (init containers that restart always) run beside the containers and
 * beside the init steps that follow them; other init containers run one at a time before.
 */
export function requestOf(pod: Pod): Amounts {
  let running: Amounts = {}
  for (const container of pod.spec.containers) running = plus(running, requestsOf(container))
  let sideCars: Amounts = {}
  let initPeak: Amounts = {}
  for (const container of pod.spec.initContainers ?? []) {
    if (container.restartPolicy === 'Always') {
      sideCars = plus(sideCars, requestsOf(container))
      initPeak = larger(initPeak, sideCars)
    } else {
      initPeak = larger(initPeak, plus(sideCars, requestsOf(container)))
    }
  }
  return plus(larger(plus(running, sideCars), initPeak), amountsOf(pod.spec.overhead))
}

function requestsOf(container: Container): Amounts {
  return amountsOf(container.resources?.requests)
}

/** What scoring assumes of a container that asks for nothing, so that such pods spread too (upstream's 100m and 200 MB). */
export function scoringRequestOf(pod: Pod): Amounts {
  const request = requestOf(pod)
  return { ...request, cpu: request['cpu'] || 100, memory: request['memory'] || 200 * 1024 * 1024 }
}
