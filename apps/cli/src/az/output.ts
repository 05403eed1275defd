// Results as az prints them: json, table, tsv, yaml or none, after a JMESPath query.

import { AzError } from './az-error.ts'

export const formats = ['json', 'jsonc', 'table', 'tsv', 'yaml', 'yamlc', 'none'] as const
export type Format = (typeof formats)[number]

export interface OutputOptions {
  readonly format: string | undefined
  readonly query: string | undefined
  /** A row for `table` where no query was given; the item's own scalars otherwise. */
  readonly row: ((item: never) => Readonly<Record<string, unknown>>) | undefined
}

/** The text to print; empty for no result. */
export async function render(result: unknown, options: OutputOptions): Promise<string> {
  // Printed already, by the one command that knows it.
  if (options.format === 'junit' && result === undefined) return ''
  const format = parseFormat(options.format)
  const value = options.query === undefined ? result : await search(result, options.query)
  if (value === undefined || format === 'none') return ''
  switch (format) {
    case 'json':
    case 'jsonc':
      return `${JSON.stringify(sorted(value, options.query === undefined), undefined, 2)}\n`
    case 'yaml':
    case 'yamlc':
      return (await import('yaml')).stringify(sorted(value, options.query === undefined))
    case 'tsv':
      return tsv(value)
    case 'table':
      return table(value, options.query === undefined ? options.row : undefined)
    default:
      return format satisfies never
  }
}

function parseFormat(text: string | undefined): Format {
  if (text === undefined) return 'json'
  const format = formats.find((known) => known === text.toLowerCase())
  if (format !== undefined) return format
  throw new AzError(
    `argument --output/-o: invalid choice: '${text}' (choose from ${formats.map((known) => `'${known}'`).join(', ')})`,
    2,
  )
}

async function search(value: unknown, query: string): Promise<unknown> {
  const { search: find } = await import('@jmespath-community/jmespath')
  try {
    return find(JSON.parse(JSON.stringify(value ?? null)) as never, query)
  } catch (error) {
    throw new AzError(`argument --query: invalid jmespath_type value: '${query}': ${(error as Error).message}`, 2)
  }
}

/** az prints the fields of a resource in the order of the alphabet. */
function sorted(value: unknown, wanted: boolean): unknown {
  if (!wanted || typeof value !== 'object' || value === null) return value
  if (Array.isArray(value)) return value.map((item) => sorted(item, true))
  const entries = Object.entries(value).toSorted(([left], [right]) => (left < right ? -1 : 1))
  return Object.fromEntries(entries.map(([key, item]) => [key, sorted(item, true)]))
}

function tsv(value: unknown): string {
  const items = Array.isArray(value) ? value : [value]
  return items.map((item) => `${tsvLine(item)}\n`).join('')
}

function tsvLine(item: unknown): string {
  if (typeof item !== 'object' || item === null) return cell(item)
  return Object.values(item).map(cell).join('\t')
}

function cell(value: unknown): string {
  if (value === null || value === undefined) return ''
  if (typeof value === 'boolean') return value ? 'True' : 'False'
  if (Array.isArray(value)) return String(value.length)
  if (typeof value === 'object') return ''
  return String(value as string | number)
}

/** Columns as wide as their widest cell, two spaces between, a line of dashes below the titles. */
function table(value: unknown, row: OutputOptions['row']): string {
  const items = Array.isArray(value) ? value : [value]
  const rows = items.map((item) => rowOf(item, row))
  const titles = [...new Set(rows.flatMap((columns) => Object.keys(columns)))]
  if (titles.length === 0) return ''
  const cells = rows.map((columns) => titles.map((title) => cell(columns[title])))
  const widths = titles.map((title, index) => Math.max(title.length, ...cells.map((line) => line[index]!.length)))
  const line = (texts: readonly string[]): string =>
    `${texts
      .map((text, index) => text.padEnd(widths[index]!))
      .join('  ')
      .trimEnd()}\n`
  return [titles, widths.map((width) => '-'.repeat(width)), ...cells].map(line).join('')
}

function rowOf(item: unknown, row: OutputOptions['row']): Readonly<Record<string, unknown>> {
  if (row !== undefined) return row(item as never)
  if (typeof item !== 'object' || item === null) return { Result: item }
  if (Array.isArray(item)) return Object.fromEntries(item.map((value: unknown, index) => [`Column${index + 1}`, value]))
  const scalars = Object.entries(item).filter(
    ([key, value]) => key !== 'id' && (typeof value !== 'object' || value === null),
  )
  return Object.fromEntries(scalars.map(([key, value]) => [key.charAt(0).toUpperCase() + key.slice(1), value]))
}
