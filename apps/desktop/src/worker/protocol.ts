// What page and worker tell each other. A table is opened, looked at through a window, and closed.

import type { ListWatchState } from '../model/list-watch.ts'
import type { Row, TableColumn } from '../model/kube-table.ts'
import type { View } from '../model/table-store.ts'

export type ToWorker =
  | {
      readonly kind: 'open'
      readonly id: number
      /** Below the page's own server, each with its own list and watch. */
      readonly lists: readonly { readonly fetchUrl: string; readonly socketUrl: string }[]
      readonly facets: readonly string[]
      readonly view: View
      readonly to: number
    }
  | { readonly kind: 'view'; readonly id: number; readonly view: View }
  | { readonly kind: 'window'; readonly id: number; readonly from: number; readonly to: number }
  | { readonly kind: 'keys'; readonly id: number; readonly ask: number }
  | { readonly kind: 'close'; readonly id: number }

export interface TableUpdate {
  readonly kind: 'update'
  readonly id: number
  readonly columns: readonly TableColumn[]
  readonly total: number
  readonly shown: number
  readonly from: number
  readonly rows: readonly Row[]
  readonly facets: Readonly<Record<string, readonly (readonly [string, number])[]>>
  readonly state: ListWatchState
  /** Every page of every list has come. */
  readonly complete: boolean
  /** How long filtering and sorting took, ms. */
  readonly tookMs: number
}

export type FromWorker =
  | TableUpdate
  | { readonly kind: 'keys'; readonly id: number; readonly ask: number; readonly keys: readonly string[] }
