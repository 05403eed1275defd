// Tables of our documents, read back so that tests can hold them against the code.

import { readFileSync } from 'node:fs'
import { repositoryRoot } from './source-files.ts'

export interface MarkdownTable {
  /** The nearest heading above it. */
  readonly heading: string
  readonly columns: readonly string[]
  /** Cells without the spaces around them. */
  readonly rows: readonly (readonly string[])[]
}

export function tablesOf(path: string): readonly MarkdownTable[] {
  return parseTables(readFileSync(`${repositoryRoot}${path}`, 'utf8'))
}

/** Throws where a row has other columns than its table's head. */
export function parseTables(text: string): readonly MarkdownTable[] {
  const tables: { heading: string; columns: readonly string[]; rows: (readonly string[])[] }[] = []
  let heading = ''
  let open = false
  for (const [index, line] of text.split('\n').entries()) {
    if (line.startsWith('#')) heading = line.replace(/^#+ /, '')
    const isRow = line.startsWith('|')
    if (!isRow) open = false
    else if (!open) {
      tables.push({ heading, columns: cellsOf(line), rows: [] })
      open = true
    } else if (!/^\|[ |:-]+\|$/.test(line)) {
      const table = tables.at(-1)!
      const cells = cellsOf(line)
      if (cells.length !== table.columns.length)
        throw new Error(`line ${index + 1} has ${cells.length} cells under ${table.columns.length} columns: ${line}`)
      table.rows.push(cells)
    }
  }
  return tables
}

/** `\|` is a bar within a cell. */
function cellsOf(line: string): readonly string[] {
  return line
    .replace(/^\|/, '')
    .replace(/\|\s*$/, '')
    .split(/(?<!\\)\|/)
    .map((cell) => cell.trim().replaceAll(String.raw`\|`, '|'))
}

/** Text without the backquotes around it. */
export function plain(cell: string): string {
  return cell.replace(/^(`+)(.*)\1$/, '$2')
}
