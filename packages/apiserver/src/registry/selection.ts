// What a list, watch or deletecollection selects, read from its query once.

import type { KindRow } from '@aksel/api/kind-row'
import { ApiError } from '@aksel/base/errors'
import type { StoredRecord } from './record.ts'
import type { FacetTerm } from './facet-index.ts'
import { labelTermsOf, parseLabelSelector } from './label-selector.ts'
import { meetsFields, parseFieldSelector, type FieldTerm } from './selectors.ts'

export interface Selection {
  /** Undefined: everything. */
  readonly matches: ((record: StoredRecord) => boolean) | undefined
  /** Whether `matches` must parse objects. Labels are read from the bytes. */
  readonly readsFields: boolean
  /** The one name that the field selector allows, if it does. */
  readonly name: string
  /** Labels and fields that everything selected has. */
  readonly terms: readonly FacetTerm[]
}

/** Throws BadRequest for selectors that cannot be read and for fields that the kind does not offer. */
export function selectionOf(row: KindRow, query: URLSearchParams): Selection {
  const labels = parseLabelSelector(query.get('labelSelector') ?? '')
  const fields = parseFieldSelector(query.get('fieldSelector') ?? '')
  if (fields.length > 0)
    checkFields(
      row,
      fields.map((term) => term.field),
    )
  const name = fields.find((term) => term.field === 'metadata.name' && term.equal)?.value ?? ''
  if (labels === undefined && fields.length === 0) return { matches: undefined, readsFields: false, name, terms: [] }
  return {
    name,
    readsFields: fields.length > 0,
    terms: [...labelTermsOf(query.get('labelSelector') ?? ''), ...fieldTermsOf(fields)],
    matches: (record) =>
      (labels === undefined || labels(record.labels)) &&
      (fields.length === 0 ||
        meetsFields(
          fields,
          record.selectableFields((object) => row.selectableFields(object)),
        )),
  }
}

/** Names and namespaces are told by the key. */
function fieldTermsOf(fields: readonly FieldTerm[]): readonly FacetTerm[] {
  const told = fields.filter(({ field, equal }) => equal && !field.startsWith('metadata.'))
  return told.map(({ field, value }) => ({ kind: 'field', key: field, values: [value] }))
}

function checkFields(row: KindRow, fields: readonly string[]): void {
  const empty = { metadata: { name: '' }, spec: {}, status: {} }
  const offered = row.selectableFields(empty)
  const known = Object.keys(offered)
  const isPlain = known.every((field) => field.startsWith('metadata.'))
  // Kinds without fields of their own may be asked for a namespace even where they have none.
  const unknown = fields.find((field) => !known.includes(field) && !(isPlain && field === 'metadata.namespace'))
  if (unknown === undefined) return
  // Kinds with fields of their own and kinds without are refused in different words; kubectl puts the selector before them.
  throw new ApiError(
    'BadRequest',
    row.custom === undefined && known.every((field) => field.startsWith('metadata.'))
      ? `${JSON.stringify(unknown)} is not a known field selector: only "metadata.name", "metadata.namespace"`
      : `field label not supported: ${unknown}`,
  )
}

/** A whole number of the query, or undefined. Throws BadRequest. */
export function integerOf(query: URLSearchParams, name: string): number | undefined {
  const text = query.get(name)
  if (text === null || text === '') return undefined
  if (!/^[+-]?\d+$/.test(text))
    throw new ApiError('BadRequest', `strconv.ParseInt: parsing ${JSON.stringify(text)}: invalid syntax`)
  const value = BigInt(text)
  if (value !== BigInt.asIntN(64, value))
    throw new ApiError('BadRequest', `strconv.ParseInt: parsing ${JSON.stringify(text)}: value out of range`)
  return Number(value)
}

/** The `resourceVersion` of a query: undefined when absent, 0 for any. Throws BadRequest. */
export function resourceVersionOf(query: URLSearchParams): number | undefined {
  const text = query.get('resourceVersion')
  if (text === null || text === '') return undefined
  const why = !/^\d+$/.test(text) ? 'invalid syntax' : BigInt(text) >= 2n ** 64n ? 'value out of range' : undefined
  if (why === undefined) return Number(text)
  const shown = JSON.stringify(text)
  throw new ApiError(
    'BadRequest',
    `resourceVersion: Invalid value: ${shown}: strconv.ParseUint: parsing ${shown}: ${why}`,
  )
}
