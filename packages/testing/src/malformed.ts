// Objects with one field missing or senseless, one after the other: what may be stored and must stop nobody.

type Json = Readonly<Record<string, unknown>>

/** Never changed: without them an object is none. */
const kept = new Set(['metadata', 'name', 'namespace', 'uid', 'resourceVersion', 'creationTimestamp', 'generation'])

/**
 * One variant a path; types stay, since the decoder keeps them. The object itself, its metadata and its spec stay as a whole;
 * `alsoKept` names more fields that are not taken away or changed, wherever they stand.
 */
export function* variantsOf<T extends object>(object: T, alsoKept: readonly string[] = []): Generator<T> {
  yield* variants(object, new Set(alsoKept), true) as Generator<T>
}

function* variants(value: unknown, alsoKept: ReadonlySet<string>, isTop = false): Generator<unknown> {
  if (Array.isArray(value)) {
    yield []
    for (const [index, item] of value.entries())
      for (const each of variants(item, alsoKept)) yield value.with(index, each)
    return
  }
  if (typeof value === 'object' && value !== null) {
    for (const [key, item] of Object.entries(value)) {
      if (alsoKept.has(key)) continue
      if (!(isTop && (key === 'metadata' || key === 'spec')) && !kept.has(key)) {
        const { [key]: _, ...rest } = value as Json
        yield rest
      }
      if (key === 'name' || key === 'namespace') continue
      for (const each of variants(item, alsoKept)) yield { ...value, [key]: each }
    }
    return
  }
  if (typeof value === 'string') for (const each of ['', 'no sense!']) yield each
  if (typeof value === 'number') for (const each of [0, -1]) yield each
}
