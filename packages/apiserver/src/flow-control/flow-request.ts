// A request as the queues of a priority level see it: how wide it is, how long that is guessed to last, and where it belongs.

export interface QueueConfiguration {
  /** 0: nobody waits; beyond the seats requests are refused. */
  readonly queues: number
  readonly handSize: number
  readonly queueLengthLimit: number
}

export interface FlowRequest {
  readonly hash: bigint
  /** Seats that it takes while it runs: the more of those for its own work and of those after it. */
  readonly seats: number
  /** For its own work, where fewer than `seats`. */
  readonly initialSeats?: number
  /** After it is over, while its watchers are told. */
  readonly final?: FinalWork
  /** Told once, when it gets them; not for a request that gets them as it comes. */
  readonly start: () => void
}

export interface FinalWork {
  readonly seats: number
  readonly ms: number
}

export type Arrival = 'executing' | 'queued' | 'queue-full' | 'concurrency-limit'

export interface QueueShown {
  readonly waiting: readonly FlowRequest[]
  readonly executing: number
  readonly seatsInUse: number
  readonly nextDispatchR: number
}

/** What a request is taken to last until it is over, in seconds: upstream's guess. */
export const SERVICE_SECONDS = 0.003

export function ownSeats({ seats, initialSeats = seats }: FlowRequest): number {
  return initialSeats
}

/** In seat-seconds: of its own work a guess. */
export function workOf(request: FlowRequest): number {
  const { final } = request
  return ownSeats(request) * SERVICE_SECONDS + (final === undefined ? 0 : (final.seats * final.ms) / 1000)
}
