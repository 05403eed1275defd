// What nodes offer and what is taken, by resource: a column of numbers each, so that a decision reads thousands of nodes
// without touching an object.

import type { Amounts } from '../pod-resources.ts'

export class ResourceColumns {
  /** By name: `cpu` is 0 and `memory` 1. */
  readonly #indexes = new Map<string, number>()
  readonly names: string[] = []
  readonly allocatable: Float64Array[] = []
  readonly requested: Float64Array[] = []
  /** Cpu and memory with guesses for containers that ask for none. */
  scoringCpu: Float64Array
  scoringMemory: Float64Array
  podCount: Int32Array
  podsAllowed: Float64Array
  #capacity: number

  constructor(capacity: number) {
    this.#capacity = capacity
    this.scoringCpu = new Float64Array(capacity)
    this.scoringMemory = new Float64Array(capacity)
    this.podCount = new Int32Array(capacity)
    this.podsAllowed = new Float64Array(capacity)
    this.indexOf('cpu')
    this.indexOf('memory')
  }

  /** The column of a resource, made when it is first named. */
  indexOf(name: string): number {
    const known = this.#indexes.get(name)
    if (known !== undefined) return known
    const index = this.names.push(name) - 1
    this.#indexes.set(name, index)
    this.allocatable.push(new Float64Array(this.#capacity))
    this.requested.push(new Float64Array(this.#capacity))
    return index
  }

  grow(capacity: number): void {
    this.#capacity = capacity
    for (let index = 0; index < this.names.length; index += 1) {
      this.allocatable[index] = grown(this.allocatable[index]!, capacity)
      this.requested[index] = grown(this.requested[index]!, capacity)
    }
    this.scoringCpu = grown(this.scoringCpu, capacity)
    this.scoringMemory = grown(this.scoringMemory, capacity)
    this.podsAllowed = grown(this.podsAllowed, capacity)
    const counts = new Int32Array(capacity)
    counts.set(this.podCount)
    this.podCount = counts
  }

  setAllocatable(slot: number, amounts: Amounts): void {
    for (const name in amounts) this.indexOf(name)
    for (let index = 0; index < this.names.length; index += 1)
      this.allocatable[index]![slot] = amounts[this.names[index]!] ?? 0
    this.podsAllowed[slot] = amounts['pods'] ?? 0
  }

  /** `sign` is 1 for a pod that comes and -1 for one that goes. */
  count(slot: number, pod: CountedPod, sign: 1 | -1): void {
    for (const name in pod.amounts) {
      const column = this.requested[this.indexOf(name)]!
      column[slot] = column[slot]! + sign * pod.amounts[name]!
    }
    this.scoringCpu[slot] = this.scoringCpu[slot]! + sign * pod.scoring.cpu
    this.scoringMemory[slot] = this.scoringMemory[slot]! + sign * pod.scoring.memory
    this.podCount[slot] = this.podCount[slot]! + sign
  }
}

export interface CountedPod {
  readonly amounts: Amounts
  readonly scoring: { readonly cpu: number; readonly memory: number }
}

export function grown(array: Float64Array, capacity: number): Float64Array {
  const larger = new Float64Array(capacity)
  larger.set(array)
  return larger
}
