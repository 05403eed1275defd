// The records of control planes that other servers write to the store that all share, as this one hears of them.

import type { Scope } from '@aksel/base/scope'
import { StoreError, type Store } from '@aksel/store/store'
import { StoreRecords, type ClusterRecord } from './cluster-record.ts'

export interface Followed {
  readonly store: Store
  readonly records: StoreRecords
  /** What is known here at the moment. */
  readonly known: () => Iterable<ClusterRecord>
  readonly take: (record: ClusterRecord, isGone: boolean) => Promise<void>
}

/** Tells of every record that is written or removed after the revision, until the scope ends. */
export function followRecords(scope: Scope, followed: Followed, afterRevision: number): void {
  const { store, records, known, take } = followed
  const failed = (error: unknown): void => {
    if (!scope.signal.aborted) scope.log.error('a cluster of another server was not followed', { error })
  }
  /** Its history is gone: what stands is read, and followed from there. */
  const again = async (): Promise<void> => {
    const revision = store.revision
    const all = await records.readAll()
    const ids = new Set(all.map(({ spec }) => spec.id))
    for (const record of known()) if (!ids.has(record.spec.id)) take(record, true).catch(failed)
    for (const record of all) take(record, false).catch(failed)
    followRecords(scope, followed, revision)
  }
  try {
    store.watch({
      prefix: StoreRecords.prefix,
      afterRevision,
      signal: scope.signal,
      deliver: ({ events }) => {
        for (const event of events) {
          const record = records.seen(event.kind === 'put' ? event.item : event.previous)
          take(record, event.kind === 'delete').catch(failed)
        }
      },
      ended: (error) => {
        if (error.kind === 'Compacted') again().catch(failed)
      },
    })
  } catch (error) {
    if (!(error instanceof StoreError) || error.kind !== 'Compacted') throw error
    again().catch(failed)
  }
}
