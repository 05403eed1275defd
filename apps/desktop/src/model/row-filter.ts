// Words of a filter, as a test of rows.

import type { Row, TableColumn } from './kube-table.ts'

/** Undefined where everything matches. */
export function compileFilter(filter: string, columns: readonly TableColumn[]): ((row: Row) => boolean) | undefined {
  const words = filter.trim().toLowerCase().split(/\s+/).filter(Boolean)
  if (words.length === 0) return undefined
  const tests = words.map((word) => {
    const denied = word.startsWith('-') && word.length > 1
    const test = compileWord(denied ? word.slice(1) : word, columns)
    return denied ? (row: Row) => !test(row) : test
  })
  return (row) => tests.every((test) => test(row))
}

function compileWord(word: string, columns: readonly TableColumn[]): (row: Row) => boolean {
  const [, field = '', value = ''] = /^([\w-]+):(.+)$/.exec(word) ?? []
  if (field === 'label')
    return (row) =>
      row.labels
        .toLowerCase()
        .split(',')
        .some((pair) => pair === value || pair.startsWith(`${value}=`))
  if (field === 'ns' || field === 'namespace') return (row) => row.namespace.toLowerCase() === value
  const at = columns.findIndex(({ name }) => name.toLowerCase().replaceAll(' ', '-') === field)
  if (field !== '' && at !== -1) return memoized(at, (text) => text.includes(value))
  const cells = columns.flatMap(({ name, type }, index) =>
    name === 'Name' || type === 'date' ? [] : [memoized(index, (text) => text.includes(word))],
  )
  return (row) =>
    row.name.toLowerCase().includes(word) || row.namespace.includes(word) || cells.some((test) => test(row))
}

/** Of a column in which every row has a value of its own, more would cost more than looking. */
const REMEMBERED_MAX = 1000

/** Cells repeat: a value is looked at once. */
function memoized(at: number, test: (text: string) => boolean): (row: Row) => boolean {
  const known = new Map<string | number, boolean>()
  // Neighbours often have the same value: it is not even looked up.
  let last: string | number | undefined
  let lastResult = false
  return (row) => {
    const value = row.cells[at] ?? ''
    if (value === last) return lastResult
    let result = known.get(value)
    if (result === undefined) {
      result = test(String(value).toLowerCase())
      if (known.size < REMEMBERED_MAX) known.set(value, result)
    }
    last = value
    lastResult = result
    return result
  }
}
