// The admission chain: plug-ins that see every write after defaulting, first to change it, then to judge it.

import type { KindRow } from '@aksel/api/kind-row'
import type { KubernetesObject } from '@aksel/api/resource'
import type { Schemas } from '@aksel/api/schema'
import type { Draft } from '@aksel/base/draft'
import type { Clock } from '@aksel/base/clock'
import type { Random } from '@aksel/base/ids'
import type { Fence } from '@aksel/runtime/fenced-client'
import type { UserInfo } from '../authentication/user-info.ts'
import type { Authorizer } from '../authorization/attributes.ts'
import type { RecordStore } from '../registry/record-store.ts'
import type { Kinds } from '../registry/registry.ts'
import type { Waits } from '../call-context.ts'
import type { AdmissionMetrics, Step } from './admission-metrics.ts'

export type Operation = 'CREATE' | 'UPDATE' | 'DELETE' | 'CONNECT'

/** What a subresource takes in place of the object: a Binding, an Eviction, the options of an exec. */
export interface ShownBody {
  readonly group: string
  readonly version: string
  readonly kind: string
  readonly object: unknown
}

export interface AdmissionRequest {
  readonly operation: Operation
  readonly row: KindRow
  readonly subresource: string
  readonly namespace: string
  /** '' where a name will be generated. */
  readonly name: string
  readonly user: UserInfo
  readonly dryRun: boolean
  /** The object to be written, or that a subresource is of; undefined for deletes. Only `admit` may change it. */
  readonly object: Draft<KubernetesObject> | undefined
  readonly old: KubernetesObject | undefined
  readonly warnings: Set<string>
  /** Shown to webhooks and policies as the object, where a subresource has a body of its own. */
  readonly body?: ShownBody
  /** `CreateOptions` and their like, as the caller gave them. */
  readonly options?: Readonly<Record<string, unknown>>
  /** For the audit entry of the request. */
  readonly annotations?: Map<string, string>
  /** Grows by what webhooks took. */
  readonly waits?: Waits
  /** Aborts when the caller is gone. */
  readonly signal?: AbortSignal
  /** What the plug-ins write for this request is bound to it too. */
  readonly fence?: Fence
}

export interface AdmissionContext {
  readonly records: RecordStore
  readonly kinds: Kinds
  readonly schemas: Schemas
  readonly authorizer: Authorizer
  readonly clock: Clock
  readonly random: Random
  readonly metrics: AdmissionMetrics
}

/** Whether the chain has to run again because something late in it changed what something early has seen. */
export class Reinvocation {
  /** By plug-in: what it remembers between the rounds. */
  readonly memory = new Map<string, unknown>()
  round = 0
  isDue = false
}

export interface AdmissionPlugin {
  readonly name: string
  /** Cheap: called for every write. */
  handles(request: AdmissionRequest): boolean
  /** May change the object; true when it did. Throws an ApiError to refuse. */
  admit?(request: AdmissionRequest, context: AdmissionContext, rounds: Reinvocation): Promise<boolean> | boolean
  /** Throws an ApiError to refuse. */
  validate?(request: AdmissionRequest, context: AdmissionContext): Promise<void> | void
}

export class AdmissionChain {
  readonly #plugins: readonly AdmissionPlugin[]
  readonly #context: AdmissionContext

  constructor(plugins: readonly AdmissionPlugin[], context: AdmissionContext) {
    this.#plugins = plugins
    this.#context = context
  }

  /** True when a plug-in changed the object: it has to be defaulted again. */
  async mutate(request: AdmissionRequest): Promise<boolean> {
    const startMs = this.#context.clock.monotonicMs()
    const rounds = new Reinvocation()
    try {
      let changed = await this.#admit(request, rounds)
      if (rounds.isDue) {
        rounds.round += 1
        if (await this.#admit(request, rounds)) changed = true
      }
      this.#observe('', 'admit', request, startMs)
      return changed
    } catch (error) {
      this.#observe('', 'admit', request, startMs, error)
      throw error
    }
  }

  async #admit(request: AdmissionRequest, rounds: Reinvocation): Promise<boolean> {
    let changed = false
    for (const plugin of this.#plugins) {
      if (plugin.admit === undefined || !plugin.handles(request)) continue
      const startMs = this.#context.clock.monotonicMs()
      try {
        if (await plugin.admit(request, this.#context, rounds)) changed = true
      } catch (error) {
        this.#observe(plugin.name, 'admit', request, startMs, error)
        throw error
      }
      this.#observe(plugin.name, 'admit', request, startMs)
    }
    return changed
  }

  async validate(request: AdmissionRequest): Promise<void> {
    const startMs = this.#context.clock.monotonicMs()
    try {
      for (const plugin of this.#plugins) {
        if (plugin.validate !== undefined && plugin.handles(request)) await this.#validate(plugin, request)
      }
    } catch (error) {
      this.#observe('', 'validate', request, startMs, error)
      throw error
    }
    this.#observe('', 'validate', request, startMs)
  }

  async #validate(plugin: AdmissionPlugin, request: AdmissionRequest): Promise<void> {
    const startMs = this.#context.clock.monotonicMs()
    try {
      await plugin.validate!(request, this.#context)
    } catch (error) {
      this.#observe(plugin.name, 'validate', request, startMs, error)
      throw error
    }
    this.#observe(plugin.name, 'validate', request, startMs)
  }

  /** `plugin` is '' for the whole step. */
  #observe(plugin: string, step: Step, { operation }: AdmissionRequest, startMs: number, error?: unknown): void {
    const { clock, metrics } = this.#context
    metrics.observe(plugin, step, operation, error !== undefined, (clock.monotonicMs() - startMs) / 1000)
  }
}

/** Does the request concern this resource itself (no subresource)? */
export function concerns(request: AdmissionRequest, group: string, plural: string): boolean {
  return request.row.plural === plural && request.row.group === group && request.subresource === ''
}
