// Takes out of an object what its structural schema does not know, in place, and tells where that was.

import { pathLettersMax } from '../schema-state.ts'
import { isObject, type Json, type SchemaNode } from './schema-node.ts'

const metaFields: ReadonlySet<string> = new Set(['apiVersion', 'kind', 'metadata'])

/** Removes what is unknown; answers the paths (`spec.list[0].extra`), sorted, of the first ones where they are too many to be told. apiVersion, kind and metadata of the root stay. */
export function prune(object: Json, root: SchemaNode): readonly string[] {
  const pruner = new Pruner()
  pruner.walk(object, root)
  return pruner.found.sort()
}

class Pruner {
  readonly found: string[] = []
  readonly #path: string[] = []
  #letters = 0

  walk(value: unknown, node: SchemaNode | undefined): void {
    if (node?.preservesUnknown === true) return this.#walkPreserved(value, node)
    if (Array.isArray(value)) {
      for (const [index, item] of value.entries()) this.#within(`[${index}]`, item, node?.items)
    } else if (isObject(value)) this.#walkObject(value, node)
  }

  #walkObject(value: Json, node: SchemaNode | undefined): void {
    for (const key of Object.keys(value)) {
      if (node?.isEmbedded === true && metaFields.has(key)) continue
      const known = node?.properties.get(key)
      if (known !== undefined) this.#within(key, value[key], known)
      else if (node?.additional !== undefined) this.#within(key, value[key], node.additional.node)
      else {
        delete value[key]
        this.#tell(key)
      }
    }
  }

  /** Unknown fields stay; below the known ones, schemas hold again. */
  #walkPreserved(value: unknown, node: SchemaNode): void {
    if (Array.isArray(value)) {
      if (node.items === undefined) return
      for (const [index, item] of value.entries()) {
        this.#path.push(`[${index}]`)
        this.#walkPreserved(item, node.items)
        this.#path.pop()
      }
    } else if (isObject(value)) {
      for (const key of Object.keys(value)) {
        if (node.isEmbedded && metaFields.has(key)) continue
        const known = node.properties.get(key)
        if (known !== undefined) this.#within(key, value[key], known)
        else if (node.additional !== undefined) this.#within(key, value[key], node.additional.node)
      }
    }
  }

  #within(step: string, value: unknown, node: SchemaNode | undefined): void {
    if (typeof value !== 'object' || value === null) return
    this.#path.push(step)
    this.walk(value, node)
    this.#path.pop()
  }

  /** However much is taken out: as much as anybody is told of. */
  #tell(key: string): void {
    if (this.#letters > pathLettersMax) return
    let path = ''
    for (const step of [...this.#path, key]) path += step.startsWith('[') || path === '' ? step : `.${step}`
    this.#letters += path.length
    this.found.push(path)
  }
}

/** True where pruning would find nothing. */
export function isPruned(value: unknown, node: SchemaNode | undefined): boolean {
  if (typeof value !== 'object' || value === null) return true
  const preserves = node?.preservesUnknown === true
  if (Array.isArray(value)) {
    if (preserves) return node.items === undefined || value.every((item) => isPrunedBelow(item, node.items!))
    return value.every((item) => isPruned(item, node?.items))
  }
  for (const key of Object.keys(value)) {
    if (node?.isEmbedded === true && metaFields.has(key)) continue
    const known = node?.properties.get(key)
    if (known === undefined && node?.additional === undefined) {
      if (!preserves) return false
    } else if (!isPruned((value as Json)[key], known ?? node!.additional!.node)) return false
  }
  return true
}

function isPrunedBelow(value: unknown, node: SchemaNode): boolean {
  return isPruned(value, node.preservesUnknown ? node : { ...node, preservesUnknown: true })
}
