// How many seats each level has now: between what it never lends and what it may borrow, by what its requests have wanted lately.
// Pure arithmetic, as upstream's.

export interface LevelBounds {
  /** Seats by its shares. */
  readonly nominal: number
  /** What is left when all that it lends is lent. */
  readonly min: number
  readonly max: number
}

export interface LevelShares {
  readonly shares: number
  readonly lendablePercent: number
  /** Of its own seats; undefined: as many as there are. */
  readonly borrowingLimitPercent: number | undefined
}

export function boundsOf(all: ReadonlyMap<string, LevelShares>, totalSeats: number): ReadonlyMap<string, LevelBounds> {
  const sum = [...all.values()].reduce((total, { shares }) => total + shares, 0)
  return new Map(
    [...all].map(([name, { shares, lendablePercent, borrowingLimitPercent }]) => {
      const nominal = sum === 0 ? 0 : Math.ceil((totalSeats * shares) / sum)
      const lendable = Math.round((nominal * lendablePercent) / 100)
      const borrowed =
        borrowingLimitPercent === undefined ? totalSeats : Math.round((nominal * borrowingLimitPercent) / 100)
      return [name, { nominal, min: nominal - lendable, max: nominal + borrowed }] as const
    }),
  )
}

/** Of the past, for one period: how long how many seats were wanted. */
export class SeatDemand {
  #wanted = 0
  #sinceMs: number
  #atMs: number
  #sum = 0
  #squares = 0
  #most = 0
  smoothed = 0
  /** Of the period that was closed last. */
  highWatermark = 0
  average = 0
  deviation = 0

  constructor(nowMs: number) {
    this.#sinceMs = nowMs
    this.#atMs = nowMs
  }

  want(seats: number, nowMs: number): void {
    const ms = nowMs - this.#atMs
    this.#sum += this.#wanted * ms
    this.#squares += this.#wanted ** 2 * ms
    this.#atMs = nowMs
    this.#wanted = seats
    this.#most = Math.max(this.#most, seats)
  }

  /** Closes the period. What was wanted more is followed at once, what is wanted less is forgotten slowly. */
  close(nowMs: number): number {
    this.want(this.#wanted, nowMs)
    const ms = nowMs - this.#sinceMs
    const average = ms === 0 ? this.#wanted : this.#sum / ms
    const deviation = ms === 0 ? 0 : Math.sqrt(Math.max(0, this.#squares / ms - average ** 2))
    const envelope = Math.min(average + deviation, this.#most)
    this.highWatermark = this.#most
    this.average = average
    this.deviation = deviation
    this.smoothed = Math.max(envelope, SMOOTHING * this.smoothed + (1 - SMOOTHING) * envelope)
    this.#sinceMs = nowMs
    this.#sum = 0
    this.#squares = 0
    this.#most = this.#wanted
    return this.smoothed
  }
}

/** Upstream's coefficient: an old peak is half forgotten after five minutes. */
const SMOOTHING = 0.977
const ROUNDS = 60

export interface Allotment {
  readonly seats: ReadonlyMap<string, number>
  /** Of its target, what each level gets that its bounds do not hold. */
  readonly fairFraction: number
}

/** Of a level: what it would have, were there enough. */
export function targetOf({ min }: LevelBounds, demand: number): number {
  return Math.max(min, demand)
}

/** Seats by level: in proportion to what each wants, within its bounds, all of `available` where the bounds let them. */
export function allot(
  levels: ReadonlyMap<string, { readonly bounds: LevelBounds; readonly demand: number }>,
  available: number,
): Allotment {
  const at = (share: number): ReadonlyMap<string, number> =>
    new Map(
      [...levels].map(([name, { bounds, demand }]) => {
        const target = targetOf(bounds, demand)
        return [name, Math.min(bounds.max, Math.max(bounds.min, share * Math.max(target, 1e-3)))] as const
      }),
    )
  const sum = (seats: ReadonlyMap<string, number>): number => [...seats.values()].reduce((total, one) => total + one, 0)
  let [low, high] = [0, 1]
  while (sum(at(high)) < available && high < 1e9) high *= 2
  for (let round = 0; round < ROUNDS; round++) {
    const middle = (low + high) / 2
    if (sum(at(middle)) > available) high = middle
    else low = middle
  }
  return { seats: new Map([...at(low)].map(([name, seats]) => [name, Math.round(seats)])), fairFraction: low }
}
