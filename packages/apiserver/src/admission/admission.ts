// The admission chain: plug-ins that see every write after defaulting, first to change it, then to judge it.

import type { KindRow } from '@aksel/api/kind-row'
import type { KubernetesObject } from '@aksel/api/resource'
import type { Draft } from '@aksel/base/draft'
import type { Clock } from '@aksel/base/clock'
import type { Random } from '@aksel/base/ids'
import type { UserInfo } from '../authentication/user-info.ts'
import type { RecordStore } from '../registry/record-store.ts'
import type { Kinds } from '../registry/registry.ts'

export type Operation = 'CREATE' | 'UPDATE' | 'DELETE' | 'CONNECT'

export interface AdmissionRequest {
  readonly operation: Operation
  readonly row: KindRow
  readonly subresource: string
  readonly namespace: string
  /** '' where a name will be generated. */
  readonly name: string
  readonly user: UserInfo
  readonly dryRun: boolean
  /** The object to be written, or a subresource's body; undefined for deletes. Only `admit` may change it. */
  readonly object: Draft<KubernetesObject> | undefined
  readonly old: KubernetesObject | undefined
  readonly warnings: Set<string>
}

export interface AdmissionContext {
  readonly records: RecordStore
  readonly kinds: Kinds
  readonly clock: Clock
  readonly random: Random
}

export interface AdmissionPlugin {
  readonly name: string
  /** Cheap: called for every write. */
  handles(request: AdmissionRequest): boolean
  /** May change the object; true when it did. Throws an ApiError to refuse. */
  admit?(request: AdmissionRequest, context: AdmissionContext): Promise<boolean> | boolean
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
    let changed = false
    for (const plugin of this.#plugins) {
      if (plugin.admit === undefined || !plugin.handles(request)) continue
      if (await plugin.admit(request, this.#context)) changed = true
    }
    return changed
  }

  async validate(request: AdmissionRequest): Promise<void> {
    for (const plugin of this.#plugins) {
      if (plugin.validate !== undefined && plugin.handles(request)) await plugin.validate(request, this.#context)
    }
  }
}

/** Does the request concern this resource itself (no subresource)? */
export function concerns(request: AdmissionRequest, group: string, plural: string): boolean {
  return request.row.plural === plural && request.row.group === group && request.subresource === ''
}
