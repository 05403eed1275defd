// The columns that a definition gives its kind, and the cells that an object has in them.

import { stringifyJson } from '@aksel/base/json'
import { nameColumn } from '../kinds/columns.ts'
import type { Cell, Column } from '../kind-row.ts'
import type { KubernetesObject } from '../resource.ts'
import { humanDuration } from '../times.ts'
import type { CustomResourceColumnDefinition } from '../types/apiextensions-v1.ts'
import { parseJsonPath, type JsonPath } from './json-path.ts'

export interface PrinterColumns {
  readonly columns: readonly Column[]
  cells(object: KubernetesObject, nowMs: number): readonly Cell[]
}

const age: CustomResourceColumnDefinition = {
  name: 'Age',
  type: 'date',
  description: 'When the object was created, in UTC.',
  jsonPath: '.metadata.creationTimestamp',
}

/** A name, and the age where the definition names no columns. A path that cannot be read ends the columns, as upstream has it. */
export function printerColumns(definitions: readonly CustomResourceColumnDefinition[]): PrinterColumns {
  const own: { readonly column: Column; readonly path: JsonPath }[] = []
  for (const definition of definitions.length === 0 ? [age] : definitions) {
    try {
      own.push({ column: columnOf(definition), path: parseJsonPath(definition.jsonPath) })
    } catch {
      break
    }
  }
  return {
    columns: [nameColumn, ...own.map(({ column }) => column)],
    cells: (object, nowMs) => [
      object.metadata.name,
      ...own.map(({ column, path }) => cellOf(column.type, path(object), nowMs)),
    ],
  }
}

function columnOf(definition: CustomResourceColumnDefinition): Column {
  const { name, type, format = '', description = '', priority = 0, jsonPath } = definition
  return {
    name,
    type: type as Column['type'],
    format,
    description:
      description === '' ? `Custom resource definition column (in JSONPath format): ${jsonPath}` : description,
    priority: priority as Column['priority'],
  }
}

function cellOf(type: Column['type'], found: readonly unknown[], nowMs: number): Cell {
  const value = found[0]
  if (value === undefined || value === null) return null
  switch (type) {
    case 'string':
      return textOf(value)
    case 'integer':
      return typeof value === 'number' ? Math.trunc(value) : typeof value === 'bigint' ? Number(value) : null
    case 'number':
      return typeof value === 'number' ? value : typeof value === 'bigint' ? Number(value) : null
    case 'boolean':
      return typeof value === 'boolean' ? value : null
    case 'date':
      return typeof value === 'string' ? ageText(value, nowMs) : null
    default:
      return type satisfies never
  }
}

/** What kubectl's jsonpath would print. */
function textOf(value: unknown): string {
  return typeof value === 'string' ? value : stringifyJson(value)
}

function ageText(text: string, nowMs: number): string {
  if (!/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:[.,]\d+)?(?:Z|[+-]\d\d:\d\d)$/.test(text)) return '<invalid>'
  return humanDuration(nowMs - Date.parse(text))
}
