// A store as the contract describes it, on an etcd that others use too: revisions are counted from where it was opened, and
// transactions are sent one after the other, because etcd judges those that arrive together in an order of its own.

import type { KeyValue, Store, StoreEvent } from '../store.ts'

export function rebased(store: Store): Store {
  const base = store.revision
  const down = (item: KeyValue): KeyValue => ({
    ...item,
    createRevision: item.createRevision - base,
    modRevision: item.modRevision - base,
  })
  const known = new WeakMap<KeyValue, KeyValue>()
  const shown = (item: KeyValue): KeyValue => {
    let one = known.get(item)
    if (one === undefined) known.set(item, (one = down(item)))
    return one
  }
  let last: Promise<unknown> = Promise.resolve()
  return {
    get revision() {
      return store.revision - base
    },
    get compactedRevision() {
      return Math.max(0, store.compactedRevision - base)
    },
    async get(key, revision) {
      const item = await store.get(key, revision === undefined ? undefined : revision + base)
      return item === undefined ? undefined : shown(item)
    },
    async range(query) {
      const { revision } = query
      const result = await store.range({ ...query, ...(revision === undefined ? {} : { revision: revision + base }) })
      return { ...result, revision: result.revision - base, items: result.items.map(shown) }
    },
    count: (prefix) => store.count(prefix),
    transact(transaction) {
      const guards = transaction.guards.map((guard) =>
        guard.kind === 'revision' && guard.modRevision > 0
          ? { ...guard, modRevision: guard.modRevision + base }
          : { ...guard },
      )
      const result = last.then(() => store.transact({ ...transaction, guards }))
      last = result.catch(() => undefined)
      return result.then((one) =>
        one.committed
          ? { ...one, revision: one.revision - base }
          : {
              ...one,
              revision: one.revision - base,
              guard: transaction.guards[guards.indexOf(one.guard as (typeof guards)[number])]!,
              current: one.current === undefined ? undefined : shown(one.current),
            },
      )
    },
    watch(options) {
      store.watch({
        ...options,
        afterRevision: options.afterRevision + base,
        deliver: (batch) =>
          options.deliver({
            revision: batch.revision - base,
            events: batch.events.map((event): StoreEvent => {
              const previous = event.previous === undefined ? {} : { previous: shown(event.previous) }
              return event.kind === 'put'
                ? { kind: 'put', item: shown(event.item), ...previous }
                : { ...event, revision: event.revision - base, previous: shown(event.previous) }
            }),
          }),
      })
    },
    compact: (revision) => store.compact(revision + base),
    [Symbol.asyncDispose]: () => store[Symbol.asyncDispose](),
  }
}
