// A live list as React sees it: a picture that is replaced, and the wishes of the one who looks at it.

import { useEffect, useMemo, useSyncExternalStore } from 'react'
import type { Sort } from '../model/row-order.ts'
import { sameRows } from '../model/same-rows.ts'
import type { View } from '../model/table-store.ts'
import type { FromWorker, TableUpdate, ToWorker } from '../worker/protocol.ts'
import { clusterCall, socketUrl } from './api.ts'

const WINDOW = 120

class TableHub {
  readonly #worker = new Worker(new URL('../worker/table-worker.ts', import.meta.url), {
    type: 'module',
    name: 'tables',
  })
  readonly #listeners = new Map<number, (message: FromWorker) => void>()
  #last = 0

  constructor() {
    this.#worker.addEventListener('message', ({ data }: MessageEvent<FromWorker>) =>
      this.#listeners.get(data.id)?.(data),
    )
  }

  open(listener: (message: FromWorker) => void): number {
    this.#last += 1
    this.#listeners.set(this.#last, listener)
    return this.#last
  }

  close(id: number): void {
    this.#listeners.delete(id)
    this.send({ kind: 'close', id })
  }

  send(message: ToWorker): void {
    this.#worker.postMessage(message)
  }
}

let hub: TableHub | undefined
const theHub = (): TableHub => (hub ??= new TableHub())

export class LiveTable {
  readonly #id: number
  readonly #watchers = new Set<() => void>()
  readonly #asked = new Map<number, (keys: readonly string[]) => void>()
  #update: TableUpdate | undefined
  #view: View
  #window = { from: 0, to: WINDOW }
  #asks = 0

  constructor(
    lists: readonly { readonly cluster: string; readonly path: string }[],
    facets: readonly string[],
    view: View,
  ) {
    this.#view = view
    this.#id = theHub().open((message) => {
      if (message.kind === 'keys') return this.#asked.get(message.ask)?.(message.keys)
      this.#update = sameRows(this.#update, message)
      for (const each of this.#watchers) each()
    })
    theHub().send({
      kind: 'open',
      id: this.#id,
      lists: lists.map(({ cluster, path }) => ({
        fetchUrl: `/desktop/api/${clusterCall(cluster, path)}`,
        socketUrl: socketUrl(cluster, path),
      })),
      facets,
      view,
      to: WINDOW,
    })
  }

  readonly subscribe = (watcher: () => void): (() => void) => {
    this.#watchers.add(watcher)
    return () => this.#watchers.delete(watcher)
  }

  readonly read = (): TableUpdate | undefined => this.#update

  setView(view: { readonly filter: string; readonly sort: Sort | undefined }): void {
    if (view.filter === this.#view.filter && view.sort === this.#view.sort) return
    this.#view = view
    theHub().send({ kind: 'view', id: this.#id, view })
  }

  /** Rows around those on the screen are held, so that scrolling finds them. */
  setWindow(first: number, last: number): void {
    const { from, to } = this.#window
    if (first >= from && last <= to) return
    const start = Math.max(0, first - 40)
    this.#window = { from: start, to: Math.max(last + 40, start + WINDOW) }
    theHub().send({ kind: 'window', id: this.#id, ...this.#window })
  }

  keys(): Promise<readonly string[]> {
    const ask = (this.#asks += 1)
    return new Promise((resolve) => {
      this.#asked.set(ask, resolve)
      theHub().send({ kind: 'keys', id: this.#id, ask })
    })
  }

  close(): void {
    theHub().close(this.#id)
  }
}

export interface ListPlace {
  readonly cluster: string
  readonly path: string
}

/** Opened when first shown, opened anew when the place changes, closed when nobody looks. */
export function useLiveTable(
  places: readonly ListPlace[],
  facets: readonly string[],
  view: View,
): { readonly table: LiveTable; readonly update: TableUpdate | undefined } {
  const key = JSON.stringify([places, facets])
  // oxlint reads the key as the dependency that it is: places and facets are equal when it is.
  const table = useMemo(() => new LazyTable(places, facets, view), [key])
  const update = useSyncExternalStore(table.subscribe, table.read)
  useEffect(() => table.current.setView(view), [table, view])
  return { table: table.current, update }
}

/** React may make one and throw it away: only what is subscribed to is opened. */
class LazyTable {
  readonly #make: () => LiveTable
  #current: LiveTable | undefined
  #users = 0

  constructor(places: readonly ListPlace[], facets: readonly string[], view: View) {
    this.#make = () => new LiveTable(places, facets, view)
  }

  get current(): LiveTable {
    return (this.#current ??= this.#make())
  }

  readonly subscribe = (watcher: () => void): (() => void) => {
    this.#users += 1
    const unsubscribe = this.current.subscribe(watcher)
    return () => {
      unsubscribe()
      this.#users -= 1
      if (this.#users > 0) return
      this.#current?.close()
      this.#current = undefined
    }
  }

  readonly read = (): TableUpdate | undefined => this.#current?.read()
}
