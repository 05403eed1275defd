// One stored object at one revision: its JSON as it will be sent, and its parsed form, made once and shared read-only.
//
// The value in the store is the Kubernetes JSON of the storage version, without a resourceVersion, keys as Go orders them:
//
//     {"kind":"Pod","apiVersion":"v1","metadata":{"name":"a","namespace":"b","uid":"…" ▲ ,"creationTimestamp":…
//
// What is sent has `,"resourceVersion":"N"` at ▲, N being the revision of the key. Nothing is parsed for that.

import type { FieldSet } from '@aksel/api/apply/field-set'
import { fieldText } from '@aksel/api/apply/field-text'
import type { ManagedFieldsEntry } from '@aksel/api/apply/managers'
import type { KubernetesObject } from '@aksel/api/resource'
import { encodeText, parseJson, stringifyJson } from '@aksel/base/json'
import type { KeyValue } from '@aksel/store/store'
import { labelsOf } from './record-labels.ts'
import { withoutManagers } from './record-managers.ts'

export type FieldsOf = (object: KubernetesObject) => Readonly<Record<string, string>>

export class StoredRecord {
  readonly item: KeyValue
  readonly #value: Uint8Array
  #object: KubernetesObject | undefined
  #fields: Readonly<Record<string, string>> | undefined
  #labels: Readonly<Record<string, string>> | undefined

  /** `value`: the JSON where it is not the stored one (another version of the kind, an older schema). */
  constructor(item: KeyValue, value: Uint8Array = item.value) {
    this.item = item
    this.#value = value
  }

  get revision(): number {
    return this.item.modRevision
  }

  get resourceVersion(): string {
    return String(this.item.modRevision)
  }

