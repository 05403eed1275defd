// Reads the files that configure an API server (upstream's kinds that are no objects of the API): YAML or JSON, one known
// kind, no field that is not known.

/** What may stand in a field. */
export type Shape = 'string' | 'number' | 'boolean' | 'strings' | ShapeFields | readonly [ShapeFields]
export interface ShapeFields {
  readonly [field: string]: Shape
}

export interface ConfigurationKind {
  readonly kind: string
  readonly apiVersions: readonly string[]
  readonly fields: ShapeFields
}

/** The document without its kind and apiVersion. Throws an Error that says what does not fit. */
export async function readConfiguration(text: string, expected: ConfigurationKind): Promise<unknown> {
  const { parse } = await import('yaml')
  const document: unknown = parse(text, { maxAliasCount: 100, uniqueKeys: true })
  if (!isMapping(document)) throw new Error(`couldn't get version/kind; a ${expected.kind} is expected`)
  const { kind, apiVersion, ...rest } = document
  if (kind !== expected.kind || !expected.apiVersions.includes(String(apiVersion)))
    throw new Error(
      `no kind "${String(kind)}" is registered for version "${String(apiVersion)}": ${expected.kind} of ${expected.apiVersions.join(' or ')} is expected`,
    )
  const faults = faultsIn(rest, expected.fields, '')
  if (faults.length > 0) throw new Error(`strict decoding error: ${faults.join(', ')}`)
  return rest
}

function faultsIn(value: unknown, fields: ShapeFields, path: string): readonly string[] {
  if (!isMapping(value)) return [`${path}: a mapping is expected`]
  return Object.entries(value).flatMap(([name, inner]) => {
    const here = path === '' ? name : `${path}.${name}`
    const shape = Object.hasOwn(fields, name) ? fields[name] : undefined
    if (shape === undefined) return [`unknown field "${here}"`]
    return inner === null ? [] : faultsOf(inner, shape, here)
  })
}

function faultsOf(value: unknown, shape: Shape, path: string): readonly string[] {
  if (shape === 'strings')
    return isListOf(value, (one) => typeof one === 'string') ? [] : [`${path}: a list of strings is expected`]
  if (typeof shape === 'string') return typeof value === shape ? [] : [`${path}: a ${shape} is expected`]
  if (!isList(shape)) return faultsIn(value, shape, path)
  if (!Array.isArray(value)) return [`${path}: a list is expected`]
  return value.flatMap((one: unknown, at) => faultsIn(one, shape[0], `${path}[${at}]`))
}

function isList(shape: Shape): shape is readonly [ShapeFields] {
  return Array.isArray(shape)
}

function isListOf(value: unknown, is: (one: unknown) => boolean): boolean {
  return Array.isArray(value) && value.every(is)
}

function isMapping(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

/** `90s`, `1m30s`, `500ms`, as Go writes durations; in milliseconds. Undefined for what is none. */
export function durationMs(text: string): number | undefined {
  const unitsMs: Readonly<Record<string, number>> = { h: 3_600_000, m: 60_000, s: 1000, ms: 1 }
  const parts = [...text.matchAll(/(\d+(?:\.\d+)?)(ms|h|m|s)/g)]
  if (text === '0') return 0
  if (parts.length === 0 || parts.map(([part]) => part).join('') !== text) return undefined
  return parts.reduce((sum, [, count, unit]) => sum + Number(count) * unitsMs[unit!]!, 0)
}
