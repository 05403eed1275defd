// What field management asks of a kind: built-in kinds answer from the tables, custom resources from their own schema.

import type { FieldSet } from './field-set.ts'
import type { FieldTexts } from './field-text.ts'
import type { TypeSchema } from './type-schema.ts'
import type { Convert } from './updater.ts'

/** One kind in one version. */
export interface ManagedKind {
  readonly apiVersion: string
  readonly kind: string
  readonly type: TypeSchema
  /** The object with nothing set, with the zero values that a decoder gives. */
  empty(): unknown
  readonly convert: Convert
  /** What a write through this subresource ('' the whole object) does not change whatever it says. */
  ignored(subresource: string): (apiVersion: string) => FieldSet
  /** A pattern of the only fields that a write through this subresource changes. */
  only?(subresource: string): FieldSet | undefined
  /** Sets that objects share. Absent: each has its own, found by comparing. */
  readonly texts?: FieldTexts
}
