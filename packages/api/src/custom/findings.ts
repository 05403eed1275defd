// What a check of a value found, before it is known where the value stands.

import type { FieldError } from '../field-errors.ts'
import type { Correlated } from './correlate.ts'

/** What a check found; `matches` counts what fitted, to tell which of several schemas fits best. */
export class Findings {
  /** Made late, since the place in the object is known to the caller only. */
  readonly errors: ((base: string) => FieldError)[] = []
  readonly #seen = new Set<string>()
  matches = 0

  add(name: string, make: (field: string) => FieldError): void {
    const own = (base: string): FieldError => make(placeOf(base, name))
    const { field, message } = own('')
    const identity = `${field}\n${message}`
    if (this.#seen.has(identity)) return
    this.#seen.add(identity)
    this.errors.push(own)
  }

  merge(other: Findings): void {
    this.matches += other.matches
    for (const error of other.errors) {
      const { field, message } = error('')
      const identity = `${field}\n${message}`
      if (this.#seen.has(identity)) continue
      this.#seen.add(identity)
      this.errors.push(error)
    }
  }
}

/** Upstream shows a place that has no name as `<nil>`. */
function placeOf(base: string, name: string): string {
  const own = name.startsWith('.') ? name.slice(1) : name
  if (own === '') return base === '' ? '<nil>' : base
  return base === '' ? own : `${base}.${own}`
}

export type Check = (value: unknown, name: string, from: Correlated | undefined, found: Findings) => void
