// Secret: bytes by key with a type that cannot change; `stringData` is written only.

import { deepEqual } from '../deep-equal.ts'
import { forbidden, invalid, isFull, required, tooLong, type FieldError } from '../field-errors.ts'
import type { KindRules } from '../kind-row.ts'
import { ageOf } from '../times.ts'
import type { Secret } from '../types/core-v1.ts'
import { addKeyFaults } from '../validation/data-keys.ts'
import { unchanged } from '../validation/values.ts'
import { ageColumn, column, nameColumn } from './columns.ts'
import { dataMaxBytes, decodedLength } from './config-map.ts'

const serviceAccountName = 'kubernetes.io/service-account.name'

/** Keys that a type wants, all of them. */
const keysOfType: Readonly<Record<string, readonly string[]>> = {
  'kubernetes.io/ssh-auth': ['ssh-privatekey'],
  'kubernetes.io/tls': ['tls.crt', 'tls.key'],
}

function validateSecret(secret: Secret): readonly FieldError[] {
  const data = secret.data ?? {}
  const errors: FieldError[] = []
  let bytes = 0
  for (const key of Object.keys(data)) {
    if (isFull(errors)) break
    addKeyFaults(errors, 'data', key)
    bytes += decodedLength(data[key]!)
  }
  if (bytes > dataMaxBytes) errors.push(tooLong('data', dataMaxBytes))
  return [...errors, ...validateType(secret, data)]
}

function validateType(secret: Secret, data: Readonly<Record<string, string>>): readonly FieldError[] {
  const type = secret.type ?? 'Opaque'
  const missing = (keysOfType[type] ?? []).filter((key) => !Object.hasOwn(data, key))
  if (missing.length > 0) return missing.map((key) => required(`data[${key}]`))
  switch (type) {
    case 'kubernetes.io/service-account-token':
      return (secret.metadata.annotations?.[serviceAccountName] ?? '') === ''
        ? [required(`metadata.annotations[${serviceAccountName}]`)]
        : []
    case 'kubernetes.io/dockerconfigjson':
      return validateJsonKey(data, '.dockerconfigjson')
    case 'kubernetes.io/dockercfg':
      return validateJsonKey(data, '.dockercfg')
    case 'kubernetes.io/basic-auth':
      return Object.hasOwn(data, 'username') || Object.hasOwn(data, 'password')
        ? []
        : [required('data[username]'), required('data[password]')]
    default:
      return []
  }
}

function validateJsonKey(data: Readonly<Record<string, string>>, key: string): readonly FieldError[] {
  const value = data[key]
  if (value === undefined) return [required(`data[${key}]`)]
  try {
    JSON.parse(textOf(value))
    return []
  } catch {
    return [invalid(`data[${key}]`, '<secret contents redacted>', 'invalid character')]
  }
}

function textOf(base64: string): string {
  return new TextDecoder().decode(Uint8Array.from(atob(base64), (char) => char.charCodeAt(0)))
}

function base64Of(text: string): string {
  let binary = ''
  for (const byte of new TextEncoder().encode(text)) binary += String.fromCharCode(byte)
  return btoa(binary)
}

function validateUpdate(next: Secret, old: Secret): readonly FieldError[] {
  const errors: FieldError[] = [...unchanged(next.type, old.type, 'type')]
  if (old.immutable === true) {
    if (next.immutable !== true) errors.push(forbidden('immutable', 'field is immutable when `immutable` is set'))
    if (!deepEqual(next.data ?? {}, old.data ?? {}))
      errors.push(forbidden('data', 'field is immutable when `immutable` is set'))
  }
  return [...errors, ...validateSecret(next)]
}

export const secretRules: KindRules<Secret> = {
  group: '',
  version: 'v1',
  kind: 'Secret',
  default(secret) {
    secret.type ??= 'Opaque'
    if (secret.stringData === undefined) return
    secret.data = { ...secret.data }
    for (const [key, value] of Object.entries(secret.stringData)) secret.data[key] = base64Of(value)
    delete secret.stringData
  },
  prepareForUpdate(next, old) {
    if (next.type === '' && old.type !== undefined) next.type = old.type
  },
  validateCreate: validateSecret,
  validateUpdate,
  columns: [nameColumn, column('Type', 'Type of the secret.'), column('Data', 'Number of keys.'), ageColumn],
  cells: (secret, nowMs) => [
    secret.metadata.name,
    secret.type ?? '',
    Object.keys(secret.data ?? {}).length,
    ageOf(secret.metadata.creationTimestamp, nowMs),
  ],
  selectableFields: (secret) => ({ type: secret.type ?? '' }),
}
