// ConfigMap: text and bytes by key; once immutable, forever.

import { deepEqual } from '../deep-equal.ts'
import { forbidden, invalid, isFull, tooLong, wholeObject, type FieldError } from '../field-errors.ts'
import type { KindRules } from '../kind-row.ts'
import { ageOf } from '../times.ts'
import type { ConfigMap } from '../types/core-v1.ts'
import { byteLength } from '../validation/metadata.ts'
import { addKeyFaults } from '../validation/data-keys.ts'
import { ageColumn, column, nameColumn } from './columns.ts'

export const dataMaxBytes = 1024 * 1024

/** Bytes that a base64 text stands for. */
export function decodedLength(base64: string): number {
  return (base64.length / 4) * 3 - (base64.endsWith('==') ? 2 : base64.endsWith('=') ? 1 : 0)
}

function validateData({ data = {}, binaryData = {} }: ConfigMap): readonly FieldError[] {
  const errors: FieldError[] = []
  let bytes = 0
  for (const key of Object.keys(data)) {
    if (isFull(errors)) break
    addKeyFaults(errors, 'data', key)
    if (Object.hasOwn(binaryData, key))
      errors.push(invalid(`data[${key}]`, key, 'duplicate of key present in binaryData'))
    bytes += byteLength(data[key]!)
  }
  for (const key of Object.keys(binaryData)) {
    if (isFull(errors)) break
    addKeyFaults(errors, 'binaryData', key)
    bytes += decodedLength(binaryData[key]!)
  }
  return bytes > dataMaxBytes ? [...errors, tooLong(wholeObject, dataMaxBytes)] : errors
}

export const configMapRules: KindRules<ConfigMap> = {
  group: '',
  version: 'v1',
  kind: 'ConfigMap',
  validateCreate: validateData,
  validateUpdate(next, old) {
    const errors: FieldError[] = []
    if (old.immutable === true) {
      if (next.immutable !== true) errors.push(forbidden('immutable', 'field is immutable when `immutable` is set'))
      for (const field of ['data', 'binaryData'] as const) {
        if (!deepEqual(next[field] ?? {}, old[field] ?? {}))
          errors.push(forbidden(field, 'field is immutable when `immutable` is set'))
      }
    }
    return [...errors, ...validateData(next)]
  },
  columns: [nameColumn, column('Data', 'Number of keys.'), ageColumn],
  cells: (configMap, nowMs) => [
    configMap.metadata.name,
    Object.keys(configMap.data ?? {}).length + Object.keys(configMap.binaryData ?? {}).length,
    ageOf(configMap.metadata.creationTimestamp, nowMs),
  ],
}
