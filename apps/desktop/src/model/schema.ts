// The server's own OpenAPI as a guide while writing: what a field is for, which ones there are, and what is written wrong.

export interface Schema {
  readonly type?: string
  readonly description?: string
  readonly properties?: Readonly<Record<string, Schema>>
  readonly items?: Schema
  readonly additionalProperties?: Schema | boolean
  readonly required?: readonly string[]
  readonly enum?: readonly unknown[]
  readonly allOf?: readonly Schema[]
  readonly $ref?: string
  readonly format?: string
  readonly 'x-kubernetes-preserve-unknown-fields'?: boolean
  readonly 'x-kubernetes-int-or-string'?: boolean
  readonly 'x-kubernetes-group-version-kind'?: readonly {
    readonly group: string
    readonly version: string
    readonly kind: string
  }[]
}

export interface SchemaDocument {
  readonly components?: { readonly schemas?: Readonly<Record<string, Schema>> }
}

/** Undefined where the document does not tell the kind. */
export function schemaOf(
  document: SchemaDocument,
  kind: { readonly group: string; readonly version: string; readonly kind: string },
): Schema | undefined {
  return Object.values(document.components?.schemas ?? {}).find((schema) =>
    schema['x-kubernetes-group-version-kind']?.some(
      (each) => each.group === kind.group && each.version === kind.version && each.kind === kind.kind,
    ),
  )
}

/** A schema without its references: they are looked up one step at a time, for they may lead in circles. */
export function resolve(document: SchemaDocument, schema: Schema | undefined): Schema | undefined {
  if (schema === undefined) return undefined
  const { $ref, allOf, ...own } = schema
  if ($ref !== undefined) {
    const target = resolve(document, document.components?.schemas?.[$ref.slice($ref.lastIndexOf('/') + 1)])
    return target === undefined ? undefined : { ...target, ...own }
  }
  return allOf?.length === 1 ? { ...resolve(document, allOf[0]), ...own } : schema
}

/** The schema at a path; numbers stand for places in a list. */
export function schemaAt(
  document: SchemaDocument,
  root: Schema,
  path: readonly (string | number)[],
): Schema | undefined {
  let here = resolve(document, root)
  for (const step of path) {
    const next =
      typeof step === 'number'
        ? here?.items
        : (here?.properties?.[step] ??
          (typeof here?.additionalProperties === 'object' ? here.additionalProperties : undefined))
    here = resolve(document, next)
  }
  return here
}

export interface Complaint {
  readonly path: readonly (string | number)[]
  readonly message: string
}

/** Fields that the kind does not have, values of another type, and what is missing. The server has the last word. */
export function complaints(document: SchemaDocument, root: Schema, value: unknown): readonly Complaint[] {
  const found: Complaint[] = []
  walk(document, resolve(document, root), value, [], found)
  return found
}

function walk(
  document: SchemaDocument,
  schema: Schema | undefined,
  value: unknown,
  path: readonly (string | number)[],
  found: Complaint[],
): void {
  if (schema === undefined || value === null || value === undefined) return
  const wrong = wrongType(schema, value)
  if (wrong !== undefined) return void found.push({ path, message: wrong })
  if (Array.isArray(value)) {
    const items = resolve(document, schema.items)
    return value.forEach((each, at) => walk(document, items, each, [...path, at], found))
  }
  if (typeof value !== 'object') {
    if (schema.enum !== undefined && !schema.enum.includes(value))
      found.push({ path, message: `one of ${schema.enum.join(', ')} is wanted` })
    return
  }
  for (const name of schema.required ?? []) if (!(name in value)) found.push({ path, message: `"${name}" is missing` })
  const open =
    schema.properties === undefined ||
    schema.additionalProperties !== undefined ||
    schema['x-kubernetes-preserve-unknown-fields'] === true
  for (const [key, each] of Object.entries(value)) {
    const own = schema.properties?.[key]
    if (own !== undefined) walk(document, resolve(document, own), each, [...path, key], found)
    else if (!open) found.push({ path: [...path, key], message: `there is no field "${key}"` })
    else if (typeof schema.additionalProperties === 'object')
      walk(document, resolve(document, schema.additionalProperties), each, [...path, key], found)
  }
}

function wrongType(schema: Schema, value: unknown): string | undefined {
  if (schema['x-kubernetes-int-or-string'] === true || schema.format === 'int-or-string') return undefined
  const is = Array.isArray(value) ? 'array' : typeof value
  switch (schema.type) {
    case 'string':
      return is === 'string'
        ? undefined
        : `a text is wanted; ${is === 'object' ? 'a mapping' : JSON.stringify(value)} is none`
    case 'integer':
      return is === 'number' && Number.isInteger(value) ? undefined : 'a whole number is wanted'
    case 'number':
      return is === 'number' ? undefined : 'a number is wanted'
    case 'boolean':
      return is === 'boolean' ? undefined : 'true or false is wanted'
    case 'array':
      return is === 'array' ? undefined : 'a list is wanted'
    case 'object':
      return is === 'object' ? undefined : 'a mapping is wanted'
    default:
      return undefined
  }
}
