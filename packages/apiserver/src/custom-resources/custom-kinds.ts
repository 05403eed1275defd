// The custom kinds of one cluster, as its CustomResourceDefinitions say right now: what the request route, discovery and
// OpenAPI ask. The built-in catalog is shared by clusters; only this belongs to one.

import { createHash } from 'node:crypto'
import type { Catalog } from '@aksel/api/catalog'
import { customRow, type CustomRowParts } from '@aksel/api/custom/custom-row'
import type { ConvertObjects } from '@aksel/api/custom/stored-form'
import { isConditionTrue } from '@aksel/api/custom/definition/conditions'
import { deepEqual } from '@aksel/api/deep-equal'
import type { KindRow } from '@aksel/api/kind-row'
import type { CustomResourceDefinition } from '@aksel/api/types/apiextensions-v1'
import type { Kinds } from '../registry/registry.ts'
import type { RecordStore } from '../registry/record-store.ts'

export interface CustomKindsOptions {
  readonly catalog: Catalog
  readonly records: RecordStore
  readonly signal: AbortSignal
  /** How objects get into another version where the definition says that a webhook does it. */
  readonly converter: (definition: CustomResourceDefinition) => ConvertObjects
}

/** One definition, and the rows of its versions, each made when first asked for. */
export class ServedDefinition {
  readonly definition: CustomResourceDefinition
  readonly #rows = new Map<string, KindRow>()
  readonly #stop: AbortController
  readonly #make: (version: string, retired: AbortSignal) => KindRow

  constructor(
    definition: CustomResourceDefinition,
    stop: AbortController,
    make: (version: string, retired: AbortSignal) => KindRow,
  ) {
    this.definition = definition
    this.#stop = stop
    this.#make = make
  }

  /** Undefined for a version that is not served. */
  row(version: string): KindRow | undefined {
    return this.definition.spec.versions.some(({ name, served }) => served && name === version)
      ? this.#rowOf(version)
      : undefined
  }

  /** Of the version that objects are stored in, served or not: for the server itself. */
  storageRow(): KindRow {
    return this.#rowOf(this.definition.spec.versions.find(({ storage }) => storage)!.name)
  }

  #rowOf(version: string): KindRow {
    let row = this.#rows.get(version)
    if (row === undefined) this.#rows.set(version, (row = this.#make(version, this.#stop.signal)))
    return row
  }

  /** What goes over to the next state of the definition where nothing that matters to readers changed. */
  get stop(): AbortController {
    return this.#stop
  }
}

export class CustomKinds implements Kinds {
  readonly #options: CustomKindsOptions
  /** By name: `plural.group`. */
  readonly #served = new Map<string, ServedDefinition>()
  readonly #listeners = new Set<(name: string) => void>()
  #generation = 0

  constructor(options: CustomKindsOptions) {
    this.#options = options
  }

  /** Reads the definitions and follows them until the signal ends. */
  async start(): Promise<void> {
    const { records, signal } = this.#options
    const row = this.definitionRow
    let started = false
    const early: CustomResourceDefinition[] = []
    records.onChange(row, signal, (changes) => {
      for (const { type, record } of changes) {
        const definition = record.object as CustomResourceDefinition
        if (type === 'DELETED') this.#remove(definition.metadata.name)
        else if (started) this.#set(definition)
        else early.push(definition)
        for (const listener of this.#listeners) listener(definition.metadata.name)
      }
    })
    for (const { object } of await records.list(row)) this.#set(object as CustomResourceDefinition)
    for (const definition of early) this.#set(definition)
    started = true
  }

  get definitionRow(): KindRow {
    return this.#options.catalog.row('apiextensions.k8s.io', 'v1', 'customresourcedefinitions')!
  }

  /** Called with the name of each definition that changed, after that took effect here. */
  subscribe(listener: (name: string) => void): void {
    this.#listeners.add(listener)
  }

  /** Grows with every change that readers could see. */
  get generation(): number {
    return this.#generation
  }

  /** Those that are established, in the order of their names. */
  established(): readonly ServedDefinition[] {
    return [...this.#served.values()]
      .filter(({ definition }) => isConditionTrue(definition, 'Established'))
      .toSorted((a, b) => (a.definition.metadata.name < b.definition.metadata.name ? -1 : 1))
  }

  served(name: string): ServedDefinition | undefined {
    return this.#served.get(name)
  }

  get rows(): readonly KindRow[] {
    const custom = this.established().flatMap((one) =>
      one.definition.spec.versions.map(({ name }) => one.row(name)).filter((row) => row !== undefined),
    )
    return custom.length === 0 ? this.#options.catalog.rows : [...this.#options.catalog.rows, ...custom]
  }

  find(group: string, version: string, plural: string): KindRow | undefined {
    return (
      this.#options.catalog.row(group, version, plural) ??
      (this.#served.size === 0 ? undefined : this.#served.get(`${plural}.${group}`)?.row(version))
    )
  }

  #remove(name: string): void {
    const before = this.#served.get(name)
    if (before === undefined) return
    this.#served.delete(name)
    this.#generation += 1
    before.stop.abort()
  }

  #set(definition: CustomResourceDefinition): void {
    const { name } = definition.metadata
    if (!isConditionTrue(definition, 'NamesAccepted') && !isConditionTrue(definition, 'Established'))
      return this.#remove(name)
    const before = this.#served.get(name)
    const same = before !== undefined && isSameToReaders(before.definition, definition)
    if (same && isSameState(before.definition, definition)) return
    const stop = same ? before.stop : new AbortController()
    this.#served.set(name, this.#make(definition, stop))
    this.#generation += 1
    // Whoever reads through the old rows lists again.
    if (!same) before?.stop.abort()
  }

  #make(definition: CustomResourceDefinition, stop: AbortController): ServedDefinition {
    const { catalog, converter } = this.#options
    const convert = definition.spec.conversion?.strategy === 'Webhook' ? converter(definition) : undefined
    const meta = catalog.schemas.get('meta/v1.ObjectMeta')
    return new ServedDefinition(definition, stop, (name, retired) => {
      const version = definition.spec.versions.find((one) => one.name === name)!
      const parts: CustomRowParts = {
        definition,
        version,
        meta,
        metaType: catalog.schemas.types.message('meta/v1.ObjectMeta'),
        storageVersionHash: storageHashOf(definition),
        retired,
        convert,
      }
      return customRow(parts)
    })
  }
}

function isSameToReaders(before: CustomResourceDefinition, after: CustomResourceDefinition): boolean {
  return (
    before.metadata.uid === after.metadata.uid &&
    deepEqual(before.spec, after.spec) &&
    deepEqual(before.status?.acceptedNames, after.status?.acceptedNames)
  )
}

function isSameState(before: CustomResourceDefinition, after: CustomResourceDefinition): boolean {
  return (
    before.metadata.deletionTimestamp === after.metadata.deletionTimestamp &&
    isConditionTrue(before, 'Established') === isConditionTrue(after, 'Established')
  )
}

/** As discovery names the stored form: 8 bytes of SHA-256 of group, storage version and kind. */
export function storageHashOf({ spec }: CustomResourceDefinition): string {
  const storage = spec.versions.find(({ storage: isStorage }) => isStorage)?.name ?? ''
  const digest = createHash('sha256').update(`${spec.group}/${storage}/${spec.names.kind}`).digest()
  return digest.subarray(0, 8).toString('base64')
}
