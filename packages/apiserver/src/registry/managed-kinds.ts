// What field management asks of each served kind: its type, its empty object, and the same object in its other versions.

import { deducedType } from '@aksel/api/apply/type-schema'
import { emptySet } from '@aksel/api/apply/field-set'
import type { FieldTexts } from '@aksel/api/apply/field-text'
import type { ManagedKind } from '@aksel/api/apply/managed-kind'
import type { Versioned } from '@aksel/api/apply/updater'
import type { KindRow } from '@aksel/api/kind-row'
import { groupVersionOf, type KubernetesObject } from '@aksel/api/resource'
import { draftOf, type Draft } from '@aksel/base/draft'
import type { Kinds } from './registry.ts'

export class ManagedKinds {
  readonly #kinds: Kinds
  readonly #known = new WeakMap<KindRow, ManagedKind>()
  readonly #texts: FieldTexts

  constructor(kinds: Kinds, texts: FieldTexts) {
    this.#kinds = kinds
    this.#texts = texts
  }

  of(row: KindRow): ManagedKind {
    let known = this.#known.get(row)
    if (known === undefined) this.#known.set(row, (known = this.#make(row)))
    return known
  }

  #make(row: KindRow): ManagedKind {
    const { ownership } = row
    let empty: unknown
    return {
      apiVersion: groupVersionOf(row),
      kind: row.kind,
      type: ownership?.type() ?? deducedType,
      empty: () => (empty ??= ownership?.empty() ?? {}),
      texts: this.#texts,
      only: (subresource) => ownership?.only?.(subresource),
      ignored: (subresource) => () => ownership?.ignored(subresource) ?? emptySet,
      convert: (object, apiVersion) => this.#convert(row, object, apiVersion),
    }
  }

  #convert(
    row: KindRow,
    object: Versioned,
    apiVersion: string,
  ): Versioned | undefined | Promise<Versioned | undefined> {
    if (object.apiVersion === apiVersion) return object
    const target = this.#sister(row, apiVersion)
    if (target === undefined) return undefined
    const type = target.ownership?.type() ?? deducedType
    const custom = row.ownership?.convert?.(object.value, apiVersion)
    if (custom !== undefined)
      return custom.then((value) => (value === undefined ? undefined : { apiVersion, type, value }))
    const source = this.#sister(row, object.apiVersion)
    if (source === undefined) return undefined
    return { apiVersion, type, value: converted(source, target, object.value as KubernetesObject) }
  }

  /** The row that serves the same objects in this version. */
  #sister(row: KindRow, apiVersion: string): KindRow | undefined {
    if (groupVersionOf(row) === apiVersion) return row
    return this.#kinds.rows.find(
      (one) => one.storagePrefix === row.storagePrefix && groupVersionOf(one) === apiVersion && one.kind === row.kind,
    )
  }
}

function converted(source: KindRow, target: KindRow, object: KubernetesObject): unknown {
  const draft = draftOf(object) as Draft<KubernetesObject>
  const stored = source.storedAs === undefined ? draft : source.storedAs.toStored(draft)
  return target.storedAs === undefined ? stored : target.storedAs.fromStored(stored as KubernetesObject)
}
