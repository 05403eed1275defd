// How many requests are under way, for the metrics; who may be, flow control decides.

/** Upstream's `--max-requests-inflight` and `--max-mutating-requests-inflight`: together, the seats of flow control. */
export interface SeatLimits {
  /** Requests at once that change something. */
  readonly mutatingMax: number
  readonly readingMax: number
}

export const defaultSeatLimits: SeatLimits = { mutatingMax: 4000, readingMax: 8000 }

export class InFlight {
  mutating = 0
  reading = 0

  begin(mutates: boolean): void {
    if (mutates) this.mutating += 1
    else this.reading += 1
  }

  end(mutates: boolean): void {
    if (mutates) this.mutating -= 1
    else this.reading -= 1
  }
}
