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
  const [only] = tests
  return tests.length === 1 ? only : (row) => tests.every((test) => test(row))
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
  if (field !== '' && at !== -1) return cellTest([at], value)
  const inCells = cellTest(
    columns.flatMap(({ name, type }, index) => (name === 'Name' || type === 'date' ? [] : [index])),
    word,
  )
  let namespace = ''
  let inNamespace = false
  return (row) => {
    if (row.name.toLowerCase().includes(word)) return true
    if (row.namespace !== namespace) {
      namespace = row.namespace
      inNamespace = namespace.includes(word)
    }
    return inNamespace || inCells(row)
  }
}

/** Of a column in which every row has a value of its own, more would cost more than looking. */
const REMEMBERED_MAX = 1000

/**
 * Has one of these cells the word? Cells repeat: a value is looked at once, and one that the row before had is not even looked up.
 */
function cellTest(places: readonly number[], word: string): (row: Row) => boolean {
  const known = places.map(() => new Map<string | number, boolean>())
  const lastValues: (string | number | undefined)[] = places.map(() => undefined)
  const lastResults = places.map(() => false)
  const look = (column: number, value: string | number): boolean => {
    let result = known[column]!.get(value)
    if (result === undefined) {
      result = String(value).toLowerCase().includes(word)
      if (known[column]!.size < REMEMBERED_MAX) known[column]!.set(value, result)
    }
    lastValues[column] = value
    lastResults[column] = result
    return result
  }
  return ({ cells }) => {
    for (let column = 0; column < places.length; column++) {
      const value = cells[places[column]!] ?? ''
      if (value === lastValues[column] ? lastResults[column] : look(column, value)) return true
    }
    return false
  }
}
