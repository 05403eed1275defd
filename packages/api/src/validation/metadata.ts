// Rules on metadata that hold for every kind.

import { deepEqual } from '../deep-equal.ts'
import { forbidden, invalid, isFull, required, tooLong, type FieldError } from '../field-errors.ts'
import type { NameRule } from '../kind-row.ts'
import type { ObjectMeta, OwnerReference } from '../types/meta-v1.ts'
import { dnsLabel, labelValue, qualifiedName } from './names.ts'

const annotationsMaxBytes = 262144

export interface MetadataRules {
  readonly namespaced: boolean
  readonly nameRule: NameRule
  /** Finalizers without a domain are only warned of: custom resources. */
  readonly anyFinalizer?: boolean
}

export function validateMetadata(
  meta: ObjectMeta,
  { namespaced, nameRule, anyFinalizer = false }: MetadataRules,
  path = 'metadata',
): readonly FieldError[] {
  const errors: FieldError[] = []
  const name = meta.name ?? ''
  if (meta.generateName !== undefined && meta.generateName !== '') {
    for (const wrong of nameRule(meta.generateName, true))
      errors.push(invalid(`${path}.generateName`, meta.generateName, wrong))
  }
  if (name === '') errors.push(required(`${path}.name`, 'name or generateName is required'))
  else for (const wrong of nameRule(name, false)) errors.push(invalid(`${path}.name`, name, wrong))
  const namespace = meta.namespace ?? ''
  if (namespaced && namespace === '') errors.push(required(`${path}.namespace`))
  else if (namespaced)
    for (const wrong of dnsLabel(namespace)) errors.push(invalid(`${path}.namespace`, namespace, wrong))
  else if (namespace !== '') errors.push(forbidden(`${path}.namespace`, 'not allowed on this type'))
  if (meta.generation !== undefined && meta.generation < 0) {
    errors.push(invalid(`${path}.generation`, meta.generation, 'must be greater than or equal to 0'))
  }
  errors.push(
    ...validateLabels(meta.labels, `${path}.labels`),
    ...validateAnnotations(meta.annotations, `${path}.annotations`),
  )
  errors.push(...validateOwners(meta.ownerReferences ?? [], `${path}.ownerReferences`))
  errors.push(...validateFinalizers(meta.finalizers ?? [], `${path}.finalizers`, anyFinalizer))
  return errors
}

export function validateMetadataUpdate(next: ObjectMeta, old: ObjectMeta, path = 'metadata'): readonly FieldError[] {
  const errors: FieldError[] = []
  for (const field of [
    'name',
    'namespace',
    'uid',
    'creationTimestamp',
    'deletionTimestamp',
    'deletionGracePeriodSeconds',
  ] as const) {
    if (!deepEqual(next[field], old[field])) errors.push(invalid(`${path}.${field}`, next[field], 'field is immutable'))
  }
  if (old.generation !== undefined && (next.generation ?? 0) < old.generation) {
    errors.push(invalid(`${path}.generation`, next.generation ?? 0, 'must not be decremented'))
  }
  if (old.deletionTimestamp !== undefined) {
    const added = (next.finalizers ?? []).filter((one) => !(old.finalizers ?? []).includes(one)).sort()
    if (added.length > 0) {
      const shown = `[]string{${added.map((one) => JSON.stringify(one)).join(', ')}}`
      errors.push(
        forbidden(
          `${path}.finalizers`,
          `no new finalizers can be added if the object is being deleted, found new finalizers ${shown}`,
        ),
      )
    }
  }
  errors.push(
    ...validateLabels(next.labels, `${path}.labels`),
    ...validateAnnotations(next.annotations, `${path}.annotations`),
  )
  errors.push(...validateOwners(next.ownerReferences ?? [], `${path}.ownerReferences`))
  errors.push(...validateFinalizers(next.finalizers ?? [], `${path}.finalizers`, true))
  return errors
}

export function validateLabels(
  labels: Readonly<Record<string, string>> | undefined,
  path: string,
): readonly FieldError[] {
  const errors: FieldError[] = []
  for (const [key, value] of Object.entries(labels ?? {})) {
    if (isFull(errors)) break
    for (const wrong of qualifiedName(key)) errors.push(invalid(path, key, wrong))
    for (const wrong of labelValue(value)) errors.push(invalid(path, value, wrong))
  }
  return errors
}

export function validateAnnotations(
  annotations: Readonly<Record<string, string>> | undefined,
  path: string,
): readonly FieldError[] {
  const errors: FieldError[] = []
  let bytes = 0
  for (const [key, value] of Object.entries(annotations ?? {})) {
    if (isFull(errors)) break
    for (const wrong of qualifiedName(key.toLowerCase())) errors.push(invalid(path, key, wrong))
    bytes += byteLength(key) + byteLength(value)
  }
  if (bytes > annotationsMaxBytes) errors.push(tooLong(path, annotationsMaxBytes))
  return errors
}

/** Bytes of the text in UTF-8. */
export function byteLength(text: string): number {
  let bytes = text.length
  for (let at = 0; at < text.length; at += 1) {
    const code = text.charCodeAt(at)
    if (code > 0x7f) bytes += code > 0x7ff && (code < 0xd800 || code > 0xdfff) ? 2 : 1
  }
  return bytes
}

function validateOwners(owners: readonly OwnerReference[], path: string): readonly FieldError[] {
  const errors: FieldError[] = []
  let controller = ''
  for (const [index, owner] of owners.entries()) {
    if (isFull(errors)) break
    const at = `${path}[${index}]`
    const version = owner.apiVersion.slice(owner.apiVersion.indexOf('/') + 1)
    if (version === '') errors.push(invalid(`${at}.apiVersion`, owner.apiVersion, 'version must not be empty'))
    if (owner.kind === '') errors.push(invalid(`${at}.kind`, owner.kind, 'must not be empty'))
    if (owner.name === '') errors.push(invalid(`${at}.name`, owner.name, 'must not be empty'))
    if (owner.uid === '') errors.push(invalid(`${at}.uid`, owner.uid, 'must not be empty'))
    if (owner.kind === 'Event' && (owner.apiVersion === 'v1' || owner.apiVersion.startsWith('events.k8s.io/'))) {
      errors.push(invalid(at, owner, `${owner.apiVersion}, Kind=Event is disallowed from being an owner`))
    }
    if (owner.controller !== true) continue
    if (controller !== '') {
      const words = `Only one reference can have Controller set to true. Found "true" in references for ${controller} and ${owner.name}`
      errors.push(invalid(path, owners, words))
    } else controller = owner.name
  }
  return errors
}

export const standardFinalizers: readonly string[] = ['kubernetes', 'orphan', 'foregroundDeletion']

function validateFinalizers(finalizers: readonly string[], path: string, anyFinalizer: boolean): readonly FieldError[] {
  const errors: FieldError[] = []
  for (const [index, finalizer] of finalizers.entries()) {
    if (isFull(errors)) break
    for (const wrong of qualifiedName(finalizer)) errors.push(invalid(`${path}[${index}]`, finalizer, wrong))
    if (!anyFinalizer && !finalizer.includes('/') && !standardFinalizers.includes(finalizer)) {
      errors.push(
        invalid(`${path}[${index}]`, finalizer, 'name is neither a standard finalizer name nor is it fully qualified'),
      )
    }
  }
  if (finalizers.includes('orphan') && finalizers.includes('foregroundDeletion')) {
    errors.push(invalid(path, finalizers, 'finalizer orphan and foregroundDeletion cannot be both set'))
  }
  return errors
}
