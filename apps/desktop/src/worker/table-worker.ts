// Lists and watches away from the page's thread: parsing, filtering and sorting of any number of rows never hold up a key press.

import { lineSplitter, listAndWatch, RefusedError, type ListWatchState } from '../model/list-watch.ts'
import { columnsOf, internPool, rowOf, type Intern, type Row, type WireTable } from '../model/kube-table.ts'
import { TableStore } from '../model/table-store.ts'
import { readStream } from '../data/stream.ts'
import type { FromWorker, ToWorker } from './protocol.ts'

interface WatchLine {
  readonly type: string
  readonly object: WireTable & { readonly code?: number; readonly message?: string }
}

/** Between two pictures of a list that changes by itself. */
const PICTURE_MS = 250
const TABLE = 'application/json;as=Table;v=v1;g=meta.k8s.io,application/json'

class OpenTable {
  readonly #message: Extract<ToWorker, { kind: 'open' }>
  readonly #store = new TableStore()
  readonly #intern: Intern = internPool()
  readonly #stop = new AbortController()
  readonly #states: ListWatchState[]
  readonly #listed: boolean[]
  #from = 0
  #to: number
  #due: ReturnType<typeof setTimeout> | undefined

  constructor(message: Extract<ToWorker, { kind: 'open' }>) {
    this.#message = message
    this.#to = message.to
    this.#store.setView(message.view)
    this.#states = message.lists.map(() => ({ kind: 'listing' }))
    this.#listed = message.lists.map(() => false)
    message.lists.forEach((_, at) => void this.#follow(at))
  }

  handle(message: ToWorker): void {
    if (message.kind === 'view') this.#store.setView(message.view)
    if (message.kind === 'window') [this.#from, this.#to] = [message.from, message.to]
    if (message.kind === 'keys')
      return send({ kind: 'keys', id: message.id, ask: message.ask, keys: this.#store.keys() })
    this.#picture()
  }

  close(): void {
    this.#stop.abort()
    clearTimeout(this.#due)
  }

  async #follow(at: number): Promise<void> {
    const { fetchUrl, socketUrl } = this.#message.lists[at]!
    const seen = new Set<string>()
    const join = (url: string, query: string): string => `${url}${url.includes('?') ? '&' : '?'}${query}`
    await listAndWatch<WireTable, WatchLine>(
      {
        list: (query, signal) => fetchTable(join(fetchUrl, query), signal),
        watch: (query, onEvent, signal) =>
          readStream(join(socketUrl, query), {
            table: true,
            signal,
            onPiece: lineSplitter((line) => onEvent(JSON.parse(line) as WatchLine)),
          }),
        sleep: (ms) => new Promise((resolve) => setTimeout(resolve, ms)),
      },
      {
        page: (page, first) => {
          if (first) seen.clear()
          this.#store.setColumns(columnsOf(page))
          for (const row of this.#rows(page)) {
            seen.add(row.key)
            this.#store.put(row)
          }
          if (first && !this.#listed[at]) this.#picture()
          else this.#soon()
        },
        listed: () => {
          // One list alone says what there is; of several each says only what is in its own namespace.
          if (this.#message.lists.length === 1) this.#store.keepOnly(seen)
          this.#listed[at] = true
          this.#picture()
        },
        event: (line) => this.#event(line),
        state: (state) => {
          this.#states[at] = state
          this.#soon()
        },
      },
      this.#stop.signal,
    )
  }

  #event({ type, object }: WatchLine): string | undefined {
    if (type === 'ERROR') throw new RefusedError(object.code ?? 500, object.message ?? 'the watch ended')
    const revision = object.rows?.[0]?.object?.metadata?.resourceVersion ?? object.metadata?.resourceVersion
    if (type !== 'BOOKMARK') {
      for (const row of this.#rows(object)) {
        if (type === 'DELETED') this.#store.remove(row.key)
        else this.#store.put(row)
      }
      this.#soon()
    }
    return revision
  }

  #rows(table: WireTable): readonly Row[] {
    return (table.rows ?? []).map((row) => rowOf(row, this.#store.columns, this.#intern, Date.now()))
  }

  #soon(): void {
    this.#due ??= setTimeout(() => this.#picture(), PICTURE_MS)
  }

  #picture(): void {
    clearTimeout(this.#due)
    this.#due = undefined
    const startedMs = performance.now()
    const { rows, shown, total } = this.#store.snapshot(this.#from, this.#to)
    const tookMs = performance.now() - startedMs
    send({
      kind: 'update',
      id: this.#message.id,
      columns: this.#store.columns,
      total,
      shown,
      from: this.#from,
      rows,
      facets: Object.fromEntries(this.#message.facets.map((name) => [name, this.#store.facet(name)])),
      state: worst(this.#states),
      complete: this.#listed.every(Boolean),
      tookMs,
    })
  }
}

const order = ['live', 'listing', 'retrying', 'refused'] as const

/** The state that a person should know of; a refusal only where nothing else was answered. */
function worst(states: readonly ListWatchState[]): ListWatchState {
  const answered = states.filter(({ kind }) => kind !== 'refused')
  const judged = answered.length > 0 ? answered : states
  return judged.reduce(
    (left, right) => (order.indexOf(right.kind) > order.indexOf(left.kind) ? right : left),
    judged[0]!,
  )
}

async function fetchTable(url: string, signal: AbortSignal): Promise<WireTable> {
  const response = await fetch(url, { headers: { accept: TABLE, 'x-aksel-desktop': '1' }, signal })
  if (response.ok) return (await response.json()) as WireTable
  const text = await response.text()
  let message = text
  try {
    message = (JSON.parse(text) as { readonly message?: string }).message ?? text
  } catch {
    // The text is the message.
  }
  throw new RefusedError(response.status, message)
}

const open = new Map<number, OpenTable>()

function send(message: FromWorker): void {
  postMessage(message)
}

addEventListener('message', ({ data }: MessageEvent<ToWorker>) => {
  if (data.kind === 'open') return void open.set(data.id, new OpenTable(data))
  const table = open.get(data.id)
  if (data.kind !== 'close') return table?.handle(data)
  table?.close()
  open.delete(data.id)
})
