// Pending because no node has room: what is asked for, what the roomiest node still has, and whether any node is large enough.

import { podAmounts, isLive } from '@aksel/api/quota/pod-usage'
import type { Node, Pod } from '@aksel/api/types/core-v1'
import { quantityMilli, quantityUnits } from '@aksel/base/quantity'
import type { Picture } from '../picture.ts'

export interface Shortage {
  readonly resource: string
  /** As the pod writes it. */
  readonly wanted: string
  readonly free: string
  readonly freeNode: string
  /** No node would hold it even if it were empty. */
  readonly isTooLargeForAll: boolean
}

/** Of each resource that none of these nodes has enough of. */
export function shortagesOf(picture: Picture, pod: Pod, nodes: readonly Node[]): readonly Shortage[] {
  if (nodes.length === 0) return []
  const wanted = amountsOf(pod)
  return [...wanted].flatMap(([resource, amount]) => {
    if (amount === 0) return []
    const room = nodes.map((node) => ({ node, ...roomOn(picture, node, resource) }))
    if (room.some(({ free }) => free >= amount)) return []
    const best = room.reduce((left, right) => (right.free > left.free ? right : left))
    return [
      {
        resource,
        wanted: amountText(resource, amount),
        free: amountText(resource, Math.max(0, best.free)),
        freeNode: best.node.metadata.name,
        isTooLargeForAll: room.every(({ all }) => all < amount),
      },
    ]
  })
}

function roomOn(
  picture: Picture,
  { metadata, status }: Node,
  resource: string,
): { readonly all: number; readonly free: number } {
  const all = unitsOf(resource, status?.allocatable?.[resource] ?? '0')
  const taken = picture.pods
    .filter((pod) => pod.spec.nodeName === metadata.name && isLive(pod, picture.nowMs))
    .reduce((sum, pod) => sum + (amountsOf(pod).get(resource) ?? 0), 0)
  return { all, free: all - taken }
}

/** In thousandths of a core, bytes, or pieces; a pod is one of `pods`. */
function amountsOf(pod: Pod): ReadonlyMap<string, number> {
  const amounts = new Map<string, number>([['pods', 1]])
  for (const [resource, { nano }] of podAmounts(pod, 'requests'))
    amounts.set(resource, resource === 'cpu' ? Number(nano / 1_000_000n) : Number(nano / 1_000_000_000n))
  return amounts
}

function unitsOf(resource: string, quantity: string | number): number {
  return resource === 'cpu' ? quantityMilli(quantity) : quantityUnits(quantity)
}

function amountText(resource: string, amount: number): string {
  if (resource === 'cpu') return amount % 1000 === 0 ? String(amount / 1000) : `${amount}m`
  if (resource !== 'memory' && resource !== 'ephemeral-storage') return String(amount)
  const mebibytes = amount / 1024 ** 2
  return mebibytes >= 1024 ? `${round(mebibytes / 1024)}Gi` : `${round(mebibytes)}Mi`
}

function round(value: number): number {
  return Math.round(value * 10) / 10
}
