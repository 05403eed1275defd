// Whole Kubernetes objects inside a custom resource: their metadata is read as metadata, and has to be good.

import { invalid, required, type FieldError } from '../field-errors.ts'
import type { Schema } from '../schema.ts'
import { DecodeFailure } from '../schema-state.ts'
import type { ObjectMeta } from '../types/meta-v1.ts'
import { validateMetadata } from '../validation/metadata.ts'
import { dnsLabel1035, pathSegmentName } from '../validation/names.ts'
import { childOf, fieldPath, isObject, type Json, type SchemaNode } from './schema-node.ts'

/** Reads the metadata of embedded objects as Go does, in place. Answers unknown fields in it; throws DecodeFailure. */
export function coerceEmbedded(value: unknown, node: SchemaNode | undefined, meta: Schema): readonly string[] {
  const unknown: string[] = []
  visit(value, node, '', (object, path) => {
    for (const key of ['apiVersion', 'kind']) {
      if (Object.hasOwn(object, key) && typeof object[key] !== 'string')
        throw failure(invalid(fieldPath(path, key), object[key], 'must be a string'))
    }
    if (object['metadata'] === undefined) return
    try {
      const { value: read, unknownFields } = meta.decode(object['metadata'])
      object['metadata'] = read
      for (const field of unknownFields) unknown.push(`${fieldPath(path, 'metadata')}.${field}`)
    } catch (error) {
      if (!(error instanceof DecodeFailure)) throw error
      throw failure(invalid(fieldPath(path, 'metadata'), object['metadata'], error.message))
    }
  })
  return unknown
}

function failure({ field, message }: FieldError): DecodeFailure {
  return new DecodeFailure(`${field}: ${message}`)
}

export function validateEmbedded(value: unknown, node: SchemaNode | undefined): readonly FieldError[] {
  const errors: FieldError[] = []
  visit(value, node, '', (object, path) => errors.push(...judge(object, path)))
  return errors
}

function judge(object: Json, path: string): readonly FieldError[] {
  const errors: FieldError[] = []
  for (const key of ['apiVersion', 'kind']) if (!Object.hasOwn(object, key)) errors.push(required(fieldPath(path, key)))
  const { apiVersion, kind, metadata } = object
  const [versionPath, kindPath] = [fieldPath(path, 'apiVersion'), fieldPath(path, 'kind')]
  if (apiVersion === '') errors.push(invalid(versionPath, apiVersion, 'must not be empty'))
  else if (typeof apiVersion === 'string' && apiVersion.split('/').length > 2)
    errors.push(invalid(versionPath, apiVersion, `unexpected GroupVersion string: ${apiVersion}`))
  if (kind === '') errors.push(invalid(kindPath, kind, 'must not be empty'))
  else if (typeof kind === 'string') {
    const wrong = dnsLabel1035(kind.toLowerCase())
    if (wrong.length > 0)
      errors.push(invalid(kindPath, kind, `may have mixed case, but should otherwise match: ${wrong.join(',')}`))
  }
  if (isObject(metadata)) {
    const meta = metadata as ObjectMeta
    const named = { ...meta, name: meta.name === undefined || meta.name === '' ? 'fakename' : meta.name }
    const namespaced = meta.namespace !== undefined && meta.namespace !== ''
    errors.push(...validateMetadata(named, { namespaced, nameRule: pathSegmentName }, fieldPath(path, 'metadata')))
  }
  return errors
}

/** Calls for every object that the schema says is a whole one. */
function visit(
  value: unknown,
  node: SchemaNode | undefined,
  path: string,
  found: (object: Json, path: string) => void,
): void {
  if (node === undefined) return
  if (Array.isArray(value)) {
    for (const [index, item] of value.entries()) visit(item, node.items, `${path}[${index}]`, found)
  } else if (isObject(value)) {
    if (node.isEmbedded) found(value, path)
    for (const key of Object.keys(value)) {
      const below = node.properties.has(key) ? fieldPath(path, key) : `${path}[${key}]`
      visit(value[key], childOf(node, key), below, found)
    }
  }
}

/** Is there an embedded object anywhere? Most schemas have none, and need not be walked. */
export function hasEmbedded(node: SchemaNode | undefined): boolean {
  if (node === undefined) return false
  if (node.isEmbedded || hasEmbedded(node.items) || hasEmbedded(node.additional?.node)) return true
  for (const child of node.properties.values()) if (hasEmbedded(child)) return true
  return false
}
