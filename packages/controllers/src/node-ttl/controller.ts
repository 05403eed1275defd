// Tells nodes by annotation how long they may keep secrets and config maps: the larger the cluster, the longer.

import { nodes } from '@aksel/api/resources'
import type { Node } from '@aksel/api/types/core-v1'
import { ignoreReason } from '@aksel/base/errors'
import { done } from '@aksel/runtime/controller'
import type { Controller, Source } from '@aksel/runtime/controller'
import type { LoopParts } from '../parts.ts'

export const ttlAnnotation = 'node.alpha.kubernetes.io/ttl'

interface Step {
  /** Nodes from which on this step ends, towards a larger cluster. */
  readonly max: number
  /** Nodes below which it ends, towards a smaller one: less than where it began, so that it does not flap. */
  readonly min: number
  readonly seconds: number
}

/** Upstream's boundaries. */
const steps: readonly Step[] = [
  { min: 0, max: 100, seconds: 0 },
  { min: 90, max: 500, seconds: 15 },
  { min: 450, max: 1000, seconds: 30 },
  { min: 900, max: 2000, seconds: 60 },
  { min: 1800, max: Infinity, seconds: 300 },
]

/** The step for so many nodes, coming from `step`. */
export function judgeStep(nodeCount: number, step: number): number {
  let next = step
  while (nodeCount > steps[next]!.max) next += 1
  while (nodeCount < steps[next]!.min) next -= 1
  return next
}

export function nodeTtlController({ client, caches }: LoopParts): Controller {
  const known = caches.of(nodes)
  let count = 0
  let step = 0
  const own: Source<Node> = {
    type: nodes,
    keysOf: (now, before) => {
      if (now === undefined || before === undefined) {
        count += now === undefined ? -1 : 1
        const next = judgeStep(count, step)
        // All must hear of it.
        if (next !== step) {
          step = next
          return known.list().map(({ metadata }) => metadata.name)
        }
      }
      return now === undefined || annotationOf(now) === String(steps[step]!.seconds) ? [] : [now.metadata.name]
    },
  }
  return {
    name: 'node-ttl',
    sources: [own],
    async reconcile(_scope, key) {
      const node = known.get(key)
      const wanted = String(steps[step]!.seconds)
      if (node === undefined || annotationOf(node) === wanted) return done
      const { uid } = node.metadata
      const body = { metadata: { uid, annotations: { [ttlAnnotation]: wanted } } }
      await ignoreReason('NotFound', client.patch(nodes, { name: key }, { kind: 'merge', body }))
      return done
    },
  }
}

function annotationOf({ metadata }: Node): string | undefined {
  return metadata.annotations?.[ttlAnnotation]
}
