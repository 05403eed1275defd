// Paths into a schema (`.spec.list[0].name`, `.labels['a']`), as rules and selectable fields name them.

import type { JSONSchemaProps } from '../../types/apiextensions-v1.ts'

export interface FoundField {
  /** `spec.replicas` */
  readonly path: string
  readonly schema: JSONSchemaProps
}

/** The schema of a field by the path to it. Throws an Error that says what is wrong. `brackets`: may fields stand in brackets? */
export function findField(
  text: string,
  root: JSONSchemaProps,
  { brackets = true }: { readonly brackets?: boolean } = {},
): FoundField {
  let schema = root
  let path = ''
  const tokens = tokensOf(text)
  for (const token of tokens) {
    if (token.kind !== 'field' && !brackets) throw new Error('array notation is not allowed')
    if (token.kind === 'index') throw new Error(`expected single quoted string but got ${token.name}`)
    const own = schema.properties?.[token.name]
    const other = typeof schema.additionalProperties === 'object' ? schema.additionalProperties : undefined
    const next = schema.properties === undefined ? other : own
    if (next === undefined) throw new Error('does not refer to a valid field')
    path += own === undefined ? `[${token.name}]` : path === '' ? token.name : `.${token.name}`
    schema = next
  }
  return { path, schema }
}

export function isValidFieldPath(text: string, root: JSONSchemaProps): boolean {
  try {
    findField(text, root)
    return true
  } catch {
    return false
  }
}

interface Token {
  readonly kind: 'field' | 'key' | 'index'
  readonly name: string
}

const tokenShape = /\.([A-Za-z_][A-Za-z0-9_-]*)|\['((?:[^'\\]|\\.)*)'\]|\[(\d+)\]/y

function tokensOf(text: string): readonly Token[] {
  const tokens: Token[] = []
  let at = 0
  while (at < text.length) {
    tokenShape.lastIndex = at
    const match = tokenShape.exec(text)
    if (match === null) {
      const found = text[at]!
      throw new Error(at === 0 ? `expected [ or . but got: ${text}` : `expected [ or . but got: ${found}`)
    }
    at = tokenShape.lastIndex
    const [, field, key, index] = match
    if (field !== undefined) tokens.push({ kind: 'field', name: field })
    else if (key !== undefined) tokens.push({ kind: 'key', name: key.replaceAll(/\\(.)/gs, '$1') })
    else tokens.push({ kind: 'index', name: index! })
  }
  if (tokens.length === 0) throw new Error('empty path')
  return tokens
}
