// Tables, as kubectl asks for: columns and cells come from the row.

import type { KindRow } from '@aksel/api/kind-row'
import type { KubernetesObject } from '@aksel/api/resource'
import { ApiError } from '@aksel/base/errors'

export const includeObjects = ['None', 'Metadata', 'Object'] as const
export type IncludeObject = (typeof includeObjects)[number]

/** Throws BadRequest for a value that does not exist. */
export function includeObjectOf(query: URLSearchParams): IncludeObject {
  const value = query.get('includeObject') ?? ''
  if (value === '') return 'Metadata'
  if ((includeObjects as readonly string[]).includes(value)) return value as IncludeObject
  throw new ApiError(
    'BadRequest',
    `TableOptions.meta.k8s.io "" is invalid: includeObject: Unsupported value: "${value}": supported values: "Metadata", "None", "Object", ""`,
  )
}

export function columnDefinitions(row: KindRow): readonly unknown[] {
  return row.columns.map(({ name, type, format, description, priority }) => ({
    name,
    type,
    format,
    description,
    priority,
  }))
}

export function tableRow(
  row: KindRow,
  object: KubernetesObject,
  nowMs: number,
  include: IncludeObject,
  metaVersion: 'v1' | 'v1beta1' = 'v1',
): unknown {
  const conditions = row.rowConditions(object)
  return {
    cells: row.cells(object, nowMs),
    ...(conditions.length === 0 ? {} : { conditions }),
    ...(include === 'None' ? {} : { object: include === 'Object' ? object : partialOf(object, metaVersion) }),
  }
}

export function partialOf(object: KubernetesObject, metaVersion: 'v1' | 'v1beta1' = 'v1'): object {
  return { kind: 'PartialObjectMetadata', apiVersion: `meta.k8s.io/${metaVersion}`, metadata: object.metadata }
}
