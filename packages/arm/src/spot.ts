// Decisions about spot machines: who has to go when price or capacity of a size change, and who may not begin. Nothing here
// waits or writes.

/** What a size costs and how many spot machines of it there may be, in one region. Whatever is not said is no bound. */
export interface SpotMarket {
  readonly vmSize: string
  /** US dollars. */
  readonly pricePerHour?: number
  readonly capacity?: number
}

export interface SpotMachine {
  readonly name: string
  readonly clusterId: string
  readonly instance: number
  /** The most its pool pays; -1: whatever it costs. */
  readonly maxPrice: number
  /** It has begun already. */
  readonly exists: boolean
}

export interface Eviction {
  readonly machine: SpotMachine
  readonly why: string
}

/** A machine is told so long before it ends, as Azure does. */
export const noticeMs = 30_000

/** Who has to go: first those for whom it costs too much, then the youngest beyond what there is. */
export function judgeMarket(market: SpotMarket, machines: readonly SpotMachine[]): readonly Eviction[] {
  const tooDear = machines.filter(({ maxPrice }) => isTooDear(market, maxPrice))
  const left = machines.filter((machine) => !tooDear.includes(machine)).toSorted(eldestFirst)
  const beyond = market.capacity === undefined ? [] : left.slice(market.capacity)
  return [
    ...tooDear.map((machine) => ({
      machine,
      why: `the price of ${market.vmSize} is ${market.pricePerHour} USD an hour, above the maximum of ${machine.maxPrice}`,
    })),
    ...beyond.map((machine) => ({
      machine,
      why: `there is capacity for ${market.capacity} spot machine(s) of ${market.vmSize}`,
    })),
  ]
}

export type SpotRefusal = 'price' | 'capacity'

/** Why a machine may not begin; undefined where it may. */
export function judgeBegin(
  market: SpotMarket,
  name: string,
  machines: readonly SpotMachine[],
): SpotRefusal | undefined {
  const own = machines.find((machine) => machine.name === name)
  if (own === undefined) return undefined
  if (isTooDear(market, own.maxPrice)) return 'price'
  const place = machines.toSorted(eldestFirst).indexOf(own)
  return market.capacity !== undefined && place >= market.capacity ? 'capacity' : undefined
}

function isTooDear({ pricePerHour }: SpotMarket, maxPrice: number): boolean {
  return pricePerHour !== undefined && maxPrice !== -1 && pricePerHour > maxPrice
}

function eldestFirst(one: SpotMachine, other: SpotMachine): number {
  if (one.exists !== other.exists) return one.exists ? -1 : 1
  if (one.instance !== other.instance) return one.instance - other.instance
  return `${one.clusterId}/${one.name}` < `${other.clusterId}/${other.name}` ? -1 : 1
}
