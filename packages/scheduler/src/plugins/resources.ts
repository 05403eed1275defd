// The plug-ins that count: free resources, pods and host ports, and how evenly a node would be used.

import { requestOf, scoringRequestOf } from '../pod-resources.ts'
import { hostPortsOf, type NodeState } from '../snapshot.ts'
import type { Plugin } from '../plugin.ts'

export const nodePorts: Plugin = {
  name: 'NodePorts',
  weight: 0,
  wokenBy: ['node', 'pod-gone'],
  prepare(pod) {
    const wanted = hostPortsOf(pod)
    if (wanted.length === 0) return undefined
    return {
      filter: (state) =>
        wanted.some((port) => portTaken(state, port))
          ? ["node(s) didn't have free ports for the requested pod ports"]
          : undefined,
    }
  },
}

/** A port on all addresses collides with the same port on any. */
function portTaken(state: NodeState, wanted: string): boolean {
  if (state.ports.has(wanted)) return true
  const rest = wanted.slice(wanted.indexOf('/'))
  if (state.ports.has(`0.0.0.0${rest}`)) return true
  return wanted.startsWith('0.0.0.0/') && [...state.ports.keys()].some((port) => port.endsWith(rest))
}

export const nodeResourcesFit: Plugin = {
  name: 'NodeResourcesFit',
  weight: 1,
  wokenBy: ['node', 'pod-gone', 'pod-changed'],
  prepare(pod) {
    const wanted = Object.entries(requestOf(pod)).filter(([, amount]) => amount > 0)
    const scoring = scoringRequestOf(pod)
    return {
      filter(state) {
        const lacking: string[] = []
        if (state.pods.size + 1 > (state.allocatable['pods'] ?? 0)) lacking.push('Too many pods')
        for (const [name, amount] of wanted) {
          if (amount > (state.allocatable[name] ?? 0) - (state.requested[name] ?? 0))
            lacking.push(`Insufficient ${name}`)
        }
        return lacking.length === 0 ? undefined : lacking
      },
      // Least allocated: the mean of the free shares of cpu and memory.
      score: (state) => (freeShare(state, 'cpu', scoring['cpu']!) + freeShare(state, 'memory', scoring['memory']!)) / 2,
    }
  },
}

function freeShare(state: NodeState, name: string, amount: number): number {
  const capacity = state.allocatable[name] ?? 0
  const used = (state.scoringRequested[name] ?? 0) + amount
  return capacity === 0 || used > capacity ? 0 : ((capacity - used) * 100) / capacity
}

export const nodeResourcesBalancedAllocation: Plugin = {
  name: 'NodeResourcesBalancedAllocation',
  weight: 1,
  wokenBy: [],
  prepare(pod) {
    const request = requestOf(pod)
    return {
      score(state) {
        const cpu = usedFraction(state, 'cpu', request['cpu'] ?? 0)
        const memory = usedFraction(state, 'memory', request['memory'] ?? 0)
        return (1 - Math.abs(cpu - memory) / 2) * 100
      },
    }
  },
}

function usedFraction(state: NodeState, name: string, amount: number): number {
  const capacity = state.allocatable[name] ?? 0
  return capacity === 0 ? 1 : Math.min(1, ((state.requested[name] ?? 0) + amount) / capacity)
}

/** Prefers nodes that have the images already: between 23 MB and 1 GB per container, as upstream. */
export const imageLocality: Plugin = {
  name: 'ImageLocality',
  weight: 1,
  wokenBy: [],
  prepare(pod, world) {
    const containers = [...(pod.spec.initContainers ?? []), ...pod.spec.containers]
    const wanted = new Set(containers.map(({ image }) => normalisedImage(image ?? '')))
    const smallest = 23 * 1024 * 1024
    const largest = 1000 * 1024 * 1024 * containers.length
    const holders = new Map<string, number>()
    for (const state of world.nodes.values()) {
      for (const name of imagesOf(state).keys()) if (wanted.has(name)) holders.set(name, (holders.get(name) ?? 0) + 1)
    }
    if (holders.size === 0) return undefined
    return {
      score(state) {
        let sum = 0
        for (const [name, sizeBytes] of imagesOf(state)) {
          if (wanted.has(name)) sum += (sizeBytes * (holders.get(name) ?? 0)) / world.nodes.size
        }
        return (100 * (Math.min(Math.max(sum, smallest), largest) - smallest)) / (largest - smallest)
      },
    }
  },
}

function imagesOf(state: NodeState): ReadonlyMap<string, number> {
  return new Map(
    (state.node.status?.images ?? []).flatMap((image) =>
      (image.names ?? []).map((name) => [name, image.sizeBytes ?? 0] as const),
    ),
  )
}

/** A name without tag means the tag `latest`. */
function normalisedImage(name: string): string {
  return name.lastIndexOf(':') <= name.lastIndexOf('/') ? `${name}:latest` : name
}
