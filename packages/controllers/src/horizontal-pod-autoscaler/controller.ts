// Gives workloads as many replicas as their load asks for, within the limits that people set.

import { isDeepStrictEqual } from 'node:util'
import { keyOf } from '@aksel/api/resource'
import { horizontalPodAutoscalers, pods } from '@aksel/api/resources'
import type {
  HorizontalPodAutoscaler,
  HorizontalPodAutoscalerStatus,
  MetricStatus,
} from '@aksel/api/types/autoscaling-v2'
import type { Scale } from '@aksel/api/types/autoscaling-v1'
import type { Pod } from '@aksel/api/types/core-v1'
import type { LabelSelector } from '@aksel/api/types/meta-v1'
import { formatTime } from '@aksel/base/clock'
import type { Scope } from '@aksel/base/scope'
import { again, done } from '@aksel/runtime/controller'
import type { Cache, Controller, Outcome, Source } from '@aksel/runtime/controller'
import { matchesSelector, parseSelector } from '@aksel/runtime/selectors'
import { ReplacedRevisions } from '../expectations.ts'
import { withCondition, writeStatus } from '../parts.ts'
import type { LoopParts } from '../parts.ts'
import { tell } from '../pod-control.ts'
import { Scales } from '../scales.ts'
import { computeMetric, failurePrefix, failureReasons } from './compute.ts'
import type { MetricProposal } from './compute.ts'
import { limitReplicas, noteChange } from './limits.ts'
import type { News, ScaleHistory } from './limits.ts'
import { MetricsApi } from './metrics.ts'

export interface AutoscalerParts extends LoopParts {
  /** Between two looks at the metrics. Default 15 s. */
  readonly syncPeriodMs?: number
}

export function horizontalPodAutoscalerController(parts: AutoscalerParts): Controller {
  const loop = new AutoscalerLoop(parts)
  const own: Source<HorizontalPodAutoscaler> = {
    type: horizontalPodAutoscalers,
    // The API server counts no generations of autoscalers: what is wanted is compared itself.
    keysOf: (now, before) =>
      now !== undefined && before !== undefined && isDeepStrictEqual(now.spec, before.spec)
        ? []
        : [keyOf((now ?? before)!)],
  }
  return {
    name: 'horizontal-pod-autoscaler',
    sources: [own, { type: pods, keysOf: () => [] }],
    workers: 5,
    reconcile: (scope, key) => loop.reconcile(scope, key),
  }
}

interface Memory extends ScaleHistory {
  readonly uid: string
  /** Of its target, as last read: two autoscalers must not work on one set of pods. */
  selector: LabelSelector | undefined
}

class AutoscalerLoop {
  readonly #parts: AutoscalerParts
  readonly #scales: Scales
  readonly #api: MetricsApi
  readonly #autoscalers: Cache<HorizontalPodAutoscaler>
  readonly #pods: Cache<Pod>
  readonly #memory = new Map<string, Memory>()
  readonly #replaced = new ReplacedRevisions()

  constructor(parts: AutoscalerParts) {
    this.#parts = parts
    this.#scales = new Scales(parts.client)
    this.#api = new MetricsApi(parts.client)
    this.#autoscalers = parts.caches.of(horizontalPodAutoscalers)
    this.#pods = parts.caches.of(pods)
  }

  async reconcile(scope: Scope, key: string): Promise<Outcome> {
    const autoscaler = this.#autoscalers.get(key)
    if (autoscaler === undefined || autoscaler.metadata.deletionTimestamp !== undefined) {
      this.#memory.delete(key)
      return done
    }
    const periodMs = this.#parts.syncPeriodMs ?? 15_000
    if (!this.#replaced.isStale(autoscaler)) {
      const pass = new AutoscalerPass(scope, this.#parts, autoscaler, this.#memoryOf(key, autoscaler))
      const status = await pass.run(this.#scales, this.#api, (selector) => this.#podsOf(key, selector))
      this.#replaced.note(
        autoscaler,
        await writeStatus(this.#parts.client, horizontalPodAutoscalers, autoscaler, status),
      )
    }
    return again(periodMs)
  }

  #memoryOf(key: string, { metadata }: HorizontalPodAutoscaler): Memory {
    const known = this.#memory.get(key)
    if (known?.uid === metadata.uid) return known!
    const memory: Memory = { uid: metadata.uid!, selector: undefined, recommendations: [], ups: [], downs: [] }
    this.#memory.set(key, memory)
    return memory
  }

  /** The pods of a target, and the other autoscalers that work on one of them. */
  #podsOf(key: string, selector: LabelSelector): TargetPods {
    const namespace = key.slice(0, key.indexOf('/'))
    const mine = this.#pods.list(namespace).filter(({ metadata }) => matchesSelector(selector, metadata.labels))
    const rivals = [...this.#memory].filter(
      ([other, memory]) =>
        other !== key &&
        other.startsWith(`${namespace}/`) &&
        memory.selector !== undefined &&
        mine.some(({ metadata }) => matchesSelector(memory.selector, metadata.labels)),
    )
    return { pods: mine, rivals: rivals.map(([other]) => other) }
  }
}

