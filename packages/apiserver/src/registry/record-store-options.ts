// What the record store of one cluster is handed.

import type { KindRow } from '@aksel/api/kind-row'
import type { Schemas } from '@aksel/api/schema'
import type { KeyValue, Store } from '@aksel/store/store'
import type { ProtobufDecoder } from '../protobuf/decode.ts'
import type { StoreMetrics } from './store-metrics.ts'

export interface RecordStoreOptions {
  readonly store: Store
  readonly keyPrefix: string
  readonly schemas: Schemas
  /** For values that an upstream API server wrote. */
  readonly protobuf: ProtobufDecoder
  readonly epochRevision: number
  readonly metrics: StoreMetrics
  /** Of the Leases that the writes of leaders are bound to. */
  readonly leaseRow: KindRow
  /** True for a value that would be stored otherwise today, although it says the same. */
  readonly isStale?: (item: KeyValue) => boolean
  /** Ends what is kept by watches. */
  readonly signal: AbortSignal
}
