// Values as Go's `%v` shows them, for messages that quote a part of a request.

/** Maps as `map[a:1 b:[x y]]`, keys sorted; nothing is quoted. */
export function goShow(value: unknown): string {
  if (value === null || value === undefined) return '<nil>'
  if (Array.isArray(value)) return `[${value.map(goShow).join(' ')}]`
  if (typeof value !== 'object') return String(value as string | number | boolean | bigint)
  const entries = Object.entries(value).toSorted(([a], [b]) => (a < b ? -1 : 1))
  return `map[${entries.map(([key, item]) => `${key}:${goShow(item)}`).join(' ')}]`
}
