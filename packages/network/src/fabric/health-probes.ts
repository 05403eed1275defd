// Asks the backends of load balancers whether they live, as Azure does: at an interval, with so many failures in a row to be
// out and one answer to be in again.

import { anySignal } from '@aksel/base/any-signal'
import type { Timer } from '@aksel/base/clock'
import type { Scope } from '@aksel/base/scope'
import type { HealthProbe } from '@aksel/provider/fabric'

/** What one question came to: undefined for health, else why not. */
export type Ask = (scope: Scope, place: ProbePlace) => Promise<string | undefined>

export interface ProbePlace {
  /** Where to connect to, from the host. */
  readonly host: string
  readonly port: number
  readonly probe: HealthProbe
}

export interface ProbeTarget {
  /** The backend's own address. */
  readonly address: string
  readonly probe: HealthProbe
  /** Found in force after a restart: it counts as healthy until it is lost. */
  readonly isKnown?: boolean
}

export interface ProbeChange {
  readonly target: ProbeTarget
  readonly isUp: boolean
  readonly why?: string
}

interface Watched {
  readonly target: ProbeTarget
  readonly stopped: AbortController
  isUp: boolean
  failures: number
  /** First answers of a backend that was never up are asked for sooner, from this on, doubled until the interval. */
  soonMs: number
  timer?: Timer
  first?: Promise<void>
}

const SOON_MS = 250

export function keyOfTarget({ address, probe }: Pick<ProbeTarget, 'address' | 'probe'>): string {
  return [address, probe.protocol, probe.port, probe.path ?? '', probe.intervalSeconds, probe.failures].join(' ')
}

/** The probes of one VNet. Several load balancers with the same probe share it. */
export class HealthProbes implements Disposable {
  readonly #scope: Scope
  readonly #ask: Ask
  readonly #placeOf: (target: ProbeTarget) => ProbePlace
  readonly #onChange: (change: ProbeChange) => void
  readonly #watched = new Map<string, Watched>()

  constructor(
    scope: Scope,
    options: {
      readonly ask: Ask
      readonly placeOf: (target: ProbeTarget) => ProbePlace
      readonly onChange: (change: ProbeChange) => void
    },
  ) {
    this.#scope = scope
    this.#ask = options.ask
    this.#placeOf = options.placeOf
    this.#onChange = options.onChange
  }

  /** Those to ask from now on. Resolves when each new one was asked once. */
  async set(targets: readonly ProbeTarget[]): Promise<void> {
    const wanted = new Map(targets.map((target) => [keyOfTarget(target), target]))
    for (const [key, watched] of this.#watched) {
      if (wanted.has(key)) continue
      this.#watched.delete(key)
      stop(watched)
    }
    for (const [key, target] of wanted) {
      if (this.#watched.has(key)) continue
      const isUp = target.isKnown === true
      const watched: Watched = { target, isUp, failures: 0, soonMs: SOON_MS, stopped: new AbortController() }
      this.#watched.set(key, watched)
      watched.first = this.#round(watched)
    }
    await Promise.all([...wanted.keys()].flatMap((key) => this.#watched.get(key)?.first ?? []))
  }

  /** A target that nobody asks counts as healthy. */
  isUp(target: Pick<ProbeTarget, 'address' | 'probe'>): boolean {
    return this.#watched.get(keyOfTarget(target))?.isUp ?? true
  }

  [Symbol.dispose](): void {
    for (const watched of this.#watched.values()) stop(watched)
    this.#watched.clear()
  }

  async #round(watched: Watched): Promise<void> {
    const { target, stopped } = watched
    const scope: Scope = { ...this.#scope, signal: anySignal([this.#scope.signal, stopped.signal]) }
    const why = await this.#ask(scope, this.#placeOf(target)).catch((error: unknown) => (error as Error).message)
    if (scope.signal.aborted) return
    const intervalMs = target.probe.intervalSeconds * 1000
    if (why === undefined) this.#answered(watched)
    else this.#failed(watched, why)
    const waitMs = watched.isUp || watched.soonMs >= intervalMs ? intervalMs : watched.soonMs
    if (!watched.isUp) watched.soonMs *= 2
    watched.timer = this.#scope.clock.after(waitMs, () => void this.#round(watched))
  }

  #answered(watched: Watched): void {
    watched.failures = 0
    watched.soonMs = Infinity
    if (watched.isUp) return
    watched.isUp = true
    this.#onChange({ target: watched.target, isUp: true })
  }

  #failed(watched: Watched, why: string): void {
    watched.failures += 1
    // Told once for one that never answered, too: its service is out of reach on that node.
    const isLost = watched.isUp && watched.failures >= watched.target.probe.failures
    const isNeverUp = !watched.isUp && watched.soonMs !== Infinity && watched.failures === TOLD_AFTER
    if (isLost) watched.isUp = false
    if (isLost || isNeverUp) this.#onChange({ target: watched.target, isUp: false, why })
  }
}

/** Failures of one that never answered until it is told: pods take a while to start. */
const TOLD_AFTER = 6

function stop({ stopped, timer }: Watched): void {
  stopped.abort(new Error('the probe is taken away'))
  timer?.[Symbol.dispose]()
}