  /** Shared: never change it. */
  get object(): KubernetesObject {
    return (this.#object ??= withVersion(parseJson(this.#value) as KubernetesObject, this.resourceVersion))
  }

  /** For rows of a list: managedFields, where they can be passed on as text, stand beside the object. Neither is kept. */
  lean(): { readonly object: KubernetesObject; readonly managedFields: string | undefined } {
    const parts = this.#object === undefined ? withoutManagers(this.#value) : undefined
    if (parts === undefined) return { object: this.object, managedFields: undefined }
    const object = withVersion(parseJson(parts.rest) as KubernetesObject, this.resourceVersion)
    return { object, managedFields: parts.managedFields }
  }

  /** Read from the bytes: the rest need not be parsed. */
  get labels(): Readonly<Record<string, string>> {
    return (this.#labels ??= this.#object === undefined ? labelsOf(this.#value) : (this.#object.metadata.labels ?? {}))
  }

  /** Writes the JSON as it is sent; returns where it ends. There must be room for some 48 bytes more than `sizeBytes`. */
  writeJson(target: Buffer, start: number): number {
    const value = asBuffer(this.#value)
    const { at, before, after } = splicePlace(value)
    let end = start + value.copy(target, start, 0, at)
    end += before.copy(target, end)
    end += target.write(`"resourceVersion":"${this.item.modRevision}"`, end, 'latin1')
    end += after.copy(target, end)
    return end + value.copy(target, end, at)
  }

  /** The JSON as it is sent, resourceVersion in its place. */
  json(): Buffer {
    return jsonWithVersion(this.#value, this.item.modRevision)
  }

  /** The same object as if it had been written at another revision. */
  at(revision: number): StoredRecord {
    return new StoredRecord({ ...this.item, modRevision: revision }, this.#value)
  }

  get sizeBytes(): number {
    return this.#value.byteLength
  }

  /** Lets go of the parsed form, twice as large as the bytes; it is made again for whoever asks. For those who go through many. */
  forget(): void {
    this.#object = undefined
    this.#fields = undefined
    this.#labels = undefined
  }

  /** Of a label, undefined where there is none; or of a field. */
  valueOf(kind: 'label' | 'field', key: string, fieldsOf: FieldsOf): string | undefined {
    if (kind === 'field') return this.selectableFields(fieldsOf)[key] ?? ''
    const { labels } = this
    return Object.hasOwn(labels, key) ? labels[key] : undefined
  }

  selectableFields(fieldsOf: FieldsOf): Readonly<Record<string, string>> {
    return (this.#fields ??= fieldsOf(this.object))
  }
}

/** Stored JSON as it is sent at this revision. */
export function jsonWithVersion(stored: Uint8Array, resourceVersion: number | string): Buffer {
  const splice = Buffer.from(`"resourceVersion":"${resourceVersion}"`, 'latin1')
  const value = asBuffer(stored)
  const { at, before, after } = splicePlace(value)
  return Buffer.concat([value.subarray(0, at), before, splice, after, value.subarray(at)])
}

const comma = Buffer.from(',')
const nothing = Buffer.alloc(0)
const metadataStart = '"metadata":{'
const uidStart = '"uid":"'
const QUOTE = 0x22
const BRACE = 0x7d
const identityOnly = /^(?:"(?:name|generateName|namespace)":"[^"\\]*",)*$/

interface SplicePlace {
  readonly at: number
  readonly before: Buffer
  readonly after: Buffer
}

/** Behind the uid, as Go writes it; where that does not stand where we put it, first in metadata. */
function splicePlace(value: Buffer): SplicePlace {
  const start = value.indexOf(metadataStart) + metadataStart.length
  const uid = value.indexOf(uidStart, start)
  if (uid >= 0 && uid - start < 1024 && identityOnly.test(value.toString('latin1', start, uid))) {
    return { at: value.indexOf(QUOTE, uid + uidStart.length) + 1, before: comma, after: nothing }
  }
  return { at: start, before: nothing, after: value[start] === BRACE ? nothing : comma }
}

function withVersion(object: KubernetesObject, resourceVersion: string): KubernetesObject {
  const { name, generateName, namespace, uid, ...rest } = object.metadata
  const metadata = {
    name,
    ...(generateName === undefined ? {} : { generateName }),
    ...(namespace === undefined ? {} : { namespace }),
    ...(uid === undefined ? {} : { uid }),
    resourceVersion,
    ...rest,
  }
  return { ...object, metadata }
}

function asBuffer(bytes: Uint8Array): Buffer {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
}

const metadataOrder = [
  'name',
  'generateName',
  'namespace',
  'selfLink',
  'uid',
  'generation',
  'creationTimestamp',
  'deletionTimestamp',
  'deletionGracePeriodSeconds',
  'labels',
  'annotations',
  'ownerReferences',
  'finalizers',
] as const

/** The bytes to store: kind and apiVersion first, metadata in Go's order, no resourceVersion. */
export function encodeForStore(object: KubernetesObject): Uint8Array {
  const { kind, apiVersion, metadata, ...rest } = object
  const fields = metadata as unknown as Readonly<Record<string, unknown>>
  const ordered: Record<string, unknown> = {}
  for (const name of metadataOrder) {
    const field = fields[name]
    if (field !== undefined && !isEmptyCollection(field)) ordered[name] = field
  }
  const entries = metadata.managedFields as readonly ManagedFieldsEntry[] | undefined
  const head = withEntries(stringifyJson({ kind, apiVersion, metadata: ordered }), entries)
  const tail = stringifyJson(rest)
  return encodeText(tail === '{}' ? head : `${head.slice(0, -1)},${tail.slice(1)}`)
}

/** `head` ends in the metadata, which the entries are the last of. */
function withEntries(head: string, entries: readonly ManagedFieldsEntry[] | undefined): string {
  if (entries === undefined || entries.length === 0) return head
  const lead = head.endsWith('{}}') ? '' : ','
  return `${head.slice(0, -2)}${lead}"managedFields":[${entries.map(entryText).join(',')}]}}`
}

function entryText(entry: ManagedFieldsEntry): string {
  let text = ''
  for (const name in entry) {
    const value = entry[name as keyof ManagedFieldsEntry]
    if (value === undefined) continue
    const json = name === 'fieldsV1' ? fieldText(value as FieldSet) : stringifyJson(value)
    text += `${text === '' ? '{' : ','}${JSON.stringify(name)}:${json}`
  }
  return text === '' ? '{}' : `${text}}`
}

/** Labels and lists that were emptied are left out, as Go leaves them out. */
function isEmptyCollection(value: unknown): boolean {
  if (typeof value !== 'object' || value === null) return value === ''
  for (const _key in value) return false
  return true
}

/** The record of the object as its version shows it; the stored bytes where they are that already. */
export function shownAs(probe: StoredRecord, shown: KubernetesObject): StoredRecord {
  if (shown === probe.object) return probe
  const { resourceVersion: _, ...metadata } = shown.metadata
  return new StoredRecord(probe.item, encodeForStore({ ...shown, metadata }))
}
