// Time as an object that is handed in, so that the simulation, a fork and a test can have a time of their own.

export interface Timer extends Disposable {
  /** True until it fired or was disposed. */
  readonly pending: boolean
}

export interface Clock {
  /** Wall time, milliseconds since the Unix epoch. May jump. */
  now(): number
  /** Milliseconds that never go backwards; only differences mean anything. */
  monotonicMs(): number
  /** Calls `fire` once after `delayMs`; disposing it cancels. A pending timer keeps the process alive. */
  after(delayMs: number, fire: () => void): Timer
}

/** Resolves after `delayMs`; rejects with the signal's reason when it aborts first. */
export function sleep(clock: Clock, delayMs: number, signal?: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    if (signal?.aborted === true) return reject(signal.reason as Error)
    const onAbort = (): void => {
      timer[Symbol.dispose]()
      reject(signal!.reason as Error)
    }
    const timer = clock.after(delayMs, () => {
      signal?.removeEventListener('abort', onAbort)
      resolve()
    })
    signal?.addEventListener('abort', onAbort, { once: true })
  })
}

const TIMER_MAX_MS = 2 ** 31 - 1

/** Another wall clock over the same time: ahead by so much, or behind where it is negative. */
export function shiftedClock(clock: Clock, offsetMs: number): Clock {
  return {
    now: () => clock.now() + offsetMs,
    monotonicMs: () => clock.monotonicMs(),
    after: (delayMs, fire) => clock.after(delayMs, fire),
  }
}

export function systemClock(): Clock {
  return {
    now: () => Date.now(),
    monotonicMs: () => performance.now(),
    after(delayMs, fire) {
      let pending = true
      const handle = setTimeout(
        () => {
          pending = false
          fire()
        },
        Math.min(Math.max(0, delayMs), TIMER_MAX_MS),
      )
      return {
        get pending() {
          return pending
        },
        [Symbol.dispose]() {
          pending = false
          clearTimeout(handle)
        },
      }
    },
  }
}

/** RFC 3339 in UTC with whole seconds: Kubernetes' `meta/v1.Time`. */
export function formatTime(ms: number): string {
  return `${new Date(Math.floor(ms / 1000) * 1000).toISOString().slice(0, 19)}Z`
}

/** RFC 3339 in UTC with six fraction digits: Kubernetes' `meta/v1.MicroTime`. */
export function formatMicroTime(ms: number): string {
  return `${new Date(ms).toISOString().slice(0, 23)}000Z`
}
