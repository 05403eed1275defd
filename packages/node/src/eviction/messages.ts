// What people are told of an eviction: upstream's words, on the pod's status and in its event. Pure.

import type { Pod } from '@aksel/api/types/core-v1'
import { canonicalQuantity, formatQuantity, quantityOfUnits } from '@aksel/base/quantity'
import { allContainers } from '../pod/names.ts'
import type { Observation } from './pressure.ts'
import { containerRequest } from './rank.ts'
import type { PodUsage, StarvedResource } from './rank.ts'
import { unitsOf } from './thresholds.ts'
import type { Threshold } from './thresholds.ts'

export const EVICTED = 'Evicted'

export interface EvictionNotice {
  readonly message: string
  /** For machines, on the event. */
  readonly annotations: Readonly<Record<string, string>>
}

export function evictionNotice(request: {
  readonly pod: Pod
  readonly resource: StarvedResource
  readonly usage: PodUsage | undefined
  readonly threshold: Threshold
  readonly observed: Observation | undefined
}): EvictionNotice {
  const { pod, resource, usage, threshold, observed } = request
  const parts = [`The node was low on resource: ${resource}. `]
  if (observed !== undefined) {
    const { below } = threshold
    const quantity =
      below.kind === 'quantity'
        ? canonicalQuantity(below.text)
        : amountText(unitsOf(below, observed.capacity), resource)
    parts.push(`Threshold quantity: ${quantity}, available: ${amountText(observed.available, resource)}. `)
  }
  const offenders: string[] = []
  const usages: string[] = []
  if (resource === 'memory' || resource === 'ephemeral-storage') {
    for (const container of allContainers(pod)) {
      const own = usage?.containers.find(({ name }) => name === container.name)
      if (own === undefined) continue
      const used = resource === 'memory' ? own.memoryBytes : own.diskBytes
      const request = containerRequest(container, resource)
      if (used <= request) continue
      const asked = container.resources?.requests?.[resource] ?? container.resources?.limits?.[resource]
      const usedText = amountText(used, resource)
      parts.push(
        `Container ${container.name} was using ${usedText}, request is ${asked === undefined ? '0' : canonicalQuantity(asked)}, has larger consumption of ${resource}. `,
      )
      offenders.push(container.name)
      usages.push(usedText)
    }
  }
  return {
    message: parts.join(''),
    annotations: {
      offending_containers: offenders.join(','),
      offending_containers_usage: usages.join(','),
      starved_resource: resource,
    },
  }
}

/** The pod asked for a place on a node that has no room for its like. */
export function pressureRefusal(conditions: readonly string[]): string {
  return `The node had condition: [${conditions.join(' ')}]. `
}

function amountText(units: number, resource: StarvedResource): string {
  const format = resource === 'memory' || resource === 'ephemeral-storage' ? 'BinarySI' : 'DecimalSI'
  return formatQuantity(quantityOfUnits(units, format))
}
