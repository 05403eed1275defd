// What the verbs of all resources share: records, kinds, admission, pools. One per server, no state of its own.

import type { KindRow, Release, WriteContext } from '@aksel/api/kind-row'
import type { KubernetesObject } from '@aksel/api/resource'
import type { Schemas } from '@aksel/api/schema'
import type { Scope } from '@aksel/base/scope'
import type { Fence } from '@aksel/runtime/fenced-client'
import type { AdmissionChain } from '../admission/admission.ts'
import type { UserInfo } from '../authentication/user-info.ts'
import type { Waits } from '../call-context.ts'
import type { ProtobufDecoder } from '../protobuf/decode.ts'
import type { ProtobufEncoder } from '../protobuf/encode.ts'
import type { ManagedKinds } from './managed-kinds.ts'
import type { AllocationPools } from './allocation-pools.ts'
import type { RecordStore } from './record-store.ts'
import type { WatchMetrics } from './watch-metrics.ts'
import type { QueueMetrics } from '../queue-metrics.ts'
import type { Turns } from '../turns.ts'

/** The kinds that are served. */
export interface Kinds {
  readonly rows: readonly KindRow[]
  find(group: string, version: string, plural: string): KindRow | undefined
}

export interface RegistryMetrics {
  readonly watches: WatchMetrics
  readonly queues: QueueMetrics
}

export interface Registry {
  readonly scope: Scope
  readonly kinds: Kinds
  readonly schemas: Schemas
  readonly protobuf: ProtobufDecoder
  readonly protobufEncoder: ProtobufEncoder
  readonly records: RecordStore
  readonly admission: AdmissionChain
  readonly managed: ManagedKinds
  readonly allocations: AllocationPools
  readonly metrics: RegistryMetrics
}

/** One write as its caller asked for it. */
export interface WriteCall {
  readonly row: KindRow
  /** '' for cluster scope. */
  readonly namespace: string
  readonly user: UserInfo
  readonly dryRun: boolean
  /** Who owns what this write changes: the caller's `fieldManager`, or the first part of its user agent. */
  readonly fieldManager: string
  /** Sentences for the Warning header; stages add to it. */
  readonly warnings: Set<string>
  /** For the audit entry; stages add to it. */
  readonly annotations?: Map<string, string>
  readonly waits?: Waits
  /** Aborts when the caller is gone. */
  readonly signal?: AbortSignal
  /** Of an object so large that each of its stages has a round of the event loop to itself. */
  readonly turns?: Turns | undefined
  /** The term of the leader that writes. */
  readonly fence?: Fence
  /** The caller's `CreateOptions` and their like, for admission. */
  readonly options?: Readonly<Record<string, unknown>>
}

/** What a write led to. A dry run's object was stored nowhere and has no resourceVersion of its own. */
export interface Written {
  readonly object: KubernetesObject
  /** The JSON to answer with. */
  json(): Uint8Array
  readonly created: boolean
  /** The object is that of the record, as its JSON has it; a dry run's is not. */
  readonly isStored: boolean
}

export function releaseOf({ schemas }: Registry): Release {
  return { minor: schemas.tables.release, gates: schemas.gates }
}

export function writeContext(registry: Registry, call: WriteCall): WriteContext {
  return {
    release: releaseOf(registry),
    nowMs: registry.scope.clock.now(),
    random: registry.scope.random,
    serviceFamilies: registry.allocations.serviceFamilies,
    user: call.user,
    warn: (sentence) => void call.warnings.add(sentence),
  }
}
