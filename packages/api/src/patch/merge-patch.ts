// JSON merge patch (RFC 7396): objects merge, null removes, everything else replaces.

type Json = unknown

export function isPlainObject(value: Json): value is Readonly<Record<string, Json>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

/** A new value; neither argument is changed. */
export function mergePatch(target: Json, patch: Json): Json {
  if (!isPlainObject(patch)) return patch
  const merged: Record<string, Json> = Object.assign(
    Object.create(null) as Record<string, Json>,
    isPlainObject(target) ? target : {},
  )
  for (const [key, value] of Object.entries(patch)) {
    if (value === null) delete merged[key]
    else merged[key] = mergePatch(merged[key], value)
  }
  return { ...merged }
}
