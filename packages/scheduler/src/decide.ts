// The decision itself, without waiting or writing: which node for this pod, or why none.

import type { Pod } from '@aksel/api/types/core-v1'
import type { Plugin, PreparedPlugin, WakeUp, World } from './plugin.ts'
import { imageLocality, nodePorts, nodeResourcesBalancedAllocation, nodeResourcesFit } from './plugins/resources.ts'
import { interPodAffinity } from './plugins/inter-pod-affinity.ts'
import { nodeAffinity, nodeName, nodeUnschedulable, taintToleration } from './plugins/node-basics.ts'
import { podTopologySpread } from './plugins/topology-spread.ts'
import { volumeBinding, volumeRestrictions, volumeZone } from './plugins/volumes.ts'
import type { NodeState } from './snapshot.ts'

/** The default profile, in the order in which upstream filters. */
export const defaultPlugins: readonly Plugin[] = [
  nodeUnschedulable,
  nodeName,
  taintToleration,
  nodeAffinity,
  nodePorts,
  nodeResourcesFit,
  volumeRestrictions,
  volumeBinding,
  volumeZone,
  podTopologySpread,
  interPodAffinity,
  nodeResourcesBalancedAllocation,
  imageLocality,
]

export type Decision =
  | { readonly kind: 'fits'; readonly nodeName: string; readonly score: number }
  | {
      readonly kind: 'unschedulable'
      /** Upstream's sentence: `0/3 nodes are available: 2 Insufficient cpu, …`. */
      readonly message: string
      /** What each node answered, by name. */
      readonly answers: ReadonlyMap<string, readonly string[]>
      /** Plug-ins that turned the pod away, for the queue's hints. */
      readonly wokenBy: ReadonlySet<WakeUp>
    }

/** Judges every node; among those that fit the highest score wins, ties go to the least loaded and then by name. */
export function decide(pod: Pod, world: World, plugins: readonly Plugin[] = defaultPlugins): Decision {
  const prepared: { readonly plugin: Plugin; readonly ready: PreparedPlugin }[] = []
  for (const plugin of plugins) {
    const ready = plugin.prepare(pod, world)
    if (ready === undefined) continue
    if ('blocked' in ready) return blocked(ready.blocked, plugin, world)
    prepared.push({ plugin, ready })
  }
  const answers = new Map<string, readonly string[]>()
  const turnedAway = new Set<Plugin>()
  const fitting: NodeState[] = []
  for (const [name, state] of world.nodes) {
    const refusal = firstRefusal(prepared, state)
    if (refusal === undefined) fitting.push(state)
    else {
      answers.set(name, refusal.misfit)
      turnedAway.add(refusal.plugin)
    }
  }
  if (fitting.length > 0) return best(prepared, fitting)
  const wokenBy = new Set<WakeUp>([...turnedAway].flatMap((plugin) => plugin.wokenBy))
  if (world.nodes.size === 0)
    return {
      kind: 'unschedulable',
      message: 'no nodes available to schedule pods',
      answers,
      wokenBy: new Set(['node']),
    }
  return { kind: 'unschedulable', message: sentence(answers, world.nodes.size), answers, wokenBy }
}

function firstRefusal(
  prepared: readonly { readonly plugin: Plugin; readonly ready: PreparedPlugin }[],
  state: NodeState,
): { readonly plugin: Plugin; readonly misfit: readonly string[] } | undefined {
  for (const { plugin, ready } of prepared) {
    const misfit = ready.filter?.(state)
    if (misfit !== undefined) return { plugin, misfit }
  }
  return undefined
}

function best(
  prepared: readonly { readonly plugin: Plugin; readonly ready: PreparedPlugin }[],
  fitting: readonly NodeState[],
): Decision {
  const totals = new Float64Array(fitting.length)
  if (fitting.length > 1) {
    for (const { plugin, ready } of prepared) {
      if (ready.score === undefined) continue
      const scores = Float64Array.from(fitting, (state) => ready.score!(state))
      ready.normalise?.(scores)
      for (let index = 0; index < totals.length; index += 1)
        totals[index] = totals[index]! + scores[index]! * plugin.weight
    }
  }
  let winner = 0
  for (let index = 1; index < fitting.length; index += 1) {
    if (
      totals[index]! > totals[winner]! ||
      (totals[index] === totals[winner] && comesFirst(fitting[index]!, fitting[winner]!))
    )
      winner = index
  }
  return { kind: 'fits', nodeName: fitting[winner]!.node.metadata.name, score: totals[winner]! }
}

function comesFirst(a: NodeState, b: NodeState): boolean {
  return a.pods.size === b.pods.size ? a.node.metadata.name < b.node.metadata.name : a.pods.size < b.pods.size
}

function blocked(reason: string, plugin: Plugin, world: World): Decision {
  const answers = new Map([...world.nodes.keys()].map((name) => [name, [reason]] as const))
  return {
    kind: 'unschedulable',
    message: `0/${world.nodes.size} nodes are available: ${reason}.`,
    answers,
    wokenBy: new Set(plugin.wokenBy),
  }
}

function sentence(answers: ReadonlyMap<string, readonly string[]>, total: number): string {
  const counts = new Map<string, number>()
  for (const reasons of answers.values())
    for (const reason of reasons) counts.set(reason, (counts.get(reason) ?? 0) + 1)
  const parts = [...counts].map(([reason, count]) => `${count} ${reason}`).sort()
  const preemption = `preemption: 0/${total} nodes are available: ${total} Preemption is not helpful for scheduling.`
  return `0/${total} nodes are available: ${parts.join(', ')}. ${preemption}`
}
