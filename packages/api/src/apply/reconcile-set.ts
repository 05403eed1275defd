// A stored set after its type changed: what used to be merged piece by piece and is one piece now is owned as one.

import { hasBelow, isEmptySet, leaf, ordered, SELF, type FieldSet } from './field-set.ts'
import { typeOfEntry, type TypeSchema } from './type-schema.ts'

/** The same set where nothing has to change. Types that are not declared are left alone. */
export function reconcileSet(type: TypeSchema, set: FieldSet): FieldSet {
  if (type.deduced === true || isEmptySet(set)) return set
  let changed: Record<string, FieldSet> | undefined
  for (const element in set) {
    if (element === SELF) continue
    const node = set[element]!
    const inner = innerType(type, element)
    if (inner === undefined) continue
    const next = reconcileNode(inner, node)
    if (next !== node) (changed ??= { ...set })[element] = next
  }
  return changed === undefined ? set : ordered(changed)
}

function innerType(type: TypeSchema, element: string): TypeSchema | undefined {
  if (type.map !== undefined)
    return element.startsWith('f:') ? typeOfEntry(type.map, element.slice(2)) : type.map.element?.()
  return type.list?.item()
}

function reconcileNode(type: TypeSchema, node: FieldSet): FieldSet {
  if (!hasBelow(node)) return node
  if (type.deduced === true) return node
  if (type.map?.atomic === true || (type.map === undefined && type.list?.kind === 'atomic')) return leaf
  return reconcileSet(type, node)
}
