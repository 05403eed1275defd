// Prefers the domains that hold fewer of the pod's kind, larger topologies counting more, as upstream weighs them.

import type { Score, World } from '../plugin.ts'
import type { PodTemplate } from '../template.ts'
import type { Counted } from './topology-spread.ts'

const HOSTNAME = 'kubernetes.io/hostname'

interface SoftSpread {
  readonly template: PodTemplate
  readonly soft: readonly Counted[]
  readonly needsAllKeys: boolean
}

export function spreadScore(world: World, { soft, needsAllKeys }: SoftSpread): Score {
  const { topology } = world.state
  // Of hosts, what stands on the node itself counts, whatever the mask says of the node.
  const tallies = soft.map((each) =>
    each.constraint.topologyKey === HOSTNAME ? topology.tally(each.constraint.selector, each.column) : each.tally,
  )
  return {
    plugin: 'PodTopologySpread',
    fill(slots, scores) {
      const count = slots.length
      const ignored = ignoredOf(soft, slots, needsAllKeys)
      const ignoredCount = ignored === undefined ? 0 : ignored.reduce((sum, each) => sum + each, 0)
      const weights = soft.map((each) =>
        Math.log(
          (each.constraint.topologyKey === HOSTNAME ? count - ignoredCount : domainsOf(each, slots, ignored)) + 2,
        ),
      )
      scores.fill(0, 0, count)
      for (let at = 0; at < soft.length; at += 1)
        addShares(slots, scores, soft[at]!.column, sharesOf(soft[at]!, tallies[at]!.counts, weights[at]!))
      let fewest = Infinity
      let most = -Infinity
      for (let index = 0; index < count; index += 1) {
        if (ignored !== undefined && ignored[index] === 1) continue
        const score = Math.round(scores[index]!)
        scores[index] = score
        if (score < fewest) fewest = score
        if (score > most) most = score
      }
      for (let index = 0; index < count; index += 1) {
        if (ignored !== undefined && ignored[index] === 1) scores[index] = 0
        else scores[index] = most === 0 ? 100 : Math.trunc((100 * (most + fewest - scores[index]!)) / most)
      }
    },
  }
}

/** What each value of the key adds to a node's score. */
function sharesOf({ column, constraint }: Counted, counts: Float64Array, weight: number): Float64Array {
  const shares = new Float64Array(column.ids.size)
  for (let value = 0; value < shares.length; value += 1)
    shares[value] = (value < counts.length ? counts[value]! : 0) * weight + (constraint.maxSkew - 1)
  return shares
}

function addShares(
  slots: Int32Array,
  scores: Float64Array,
  { valueOf }: Counted['column'],
  shares: Float64Array,
): void {
  for (let index = 0; index < slots.length; index += 1) {
    const value = valueOf[slots[index]!]!
    if (value >= 0) scores[index] = scores[index]! + shares[value]!
  }
}

/** 1 for a node that lacks a key; undefined where none does. */
function ignoredOf(soft: readonly Counted[], slots: Int32Array, needsAllKeys: boolean): Uint8Array | undefined {
  if (!needsAllKeys) return undefined
  let ignored: Uint8Array | undefined
  for (const { column } of soft) {
    for (let index = 0; index < slots.length; index += 1) {
      if (column.valueOf[slots[index]!]! >= 0) continue
      ignored ??= new Uint8Array(slots.length)
      ignored[index] = 1
    }
  }
  return ignored
}

function domainsOf({ column }: Counted, slots: Int32Array, ignored: Uint8Array | undefined): number {
  const seen = new Uint8Array(column.ids.size)
  let count = 0
  for (let index = 0; index < slots.length; index += 1) {
    if (ignored !== undefined && ignored[index] === 1) continue
    const value = column.valueOf[slots[index]!]!
    if (value < 0 || seen[value] === 1) continue
    seen[value] = 1
    count += 1
    if (count === seen.length) break
  }
  return count
}
