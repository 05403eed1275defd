// The store without a disk: for unit tests and the simulation. It promises all that the contract does but durability.

import type { Scope } from '@aksel/base/scope'
import { defaultHistoryLimits, HistoryKeeper, type HistoryLimits } from './history-keeper.ts'
import { Mvcc } from './mvcc.ts'
import { StoreError, type Store } from './store.ts'
import { WatchHub } from './watch-hub.ts'

export function createMemoryStore(scope: Scope, limits: Partial<HistoryLimits> = {}): Store {
  const core = new Mvcc()
  const hub = new WatchHub(core)
  const keeper = new HistoryKeeper(scope.clock, core, hub, { ...defaultHistoryLimits, ...limits })
  let closed = false
  const assertOpen = (): void => {
    if (closed) throw new StoreError('Closed', 'the store is closed')
  }
  return {
    get revision() {
      return core.visible
    },
    get compactedRevision() {
      return core.floor
    },
    get(key, revision) {
      assertOpen()
      return core.get(key, revision)
    },
    range(query) {
      assertOpen()
      return core.range(query)
    },
    count(prefix) {
      assertOpen()
      return core.count(prefix)
    },
    async transact(transaction) {
      assertOpen()
      const verdict = core.transact(transaction, scope.clock.now())
      if (verdict.kind === 'refused') {
        const { guard, current } = verdict
        return { committed: false, revision: core.visible, guard, current }
      }
      if (verdict.kind === 'unchanged') return { committed: true, revision: core.visible }
      const { change } = verdict
      core.advance(change.revision)
      hub.publish(change)
      keeper.afterCommit(1)
      return { committed: true, revision: change.revision }
    },
    watch(options) {
      assertOpen()
      hub.add(options)
    },
    async compact(revision) {
      assertOpen()
      await keeper.compact(revision)
    },
    async [Symbol.asyncDispose]() {
      if (closed) return
      closed = true
      keeper.close()
      hub.end(new StoreError('Closed', 'the store is closed'))
    },
  }
}
