// How the set of a struct's fields is written, worked out once for each sequence of keys that is met: a decoder writes few of
// them, always in the order of the struct. What no value can change is text that stands ready.

import type { MapSchema, TypeSchema } from './type-schema.ts'

/** A field that may have fields below it. */
export interface KeyStep {
  readonly key: string
  readonly type: TypeSchema
  /** All that stands between the step before and the node of this one: `"f:name":{},"f:ports":`. */
  readonly lead: string
}

export interface KeyPlan {
  readonly steps: readonly KeyStep[]
  readonly tail: string
}

interface Node {
  readonly next: Map<string, Node>
  plan: KeyPlan | undefined
}

/** Keys in all sequences that one struct remembers. */
const NODES_MAX = 400

export class KeyPlans {
  readonly #map: () => MapSchema
  readonly #root: Node = { next: new Map(), plan: undefined }
  #nodes = 0

  constructor(map: () => MapSchema) {
    this.#map = map
  }

  /** Undefined where a key is not declared or too many sequences were met. */
  of(value: Readonly<Record<string, unknown>>): KeyPlan | undefined {
    let node = this.#root
    for (const key in value) {
      if (value[key] === undefined) continue
      const next = node.next.get(key) ?? this.#add(node, key)
      if (next === undefined) return undefined
      node = next
    }
    return (node.plan ??= this.#plan(Object.keys(value).filter((key) => value[key] !== undefined)))
  }

  #add(node: Node, key: string): Node | undefined {
    if (this.#nodes >= NODES_MAX || this.#map().field(key) === undefined) return undefined
    this.#nodes += 1
    const next: Node = { next: new Map(), plan: undefined }
    node.next.set(key, next)
    return next
  }

  #plan(keys: readonly string[]): KeyPlan {
    const map = this.#map()
    const steps: KeyStep[] = []
    let text = ''
    for (const [at, key] of keys.toSorted().entries()) {
      const type = map.field(key)!.type()
      text += `${at === 0 ? '' : ','}${JSON.stringify(`f:${key}`)}:`
      if (isPiece(type)) text += '{}'
      else {
        steps.push({ key, type, lead: text })
        text = ''
      }
    }
    return { steps, tail: text }
  }
}

/** Nothing can lie below its values, whatever they are. */
function isPiece({ list, map }: TypeSchema): boolean {
  return (list === undefined || list.kind === 'atomic') && (map === undefined || map.atomic)
}
