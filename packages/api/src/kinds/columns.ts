// What table columns are made of, and cells that several kinds show alike.

import type { Column } from '../kind-row.ts'
import type { Container } from '../types/core-v1.ts'

export const nameColumn: Column = {
  name: 'Name',
  type: 'string',
  format: 'name',
  description: 'Name must be unique within a namespace.',
  priority: 0,
}

export const ageColumn = column('Age', 'Time since the object was created, as of the server.')

export function column(name: string, description: string, type: Column['type'] = 'string'): Column {
  return { name, type, format: '', description, priority: 0 }
}

/** A column that is only shown wide. */
export function wide(name: string, description: string, type: Column['type'] = 'string'): Column {
  return { name, type, format: '', description, priority: 1 }
}

/** `<none>` for nothing. */
export function orNone(text: string | undefined): string {
  return text === undefined || text === '' ? '<none>' : text
}

/** `a=b,c=d`, sorted; `<none>` for nothing. */
export function labelsText(labels: Readonly<Record<string, string>> | undefined): string {
  const pairs = Object.entries(labels ?? {}).map(([key, value]) => `${key}=${value}`)
  return orNone(pairs.sort().join(','))
}

export function containerNames(containers: readonly Container[] | undefined): string {
  return (containers ?? []).map(({ name }) => name).join(',')
}

export function containerImages(containers: readonly Container[] | undefined): string {
  return (containers ?? []).map(({ image }) => image ?? '').join(',')
}
