// The operations of a server as it describes them itself: what the fuzzer draws its requests from.

export type Schema = Readonly<Record<string, unknown>>

export interface Parameter {
  readonly name: string
  readonly place: 'path' | 'query'
  readonly type: string
}

export interface Operation {
  readonly method: string
  /** `/api/v1/namespaces/{namespace}/pods/{name}` */
  readonly path: string
  readonly parameters: readonly Parameter[]
  /** Media types that the body may have; empty: none is sent. */
  readonly bodyTypes: readonly string[]
  readonly body: Schema | undefined
}

export interface Spec {
  readonly operations: readonly Operation[]
  /** Paths that are no resources. */
  readonly documents: readonly string[]
  schema(reference: string): Schema
}

interface Document {
  readonly paths: Readonly<Record<string, Readonly<Record<string, unknown>>>>
  readonly components: { readonly schemas: Readonly<Record<string, Schema>> }
}

const methods: ReadonlySet<string> = new Set(['get', 'post', 'put', 'patch', 'delete'])

/** `read`: the JSON of a path. */
export async function readSpec(read: (path: string) => Promise<unknown>): Promise<Spec> {
  const index = (await read('/openapi/v3')) as {
    readonly paths: Readonly<Record<string, { readonly serverRelativeURL: string }>>
  }
  const operations: Operation[] = []
  const schemas = new Map<string, Schema>()
  for (const { serverRelativeURL } of Object.values(index.paths)) {
    const document = (await read(serverRelativeURL)) as Document
    for (const [name, schema] of Object.entries(document.components.schemas)) schemas.set(name, schema)
    for (const [path, item] of Object.entries(document.paths)) operations.push(...operationsOf(path, item))
  }
  const root = (await read('/')) as { readonly paths: readonly string[] }
  return {
    operations,
    documents: [...root.paths, ...Object.keys(index.paths).map((key) => `/openapi/v3/${key}`)],
    schema: (reference) => schemas.get(reference.replace('#/components/schemas/', '')) ?? {},
  }
}

function operationsOf(path: string, item: Readonly<Record<string, unknown>>): readonly Operation[] {
  const shared = parametersOf(item['parameters'])
  return Object.entries(item)
    .filter(([method]) => methods.has(method))
    .map(([method, value]) => {
      const operation = value as {
        readonly parameters?: unknown
        readonly requestBody?: { readonly content: Readonly<Record<string, { readonly schema?: Schema }>> }
      }
      const content = Object.entries(operation.requestBody?.content ?? {})
      return {
        method: method.toUpperCase(),
        path,
        parameters: [...shared, ...parametersOf(operation.parameters)],
        bodyTypes: content.map(([type]) => type),
        body: content[0]?.[1].schema,
      }
    })
}

function parametersOf(value: unknown): readonly Parameter[] {
  const list = (value ?? []) as readonly { name: string; in: string; schema?: { type?: string } }[]
  return list.map((one) => ({
    name: one.name,
    place: one.in === 'path' ? 'path' : 'query',
    type: one.schema?.type ?? 'string',
  }))
}
