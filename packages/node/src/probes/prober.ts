// Runs the probes of one run of a container, each on its own period, and keeps what they found.

import type { Container, Probe } from '@aksel/api/types/core-v1'
import type { Timer } from '@aksel/base/clock'
import type { Scope } from '@aksel/base/scope'
import type { ProbeVerdicts } from '../pod/judge.ts'
import type { CheckResult } from './check.ts'

export const probeKinds = ['startup', 'liveness', 'readiness'] as const
export type ProbeKind = (typeof probeKinds)[number]
type Result = ProbeVerdicts['startup']

export interface ProbeResult {
  readonly kind: ProbeKind
  readonly healthy: boolean
  readonly seconds: number
}

export interface ProberOptions {
  readonly container: Container
  readonly startedAtMs: number
  /** What an earlier agent found of this same run: kept until a probe says otherwise. */
  readonly known?: { readonly started: boolean; readonly ready: boolean }
  readonly check: (probe: Probe, timeoutMs: number) => Promise<CheckResult>
  /** A verdict changed. */
  readonly onChange: () => void
  /** A check was made. */
  readonly onResult: (result: ProbeResult) => void
  /** A check failed: for an event. */
  readonly onFailure: (kind: ProbeKind, output: string) => void
  /** It succeeded in a way that its user may not have meant. */
  readonly onWarning: (kind: ProbeKind, output: string) => void
}

/** Starts at once; ends when disposed. */
export class ContainerProber implements Disposable {
  readonly #loops: Readonly<Record<ProbeKind, ProbeLoop | undefined>>

  constructor(scope: Scope, options: ProberOptions) {
    const { container, known } = options
    const begun: Result = known?.started === true ? 'success' : 'unknown'
    const ready: Result = known?.ready === true ? 'success' : 'failure'
    const startup = loopOf(scope, options, 'startup', container.startupProbe, begun, () => true)
    const afterStartup = (): boolean => startup === undefined || startup.result === 'success'
    this.#loops = {
      startup,
      liveness: loopOf(scope, options, 'liveness', container.livenessProbe, 'success', afterStartup),
      readiness: loopOf(scope, options, 'readiness', container.readinessProbe, ready, afterStartup),
    }
  }

  get verdicts(): ProbeVerdicts {
    return { startup: this.#loops.startup?.result ?? 'success', liveness: this.#loops.liveness?.result ?? 'success' }
  }

  get ready(): boolean {
    return (this.#loops.readiness?.result ?? 'success') === 'success'
  }

  /** A pod that ends is not restarted by its probes; it may still become unready. */
  stopRestarting(): void {
    this.#loops.startup?.[Symbol.dispose]()
    this.#loops.liveness?.[Symbol.dispose]()
  }

  [Symbol.dispose](): void {
    for (const kind of probeKinds) this.#loops[kind]?.[Symbol.dispose]()
  }
}

function loopOf(
  scope: Scope,
  options: ProberOptions,
  kind: ProbeKind,
  probe: Probe | undefined,
  initial: Result,
  mayRun: () => boolean,
): ProbeLoop | undefined {
  return probe === undefined ? undefined : new ProbeLoop(scope, options, kind, probe, initial, mayRun)
}

class ProbeLoop implements Disposable {
  result: Result
  readonly #scope: Scope
  readonly #options: ProberOptions
  readonly #kind: ProbeKind
  readonly #probe: Probe
  readonly #mayRun: () => boolean
  #timer: Timer
  #stopped = false
  #last: boolean | undefined
  #streak = 0

  constructor(
    scope: Scope,
    options: ProberOptions,
    kind: ProbeKind,
    probe: Probe,
    initial: Result,
    mayRun: () => boolean,
  ) {
    this.#scope = scope
    this.#options = options
    this.#kind = kind
    this.#probe = probe
    this.#mayRun = mayRun
    this.result = initial
    const beginMs = options.startedAtMs + (probe.initialDelaySeconds ?? 0) * 1000 - scope.clock.now()
    this.#timer = scope.clock.after(Math.max(0, beginMs), () => void this.#run())
  }

  [Symbol.dispose](): void {
    this.#stopped = true
    this.#timer[Symbol.dispose]()
  }

  async #run(): Promise<void> {
    const periodMs = (this.#probe.periodSeconds ?? 10) * 1000
    const beganMs = this.#scope.clock.monotonicMs()
    if (this.#mayRun()) await this.#checkOnce()
    if (this.#stopped) return
    // Waiting for the startup probe costs nothing, so readiness follows it closely.
    const restMs = this.#mayRun() ? periodMs - (this.#scope.clock.monotonicMs() - beganMs) : Math.min(periodMs, 1000)
    this.#timer = this.#scope.clock.after(Math.max(0, restMs), () => void this.#run())
  }

  async #checkOnce(): Promise<void> {
    // A startup probe that has succeeded is done.
    if (this.#kind === 'startup' && this.result === 'success') return this[Symbol.dispose]()
    const beganMs = this.#scope.clock.monotonicMs()
    const { healthy, output, isWarning } = await this.#options.check(
      this.#probe,
      (this.#probe.timeoutSeconds ?? 1) * 1000,
    )
    if (this.#stopped) return
    const seconds = (this.#scope.clock.monotonicMs() - beganMs) / 1000
    this.#options.onResult({ kind: this.#kind, healthy, seconds })
    if (!healthy) this.#options.onFailure(this.#kind, output)
    else if (isWarning === true) this.#options.onWarning(this.#kind, output)
    this.#streak = healthy === this.#last ? this.#streak + 1 : 1
    this.#last = healthy
    const needed = healthy ? (this.#probe.successThreshold ?? 1) : (this.#probe.failureThreshold ?? 3)
    if (this.#streak < needed) return
    const result: Result = healthy ? 'success' : 'failure'
    if (result === this.result) return
    this.result = result
    this.#options.onChange()
  }
}
