// Objects from a cache are read-only; a draft is a copy that may be changed.

export type Draft<T> = T extends (infer Item)[] | readonly (infer Item)[]
  ? Draft<Item>[]
  : T extends object
    ? { -readonly [Key in keyof T]: Draft<T[Key]> }
    : T

/** A deep copy of plain JSON data that may be changed freely. */
export function draftOf<T>(value: T): Draft<T> {
  return structuredClone(value) as Draft<T>
}
