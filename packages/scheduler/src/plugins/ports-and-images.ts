// Host ports, which must be free, and images, which are better there already than still to be pulled.

import { filterEach, NO_NODE, type Plugin, type World } from '../plugin.ts'
import type { NodeEntry } from '../state/cluster-state.ts'
import { normalisedImage } from '../template.ts'

export function nodePorts({ state, refusals }: World): Plugin {
  const taken = refusals.code('NodePorts', "node(s) didn't have free ports for the requested pod ports", true)
  return {
    names: ['NodePorts'],
    prepare(_pod, { ports }) {
      if (ports.length === 0) return undefined
      const one = (slot: number): number => {
        const entry = state.nodes[slot]
        if (entry === undefined) return NO_NODE
        return entry.ports.size > 0 && ports.some((port) => portTaken(entry, port)) ? taken : 0
      }
      return { filter: { one, all: (verdicts) => filterEach(verdicts, state.high, one) } }
    },
  }
}

/** A port on all addresses collides with the same port on any. */
export function portTaken({ ports }: Pick<NodeEntry, 'ports'>, wanted: string): boolean {
  if (ports.has(wanted)) return true
  const rest = wanted.slice(wanted.indexOf('/'))
  if (ports.has(`0.0.0.0${rest}`)) return true
  if (!wanted.startsWith('0.0.0.0/')) return false
  for (const port of ports.keys())
    if (port.endsWith(rest) && port.indexOf('/') === port.length - rest.length) return true
  return false
}

const SMALLEST = 23 * 1024 * 1024
const LARGEST_PER_CONTAINER = 1000 * 1024 * 1024

/** Prefers nodes that have the images: from 23 MB in all up to 1 GB a container; an image that few have counts less. */
export function imageLocality(world: World): Plugin {
  const index = new ImageIndex(world)
  return {
    names: ['ImageLocality'],
    prepare(_pod, template) {
      const held = index.current()
      const wanted = template.images.flatMap((image) => held.get(image) ?? [])
      if (wanted.length === 0) return undefined
      const largest = LARGEST_PER_CONTAINER * template.containerCount
      const sums = new Map<number, number>()
      for (const holders of wanted) {
        const share = holders.size / world.state.nodeCount
        for (const [slot, sizeBytes] of holders) sums.set(slot, (sums.get(slot) ?? 0) + Math.trunc(sizeBytes * share))
      }
      const fill = (slots: Int32Array, scores: Float64Array): void => {
        for (let at = 0; at < slots.length; at += 1) {
          const sum = Math.min(Math.max(sums.get(slots[at]!) ?? 0, SMALLEST), largest)
          scores[at] = Math.trunc((100 * (sum - SMALLEST)) / (largest - SMALLEST))
        }
      }
      return { scores: [{ plugin: 'ImageLocality', fill }] }
    },
  }
}

/** Who has which image, made anew when nodes changed. */
class ImageIndex {
  readonly #world: World
  #sequence = -1
  #held = new Map<string, Map<number, number>>()

  constructor(world: World) {
    this.#world = world
  }

  current(): ReadonlyMap<string, ReadonlyMap<number, number>> {
    const { state } = this.#world
    if (this.#sequence === state.nodeSequence) return this.#held
    this.#sequence = state.nodeSequence
    this.#held = new Map()
    for (let slot = 0; slot < state.high; slot += 1) {
      for (const { names = [], sizeBytes = 0 } of state.nodes[slot]?.node.status?.images ?? []) {
        for (const name of names) {
          const key = normalisedImage(name)
          let holders = this.#held.get(key)
          if (holders === undefined) this.#held.set(key, (holders = new Map()))
          holders.set(slot, sizeBytes)
        }
      }
    }
    return this.#held
  }
}
