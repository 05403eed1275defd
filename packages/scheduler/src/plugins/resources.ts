// The plug-ins that count: free resources and pods, and how full and how evenly a node would be used.

import { NO_NODE, type Plugin, type World } from '../plugin.ts'
import type { ResourceWeight } from '../profile.ts'
import type { PodTemplate } from '../template.ts'
import { balancedScore, shareScore, type Share } from './resource-scores.ts'
import { ClassCache, SlotClass, type Slots } from './slot-class.ts'

const CLASSES_MAX = 128

class ResourceClass implements Slots {
  verdicts = new Uint16Array(0)
  /** Both scores, weighed and added. */
  weighed = new Float64Array(0)
  readonly #world: World
  readonly #wanted: readonly (readonly [index: number, amount: number])[]
  /** Refusal codes by which of the wanted resources lack: bit 0 is the number of pods; the high half for what never fits. */
  readonly #codes = new Map<number, number>()
  readonly #fitShares: readonly ShareSource[]
  readonly #balancedShares: readonly ShareSource[]

  constructor(world: World, template: PodTemplate) {
    this.#world = world
    const { state, profile } = world
    this.#wanted = template.wanted
      .filter(([name]) => !profile.isIgnoredResource(name))
      .map(([name, amount]) => [state.resources.indexOf(name), amount] as const)
    const sources = (weights: readonly ResourceWeight[], guesses: boolean): readonly ShareSource[] =>
      weights.flatMap((each) => shareSource(world, template, each, guesses))
    this.#fitShares = sources(profile.scoring.resources, true)
    this.#balancedShares = sources(profile.balancedResources, false)
  }

  grow(capacity: number): void {
    this.verdicts = new Uint16Array(capacity).fill(NO_NODE)
    this.weighed = new Float64Array(capacity)
  }

  judge(slot: number): void {
    this.verdicts[slot] = this.verdictOn(slot)
    const { scores, scoring } = this.#world.profile
    const fit = scores.get('NodeResourcesFit') ?? 0
    const balance = this.#scoresBalance ? (scores.get('NodeResourcesBalancedAllocation') ?? 0) : 0
    this.weighed[slot] =
      (fit === 0 ? 0 : fit * shareScore(this.#sharesOn(slot, this.#fitShares), scoring)) +
      (balance === 0 ? 0 : balance * balancedScore(this.#sharesOn(slot, this.#balancedShares)))
  }

  verdictOn(slot: number): number {
    const { resources } = this.#world.state
    let lacking = resources.podCount[slot]! + 1 > resources.podsAllowed[slot]! ? 1 : 0
    let never = 0
    for (let index = 0; index < this.#wanted.length; index += 1) {
      const [column, amount] = this.#wanted[index]!
      const allocatable = resources.allocatable[column]![slot]!
      if (amount <= allocatable - resources.requested[column]![slot]!) continue
      lacking |= 2 << index
      if (amount > allocatable) never |= 2 << index
    }
    return lacking === 0 ? 0 : this.#codeOf(lacking, never !== 0)
  }

  /** A pod that asks for none of the resources fits everywhere equally well. */
  get #scoresBalance(): boolean {
    return this.#balancedShares.some(({ own }) => own > 0)
  }

  #codeOf(lacking: number, never: boolean): number {
    const key = lacking * 2 + (never ? 1 : 0)
    const known = this.#codes.get(key)
    if (known !== undefined) return known
    const { state, refusals } = this.#world
    const words = lacking & 1 ? ['Too many pods'] : []
    for (const [index, [column]] of this.#wanted.entries())
      if (lacking & (2 << index)) words.push(`Insufficient ${state.resources.names[column]}`)
    const code = refusals.code('NodeResourcesFit', words, !never)
    this.#codes.set(key, code)
    return code
  }

  readonly #shares: Share[] = []

  /** One list, filled anew for each node. */
  #sharesOn(slot: number, sources: readonly ShareSource[]): readonly Share[] {
    const { resources } = this.#world.state
    this.#shares.length = 0
    for (const { column, own, guessed, weight } of sources) {
      const capacity = resources.allocatable[column]![slot]!
      if (capacity === 0) continue
      const taken =
        guessed === undefined
          ? resources.requested[column]![slot]!
          : guessed === 'cpu'
            ? resources.scoringCpu[slot]!
            : resources.scoringMemory[slot]!
      this.#shares.push({ used: taken + own, capacity, weight })
    }
    return this.#shares
  }
}

interface ShareSource {
  readonly column: number
  /** What the pod itself would add. */
  readonly own: number
  /** Counted with guesses for what pods do not say. */
  readonly guessed: 'cpu' | 'memory' | undefined
  readonly weight: number
}

/** A resource beyond cpu and memory that the pod does not ask for says nothing about where it should go. */
function shareSource(
  { state }: World,
  template: PodTemplate,
  { name, weight }: ResourceWeight,
  guesses: boolean,
): readonly ShareSource[] {
  const column = state.resources.indexOf(name)
  const isBasic = name === 'cpu' || name === 'memory'
  if (isBasic && guesses) return [{ column, own: template.scoring[name], guessed: name, weight }]
  const own = template.amounts[name] ?? 0
  return own === 0 && !isBasic && name !== 'ephemeral-storage' ? [] : [{ column, own, guessed: undefined, weight }]
}

export function nodeResources(world: World): Plugin {
  const { state, profile } = world
  const classes = new ClassCache<ResourceClass>(CLASSES_MAX)
  return {
    names: ['NodeResourcesFit', 'NodeResourcesBalancedAllocation'],
    prepare(_pod, template) {
      const make = (): SlotClass<ResourceClass> =>
        new SlotClass(new ResourceClass(world, template), { nodesOnly: false })
      const kept = classes.of(template.resourceKey, make).current(state)
      const filter = {
        one: (slot: number) => kept.verdictOn(slot),
        all(verdicts: Uint16Array) {
          const own = kept.verdicts
          const { high } = state
          for (let slot = 0; slot < high; slot += 1) if (verdicts[slot] === 0) verdicts[slot] = own[slot]!
        },
      }
      const { weighed, verdicts } = kept
      return profile.filters.has('NodeResourcesFit') ? { filter, verdicts, weighed } : { weighed }
    },
  }
}
