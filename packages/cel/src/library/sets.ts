// Lists taken as sets.

import { declare, type FunctionDeclaration } from '../functions.ts'
import { containsValue } from '../equality.ts'
import { exactly, plus, scaled, times } from '../cost-ranges.ts'
import { sizeOf, type ListValue } from '../values.ts'

function containsAll(list: ListValue, part: ListValue): boolean {
  for (const item of part) if (!containsValue(list, item)) return false
  return true
}

function intersects(left: ListValue, right: ListValue): boolean {
  for (const item of left) if (containsValue(right, item)) return true
  return false
}

function set(name: string, factor: number, judge: (left: ListValue, right: ListValue) => boolean): FunctionDeclaration {
  return declare(
    `sets.${name}`,
    { '(list<T>, list<T>) -> bool': judge },
    {
      cost: ([left, right]) => 1 + sizeOf(left!) * sizeOf(right!) * factor,
      estimate: ({ args }) => plus(scaled(times(args[0]!.size, args[1]!.size), factor), exactly(1)),
    },
  )
}

export const setFunctions: readonly FunctionDeclaration[] = [
  set('contains', 1, containsAll),
  set('intersects', 1, intersects),
  set('equivalent', 2, (left, right) => containsAll(left, right) && containsAll(right, left)),
]
