// How field names that CEL cannot write appear in expressions: `namespace` as `__namespace__`, `a-b` as `a__dash__b`.

const keywords = new Set(
  (
    'true false null in as break const continue else for function if import let loop package namespace return ' +
    'var void while'
  ).split(' '),
)

const escapes: Readonly<Record<string, string>> = {
  __: '__underscores__',
  '.': '__dot__',
  '-': '__dash__',
  '/': '__slash__',
}

/** The name in expressions; undefined where the field cannot be reached. */
export function escapeField(name: string): string | undefined {
  if (!/^[a-zA-Z_.\-/][a-zA-Z0-9_.\-/]*$/.test(name)) return undefined
  if (keywords.has(name)) return `__${name}__`
  return name.replace(/__|[-./]/g, (part) => escapes[part]!)
}

const unescapes: Readonly<Record<string, string>> = Object.fromEntries(
  Object.entries(escapes).map(([plain, escaped]) => [escaped, plain]),
)

/** The field behind an escaped name; undefined where the name holds no valid escape. */
export function unescapeField(escaped: string): string | undefined {
  let isValid = true
  const name = escaped.replace(/__[^_]+__/g, (part) => {
    const plain = unescapes[part]
    if (plain !== undefined) return plain
    const word = part.slice(2, -2)
    if (!keywords.has(word) || part !== escaped) isValid = false
    return word
  })
  return isValid ? name : undefined
}
