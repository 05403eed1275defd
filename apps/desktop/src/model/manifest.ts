// An object as text to read and edit: without what only the server writes down for itself.

import { parse, parseAllDocuments, parseDocument, stringify, type Document } from 'yaml'

export interface Manifest {
  readonly apiVersion: string
  readonly kind: string
  readonly metadata: { readonly name?: string; readonly namespace?: string; readonly generateName?: string }
  readonly [field: string]: unknown
}

export function toYaml(object: unknown): string {
  const copy = structuredClone(object) as { metadata?: Record<string, unknown> }
  if (copy.metadata !== undefined) delete copy.metadata['managedFields']
  return stringify(copy, { lineWidth: 0 })
}

/** For a diff: without what changes with every write. */
export function comparable(object: unknown): string {
  const copy = structuredClone(object) as { metadata?: Record<string, unknown> }
  for (const field of ['managedFields', 'resourceVersion', 'generation']) delete copy.metadata?.[field]
  return stringify(copy, { lineWidth: 0, sortMapEntries: true })
}

/** Throws an Error in words where the text is no manifest. */
export function parseManifest(text: string): Manifest {
  return checked(parse(text))
}

export function parseManifests(text: string): readonly Manifest[] {
  const documents = parseAllDocuments(text)
  if (!Array.isArray(documents)) return []
  return documents
    .map((document: Document) => {
      const [error] = document.errors
      if (error !== undefined) throw error
      return document.toJS() as unknown
    })
    .filter((value) => value !== null)
    .map(checked)
}

function checked(value: unknown): Manifest {
  const { apiVersion, kind, metadata } = (value ?? {}) as Partial<Manifest>
  if (typeof apiVersion !== 'string' || typeof kind !== 'string') throw new Error('apiVersion and kind are missing')
  if (metadata?.name === undefined && metadata?.generateName === undefined) throw new Error('metadata.name is missing')
  return value as Manifest
}

type Path = readonly (string | number)[]

/** Where in the text a path is: offsets of the key, or of the value where there is no key. */
export function offsetsOf(text: string, path: Path): { readonly from: number; readonly to: number } {
  const document = parseDocument(text, { keepSourceTokens: false })
  for (let length = path.length; length > 0; length--) {
    const range = keyRange(document, path.slice(0, length))
    if (range !== undefined) return range
  }
  return { from: 0, to: 0 }
}

function keyRange(document: Document, path: Path): { readonly from: number; readonly to: number } | undefined {
  const parent = path.length === 1 ? document.contents : document.getIn(path.slice(0, -1), true)
  const last = path.at(-1)
  const { items } = (parent ?? {}) as {
    readonly items?: readonly {
      readonly key?: { readonly value?: unknown; readonly range?: readonly number[] }
      readonly range?: readonly number[]
    }[]
  }
  const range =
    typeof last === 'number' ? items?.[last]?.range : items?.find(({ key }) => key?.value === last)?.key?.range
  return range === undefined || range === null ? undefined : { from: range[0]!, to: range[1]! }
}

/** Path of the key under an offset, for the documentation beside the text: by indentation, so that half-written text works too. */
export function pathAt(text: string, offset: number): Path {
  const lines = text.slice(0, text.indexOf('\n', offset) === -1 ? undefined : text.indexOf('\n', offset)).split('\n')
  const path: (string | number)[] = []
  let indent = Number.POSITIVE_INFINITY
  for (let at = lines.length - 1; at >= 0; at--) {
    const [, space = '', dashes = '', key] = /^(\s*)((?:- +)*)(?:"?([\w./-]+)"?:(?:\s|$))?/.exec(lines[at]!) ?? []
    if (lines[at]!.trim() === '' || lines[at]!.trim().startsWith('#')) continue
    const keyIndent = space.length + dashes.length
    // A line that is not finished yet belongs where it stands.
    if (key === undefined && dashes === '' && indent === Number.POSITIVE_INFINITY) indent = space.length
    if (key !== undefined && keyIndent < indent) {
      path.unshift(key)
      indent = keyIndent
    }
    if (dashes !== '' && space.length < indent) {
      path.unshift(0)
      indent = space.length
      // The list's own key may stand at the same indentation as its dashes.
      indent += 1
    }
    if (indent === 0) break
  }
  return path
}
