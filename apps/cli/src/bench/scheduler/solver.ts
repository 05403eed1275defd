// The decision alone, without an API: how many pods a second find their node when all nodes are scored for each.

import type { Pod } from '@aksel/api/types/core-v1'
import { Decider } from '@aksel/scheduler/decider'
import { defaultProfile } from '@aksel/scheduler/profile'
import type { Objects } from '@aksel/scheduler/plugin'
import { CommandError } from '../../command-error.ts'
import { basic, benchNode, benchPod } from './workloads.ts'

const nothing: Objects = {
  namespaceLabels: () => ({}),
  claim: () => undefined,
  volume: () => undefined,
  freeVolumes: () => [],
  storageClass: () => undefined,
  csiNode: () => undefined,
  csiDriver: () => undefined,
  storageCapacities: () => [],
  defaultSelector: () => undefined,
}

const nobody = { isEmpty: true, isPromised: () => false, slotFor: () => undefined, on: () => [] }

/** Pods a second; throws where a pod found no place. */
export function solve(nodeCount: number, podCount: number): number {
  const decider = new Decider(nothing, [defaultProfile()])
  for (let index = 0; index < nodeCount; index += 1) decider.state.setNode(benchNode(index))
  const waiting: readonly Pod[] = Array.from({ length: podCount }, (_, index) =>
    benchPod(basic, `pod-${index}`, 'bench'),
  )
  const startedMs = performance.now()
  for (const pod of waiting) {
    const decision = decider.decide(pod, nobody)
    if (decision.kind !== 'fits') throw new CommandError(`A pod found no place: ${decision.message}`)
    decider.state.setPod({ ...pod, spec: { ...pod.spec, nodeName: decision.nodeName } })
  }
  return podCount / ((performance.now() - startedMs) / 1000)
}
