// Which form of an answer the client asked for: JSON, YAML or protobuf, and in it the object, a table, or metadata alone.

export interface MediaType {
  readonly type: string
  readonly parameters: Readonly<Record<string, string>>
  readonly quality: number
}

/** The entries of an Accept header, best first; among equals those that name more exactly what they want. */
export function parseAccept(header: string | undefined): readonly MediaType[] {
  if (header === undefined || header.trim() === '') return [{ type: '*/*', parameters: {}, quality: 1 }]
  const types = header.split(',').map((entry) => {
    const [type = '', ...rest] = entry.split(';').map((part) => part.trim())
    const parameters: Record<string, string> = {}
    for (const part of rest) {
      const equals = part.indexOf('=')
      if (equals > 0) parameters[part.slice(0, equals).toLowerCase()] = part.slice(equals + 1).replaceAll('"', '')
    }
    return { type: type.toLowerCase(), parameters, quality: qualityOf(parameters['q']) }
  })
  return types.filter((one) => one.quality > 0).toSorted((a, b) => b.quality - a.quality || wildness(a) - wildness(b))
}

/** What cannot be read counts as 1, as in Go's parser. */
function qualityOf(text: string | undefined): number {
  const quality = text === undefined ? 1 : Number(text)
  return Number.isNaN(quality) ? 1 : quality
}

function wildness({ type }: MediaType): number {
  return type === '*/*' ? 2 : type.endsWith('/*') ? 1 : 0
}

export const objectForms = ['object', 'table', 'partial'] as const
export type ObjectForm = (typeof objectForms)[number]

export const encodings = ['json', 'yaml', 'protobuf'] as const
export type Encoding = (typeof encodings)[number]

export const mediaTypes: Readonly<Record<Encoding, string>> = {
  json: 'application/json',
  yaml: 'application/yaml',
  protobuf: 'application/vnd.kubernetes.protobuf',
}

export interface Negotiated {
  readonly form: ObjectForm
  readonly contentType: string
  readonly encoding: Encoding
  /** Of tables and metadata alone. */
  readonly metaVersion: 'v1' | 'v1beta1'
}

const plain: Negotiated = { form: 'object', contentType: 'application/json', encoding: 'json', metaVersion: 'v1' }

/** `offered`: custom resources have no protobuf, and a watch has no YAML. Undefined where nothing accepted can be made. */
export function negotiateObject(
  header: string | undefined,
  offered: readonly Encoding[] = encodings,
): Negotiated | undefined {
  if (header === undefined || header === 'application/json' || header === '*/*') return plain
  for (const { type, parameters } of parseAccept(header)) {
    const encoding = encodingOf(type, offered)
    if (encoding === undefined) continue
    const transform = transformOf(parameters)
    if (transform !== undefined) return { ...transform, contentType: mediaTypes[encoding], encoding }
  }
  return undefined
}

function encodingOf(type: string, offered: readonly Encoding[]): Encoding | undefined {
  if (type === '*/*' || type === 'application/*') return 'json'
  return offered.find((one) => mediaTypes[one] === type)
}

/** Undefined for a transformation that does not exist: the next entry is tried then. */
function transformOf({ as, g, v }: MediaType['parameters']): Pick<Negotiated, 'form' | 'metaVersion'> | undefined {
  if (as === undefined) return { form: 'object', metaVersion: 'v1' }
  if (g !== 'meta.k8s.io' || (v !== 'v1' && v !== 'v1beta1')) return undefined
  if (as === 'Table') return { form: 'table', metaVersion: v }
  return as === 'PartialObjectMetadata' || as === 'PartialObjectMetadataList'
    ? { form: 'partial', metaVersion: v }
    : undefined
}

/** As a refusal lists them. */
export function offeredTypes(offered: readonly Encoding[], suffix = ''): readonly string[] {
  return offered.map((one) => `${mediaTypes[one]}${suffix}`)
}

/** What bodies may be sent as. */
export const objectMediaTypes = ['application/json', 'application/yaml'] as const
