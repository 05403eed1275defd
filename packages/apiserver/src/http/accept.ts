// Which form of an answer the client asked for: JSON, a table, metadata alone, or a discovery document in one piece.

export interface MediaType {
  readonly type: string
  readonly parameters: Readonly<Record<string, string>>
  readonly quality: number
}

/** The entries of an Accept header, best first. */
export function parseAccept(header: string | undefined): readonly MediaType[] {
  if (header === undefined || header.trim() === '') return [{ type: '*/*', parameters: {}, quality: 1 }]
  const types = header.split(',').map((entry) => {
    const [type = '', ...rest] = entry.split(';').map((part) => part.trim())
    const parameters: Record<string, string> = {}
    for (const part of rest) {
      const equals = part.indexOf('=')
      if (equals > 0) parameters[part.slice(0, equals).toLowerCase()] = part.slice(equals + 1).replaceAll('"', '')
    }
    return { type: type.toLowerCase(), parameters, quality: Number(parameters['q'] ?? 1) }
  })
  return types.filter((one) => one.quality > 0).toSorted((a, b) => b.quality - a.quality)
}

export const objectForms = ['object', 'table', 'partial'] as const
export type ObjectForm = (typeof objectForms)[number]

export interface Negotiated {
  readonly form: ObjectForm
  readonly contentType: string
  readonly encoding: 'json' | 'yaml'
}

const plain: Negotiated = { form: 'object', contentType: 'application/json', encoding: 'json' }

/** Undefined where nothing that is accepted can be made. */
export function negotiateObject(header: string | undefined): Negotiated | undefined {
  if (header === undefined || header === 'application/json' || header === '*/*') return plain
  for (const { type, parameters } of parseAccept(header)) {
    const encoding = encodingOf(type)
    if (encoding === undefined) continue
    const { as, v, g } = parameters
    const contentType = encoding === 'yaml' ? 'application/yaml' : 'application/json'
    if (as === undefined) return { form: 'object', contentType, encoding }
    if (g !== 'meta.k8s.io' || v !== 'v1') continue
    if (as === 'Table') return { form: 'table', contentType: `${contentType};as=Table;g=meta.k8s.io;v=v1`, encoding }
    if (as === 'PartialObjectMetadata' || as === 'PartialObjectMetadataList') {
      return { form: 'partial', contentType: `${contentType};as=${as};g=meta.k8s.io;v=v1`, encoding }
    }
  }
  return undefined
}

function encodingOf(type: string): 'json' | 'yaml' | undefined {
  if (type === 'application/json' || type === '*/*' || type === 'application/*') return 'json'
  return type === 'application/yaml' ? 'yaml' : undefined
}

export const objectMediaTypes = ['application/json', 'application/yaml'] as const
