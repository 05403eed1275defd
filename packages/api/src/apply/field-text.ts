// The JSON of a set of fields, carried along with it: sets are never changed, many objects share one, and writing one with its
// odd keys costs more than the rest of the object.

import type { FieldSet } from './field-set.ts'

/** Not enumerable: a set that is made of another by spreading does not inherit it. */
const carried = Symbol('FieldsV1')

type Carrier = FieldSet & { readonly [carried]?: string }

export function fieldText(set: FieldSet): string {
  return (set as Carrier)[carried] ?? JSON.stringify(set)
}

/** Sets by their JSON, those that were met lately: objects of one shape share one set. */
export class FieldTexts {
  readonly #max: number
  #recent = new Map<string, FieldSet>()
  #older: ReadonlyMap<string, FieldSet> = new Map()

  constructor(max = 128) {
    this.#max = max
  }

  /** `text`: JSON of a set whose elements stand in their order. */
  setOf(text: string): FieldSet {
    let set = this.#recent.get(text)
    if (set !== undefined) return set
    set = this.#older.get(text) ?? parsed(text)
    if (this.#recent.size >= this.#max) {
      this.#older = this.#recent
      this.#recent = new Map()
    }
    this.#recent.set(text, set)
    return set
  }
}

function parsed(text: string): FieldSet {
  const set = JSON.parse(text) as FieldSet
  Object.defineProperty(set, carried, { value: text })
  return set
}
