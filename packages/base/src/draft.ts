// Objects from a cache are read-only; a draft is a copy that may be changed.

export type Draft<T> = T extends (infer Item)[] | readonly (infer Item)[]
  ? Draft<Item>[]
  : T extends object
    ? { -readonly [Key in keyof T]: Draft<T[Key]> }
    : T

/** A deep copy of plain JSON data that may be changed freely. Several times as fast as a structured clone. */
export function draftOf<T>(value: T): Draft<T> {
  return copyOf(value) as Draft<T>
}

function copyOf(value: unknown): unknown {
  if (typeof value !== 'object' || value === null) return value
  if (Array.isArray(value)) {
    const items: unknown[] = []
    for (let at = 0; at < value.length; at += 1) items.push(copyOf(value[at]))
    return items
  }
  const copy: Record<string, unknown> = {}
  for (const key in value) {
    const item = copyOf((value as Readonly<Record<string, unknown>>)[key])
    if (key === '__proto__')
      Object.defineProperty(copy, key, { value: item, enumerable: true, writable: true, configurable: true })
    else copy[key] = item
  }
  return copy
}
