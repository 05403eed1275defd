// Whether a node that lost a pod, or a promise, has room for those who wait: so that one pod that goes wakes only whom it may help.

import type { Pod } from '@aksel/api/types/core-v1'
import type { Decider } from './decider.ts'
import type { Nominations } from './nominations.ts'

export interface Room {
  /** Keys of pods that were promised this node, and for whom nobody has to go any more. */
  readonly heirs: readonly string[]
  /**
   * Whether it holds what the pod asks for, beside those of its priority or above that were promised a place. A pod for
   * which others are on their way out takes nobody's place meanwhile; any other counts those below it as gone.
   */
  fits(pod: Pod, how: { readonly isMakingRoom: boolean }): boolean
}

/** Undefined for a node that is not known: it tells nothing. `waitsForVictims`: whether pods that were ordered away for this one still stand. */
export function roomOn(
  decider: Decider,
  nominations: Nominations,
  nodeName: string,
  waitsForVictims: (key: string) => boolean,
): Room | undefined {
  const slot = decider.state.slotOf(nodeName)
  if (slot === undefined) return undefined
  const known = new Map<string, boolean>()
  return {
    heirs: nominations.keysOn(nodeName).filter((key) => !waitsForVictims(key)),
    fits(pod, { isMakingRoom }) {
      const { resourceKey } = decider.state.templates.of(pod)
      const key = `${isMakingRoom}|${pod.spec.schedulerName}|${pod.spec.priority}|${resourceKey}`
      let answer = known.get(key)
      if (answer === undefined) known.set(key, (answer = isRoomFor(decider, nominations, { pod, slot, isMakingRoom })))
      return answer
    },
  }
}

function isRoomFor(
  decider: Decider,
  nominations: Nominations,
  { pod, slot, isMakingRoom }: { readonly pod: Pod; readonly slot: number; readonly isMakingRoom: boolean },
): boolean {
  const { resources, nodes, templates } = decider.state
  const entry = nodes[slot]
  // The node went, and others with it: only a try tells.
  if (entry === undefined) return true
  const { profile } = decider.evaluatorOf(pod).world
  const priority = pod.spec.priority ?? 0
  const promised = nominations.on(slot, priority, '')
  const below = isMakingRoom ? [] : [...entry.pods.values()].filter((other) => other.priority < priority)
  if (resources.podCount[slot]! + promised.length - below.length + 1 > resources.podsAllowed[slot]!) return false
  return templates.of(pod).wanted.every(([name, amount]) => {
    if (profile.isIgnoredResource(name)) return true
    const column = resources.indexOf(name)
    let taken = resources.requested[column]![slot]! + amount
    for (const { template } of promised) taken += template.amounts[name] ?? 0
    for (const { template } of below) taken -= template.amounts[name] ?? 0
    return taken <= resources.allocatable[column]![slot]!
  })
}
