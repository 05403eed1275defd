// The keys of a ConfigMap's or a Secret's data. A body can hold a hundred thousand, so a good one costs nothing but a look.

import type { FieldError } from '../field-errors.ts'
import { configMapKey } from './names.ts'
import { complain } from './values.ts'

/** Of the good ones all but those that begin with a dot, which have rules of their own. */
const plain = /^[-_a-zA-Z0-9][-._a-zA-Z0-9]{0,252}$/

/** `field`: what the keys stand in, such as `data`. */
export function addKeyFaults(errors: FieldError[], field: string, key: string): void {
  if (plain.test(key)) return
  errors.push(...complain(`${field}[${key}]`, key, configMapKey(key)))
}
