// Records that were made lately: those of one revision are wanted by all who watch at the same moment, and their parsed form
// with them. A fixed number of places, so that a parsed object never outlives its use by much; the store keeps the bytes.

import type { KindRow } from '@aksel/api/kind-row'
import type { KeyValue } from '@aksel/store/store'
import type { StoredRecord } from './record.ts'

const PLACES = 4096

interface Place {
  readonly row: KindRow
  readonly item: KeyValue
  readonly record: StoredRecord
}

export class RecordCache {
  readonly #places: (Place | undefined)[] = []

  get(row: KindRow, item: KeyValue): StoredRecord | undefined {
    const place = this.#places[item.modRevision % PLACES]
    return place !== undefined && place.item === item && place.row === row ? place.record : undefined
  }

  set(row: KindRow, item: KeyValue, record: StoredRecord): void {
    this.#places[item.modRevision % PLACES] = { row, item, record }
  }
}
