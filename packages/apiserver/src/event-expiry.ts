// Events are news: each goes an hour after it was last written. Nothing runs while there are none.

import type { KindRow } from '@aksel/api/kind-row'
import type { Timer } from '@aksel/base/clock'
import type { Scope } from '@aksel/base/scope'
import type { RecordStore } from './registry/record-store.ts'

export const EVENT_LIFE_MS = 3_600_000
const SWEEP_EVERY_MS = 300_000

export interface EventExpiryOptions {
  readonly records: RecordStore
  readonly row: KindRow
}

/** Runs until the scope's signal aborts. */
export async function expireEvents(scope: Scope, { records, row }: EventExpiryOptions): Promise<void> {
  /** When the server saw the last write of each, by `namespace/name`. What is found at the start counts from then. */
  const seen = new Map<string, number>()
  let timer: Timer | undefined
  const arm = (): void => {
    if (timer === undefined && seen.size > 0 && !scope.signal.aborted) timer = scope.clock.after(SWEEP_EVERY_MS, sweep)
  }
  const sweep = (): void => {
    timer = undefined
    void removeOld().then(arm, (error: unknown) => {
      scope.log.warn('events could not be expired', { error })
      arm()
    })
  }
  async function removeOld(): Promise<void> {
    const oldest = scope.clock.now() - EVENT_LIFE_MS
    for (const [key, atMs] of seen) {
      if (atMs > oldest) continue
      const slash = key.indexOf('/')
      const record = await records.get(row, key.slice(0, slash), key.slice(slash + 1))
      if (record === undefined || (await records.delete(row, record, undefined)) !== undefined) seen.delete(key)
    }
  }
  const page = await records.page(row, { namespace: '' })
  const keyOf = (metadata: { readonly namespace?: string; readonly name: string }): string =>
    `${metadata.namespace ?? ''}/${metadata.name}`
  for (const record of page.records) seen.set(keyOf(record.object.metadata), scope.clock.now())
  records.onChange(row, scope.signal, (changes) => {
    for (const { type, record } of changes) {
      const key = keyOf(record.object.metadata)
      if (type === 'DELETED') seen.delete(key)
      else seen.set(key, scope.clock.now())
    }
    arm()
  })
  scope.signal.addEventListener('abort', () => timer?.[Symbol.dispose](), { once: true })
  arm()
}