interface TargetPods {
  readonly pods: readonly Pod[]
  readonly rivals: readonly string[]
}

interface Wish {
  readonly replicas: number
  readonly reason: string
}

class AutoscalerPass {
  readonly #scope: Scope
  readonly #parts: AutoscalerParts
  readonly #autoscaler: HorizontalPodAutoscaler
  readonly #memory: Memory
  readonly #nowMs: number
  #conditions: NonNullable<HorizontalPodAutoscalerStatus['conditions']>
  #metrics: readonly MetricStatus[] = []

  constructor(scope: Scope, parts: AutoscalerParts, autoscaler: HorizontalPodAutoscaler, memory: Memory) {
    this.#scope = scope
    this.#parts = parts
    this.#autoscaler = autoscaler
    this.#memory = memory
    this.#nowMs = scope.clock.now()
    this.#conditions = autoscaler.status?.conditions ?? []
  }

  async run(
    scales: Scales,
    api: MetricsApi,
    podsOf: (selector: LabelSelector) => TargetPods,
  ): Promise<HorizontalPodAutoscalerStatus> {
    const { spec, metadata, status } = this.#autoscaler
    const { kind, name, apiVersion = 'v1' } = spec.scaleTargetRef ?? { kind: '', name: '' }
    const target = { kind, name, apiVersion, namespace: metadata.namespace! }
    let scale: Scale
    try {
      scale = await scales.get(target)
    } catch (error) {
      this.#tell('Warning', 'FailedGetScale', (error as Error).message)
      const message = `the HPA controller was unable to get the target's current scale: ${(error as Error).message}`
      this.#set({ type: 'AbleToScale', status: 'False', reason: 'FailedGetScale', message })
      return { desiredReplicas: 0, currentMetrics: [], ...status, conditions: this.#conditions }
    }
    const got = "the HPA controller was able to get the target's current scale"
    this.#set({ type: 'AbleToScale', status: 'True', reason: 'SucceededGetScale', message: got })
    const current = scale.spec.replicas ?? 0
    if (this.#memory.recommendations.length === 0)
      this.#memory.recommendations.push({ replicas: current, atMs: this.#nowMs })
    const wish = await this.#wish(api, scale, podsOf)
    if (wish === undefined) return this.#status(current, status?.desiredReplicas ?? 0)
    if (wish.replicas === current) return this.#status(current, current)
    try {
      await scales.set(target, scale, wish.replicas)
    } catch (error) {
      const why = (error as Error).message
      this.#tell('Warning', 'FailedRescale', `New size: ${wish.replicas}; reason: ${wish.reason}; error: ${why}`)
      const message = `the HPA controller was unable to update the target scale: ${why}`
      this.#set({ type: 'AbleToScale', status: 'False', reason: 'FailedUpdateScale', message })
      return this.#status(current, status?.desiredReplicas ?? 0)
    }
    const message = `the HPA controller was able to update the target scale to ${wish.replicas}`
    this.#set({ type: 'AbleToScale', status: 'True', reason: 'SucceededRescale', message })
    this.#tell('Normal', 'SuccessfulRescale', `New size: ${wish.replicas}; reason: ${wish.reason}`)
    noteChange(this.#autoscaler, this.#memory, { from: current, to: wish.replicas }, this.#nowMs)
    return { ...this.#status(current, wish.replicas), lastScaleTime: formatTime(this.#nowMs) }
  }

  /** Undefined where the metrics allow no verdict. */
  async #wish(
    api: MetricsApi,
    scale: Scale,
    podsOf: (selector: LabelSelector) => TargetPods,
  ): Promise<Wish | undefined> {
    const { spec } = this.#autoscaler
    const current = scale.spec.replicas ?? 0
    const min = spec.minReplicas ?? 1
    if (current === 0 && min !== 0) {
      const message = 'scaling is disabled since the replica count of the target is zero'
      this.#set({ type: 'ScalingActive', status: 'False', reason: 'ScalingDisabled', message })
      return { replicas: 0, reason: '' }
    }
    if (current > spec.maxReplicas)
      return { replicas: spec.maxReplicas, reason: 'Current number of replicas above Spec.MaxReplicas' }
    if (current < min) return { replicas: min, reason: 'Current number of replicas below Spec.MinReplicas' }
    const proposal = await this.#compute(api, scale, podsOf)
    if (proposal === undefined) return undefined
    const limited = limitReplicas(this.#autoscaler, this.#memory, { current, desired: proposal.replicas }, this.#nowMs)
    for (const news of limited.news) this.#set(news)
    const isAbove = proposal.replicas > current
    return {
      replicas: limited.replicas,
      reason: isAbove ? `${proposal.name} above target` : 'All metrics below target',
    }
  }

  /** The largest proposal of all metrics; undefined, and told, where they allow none. */
  async #compute(
    api: MetricsApi,
    scale: Scale,
    podsOf: (selector: LabelSelector) => TargetPods,
  ): Promise<MetricProposal | undefined> {
    const target = this.#target(scale, podsOf)
    if (target === undefined) return undefined
    const parts = {
      api,
      autoscaler: this.#autoscaler,
      scale,
      selector: scale.status!.selector!,
      pods: target.pods,
      nowMs: this.#nowMs,
    }
    const metrics = this.#autoscaler.spec.metrics ?? []
    let best: MetricProposal | undefined
    const statuses: MetricStatus[] = []
    const failures: { readonly condition: News; readonly message: string }[] = []
    for (const metric of metrics) {
      try {
        const proposal = await computeMetric(parts, metric)
        statuses.push(proposal.status)
        if (best === undefined || proposal.replicas > best.replicas) best = proposal
      } catch (error) {
        const why = (error as Error).message
        const reason = failureReasons[metric.type] ?? 'InvalidMetricSourceType'
        this.#tell('Warning', reason, why)
        const message = `the HPA was unable to compute the replica count: ${why}`
        const condition: News = { type: 'ScalingActive', status: 'False', reason, message }
        failures.push({ condition, message: `${failurePrefix(metric)}: ${why}` })
      }
    }
    this.#metrics = statuses
    const first = failures[0]
    if (first !== undefined && (best === undefined || best.replicas < (scale.spec.replicas ?? 0))) {
      // A metric that is not known may ask for more: nothing is taken away.
      this.#set(first.condition)
      const what = `invalid metrics (${failures.length} invalid out of ${metrics.length}), first error is: ${first.message}`
      this.#tell('Warning', 'FailedComputeMetricsReplicas', what)
      return undefined
    }
    if (best === undefined) return undefined
    const message = `the HPA was able to successfully calculate a replica count from ${best.name}`
    this.#set({ type: 'ScalingActive', status: 'True', reason: 'ValidMetricFound', message })
    return best
  }

  #target({ status }: Scale, podsOf: (selector: LabelSelector) => TargetPods): TargetPods | undefined {
    const text = status?.selector ?? ''
    if (text === '')
      return this.#refuse(
        'SelectorRequired',
        'selector is required',
        'InvalidSelector',
        "the HPA target's scale is missing a selector",
      )
    let selector: LabelSelector
    try {
      selector = parseSelector(text)
    } catch (error) {
      const what = `couldn't convert selector into a corresponding internal selector object: ${(error as Error).message}`
      return this.#refuse('InvalidSelector', what, 'InvalidSelector', what)
    }
    this.#memory.selector = selector
    const target = podsOf(selector)
    if (target.rivals.length === 0) return target
    const { namespace, name } = this.#autoscaler.metadata
    const all = [`${namespace}/${name}`, ...target.rivals].toSorted()
    const what = `pods by selector ${text} are controlled by multiple HPAs: [${all.join(' ')}]`
    return this.#refuse('AmbiguousSelector', what, 'AmbiguousSelector', what)
  }

  #refuse(event: string, what: string, reason: string, message: string): undefined {
    this.#tell('Warning', event, what)
    this.#tell('Warning', 'FailedComputeMetricsReplicas', what)
    this.#set({ type: 'ScalingActive', status: 'False', reason, message })
    return undefined
  }

  #status(current: number, desired: number): HorizontalPodAutoscalerStatus {
    const { lastScaleTime } = this.#autoscaler.status ?? {}
    return {
      currentReplicas: current,
      desiredReplicas: desired,
      currentMetrics: this.#metrics,
      conditions: this.#conditions,
      ...(lastScaleTime === undefined ? {} : { lastScaleTime }),
    }
  }

  #set({ type, status, reason, message }: News): void {
    const lastTransitionTime = formatTime(this.#nowMs)
    const next = { type, status, reason, message, lastTransitionTime }
    const index = this.#conditions.findIndex((condition) => condition.type === type)
    const known = withCondition(this.#conditions, next).find((condition) => condition.type === type)!
    this.#conditions = index < 0 ? [...this.#conditions, known] : this.#conditions.with(index, known)
  }

  #tell(level: 'Normal' | 'Warning', reason: string, message: string): void {
    const owner = { type: horizontalPodAutoscalers, object: this.#autoscaler, source: 'horizontal-pod-autoscaler' }
    tell(this.#scope, this.#parts.client, owner, level, reason, message)
  }
}
