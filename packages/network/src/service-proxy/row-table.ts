// All services' rows together. Knows who owns a row, so that two services that claim one address do not take turns.

import type { Row, ServiceRows } from './compile.ts'
import type { IpFamily } from '@aksel/base/ip-range'
import { chainName, chainRules, proxyTableName, type Spread } from './table.ts'
import type { TableContent } from '../nft/table.ts'
import { ContentBuilder } from '../nft/table.ts'

export interface RowChange {
  /** One transaction for nft; empty when nothing changes. */
  readonly lines: readonly string[]
  /** UDP flows that the kernel remembers and must forget: original destination and the backend that is gone. */
  readonly staleFlows: readonly { readonly frontend: string; readonly backend: string }[]
  /** Services to compile again: a row that they claim has become free. */
  readonly again: readonly string[]
}

export class RowTable {
  readonly #rows = new Map<string, Map<string, { readonly value: string; readonly owners: Set<string> }>>()
  readonly #rowsOf = new Map<string, readonly Row[]>()
  readonly #chains = new Map<string, Spread>()
  readonly #losers = new Set<string>()
  readonly #family: IpFamily

  constructor(family: IpFamily = 4) {
    this.#family = family
  }

  /** Puts these services' rows in place of their former ones. Chains stay once made: there are only so many counts. */
  replace(changes: ReadonlyMap<string, ServiceRows>): RowChange {
    const lines = this.#addChains(changes)
    const before = new Map<string, Row>()
    for (const service of changes.keys()) {
      for (const row of this.#release(service)) before.set(idOf(row), row)
    }
    const after = new Map<string, Row>()
    for (const [service, { rows }] of changes) {
      for (const row of this.#claim(service, rows)) after.set(idOf(row), row)
    }
    const gone = [...before]
      .filter(([id, row]) => after.get(id)?.value !== row.value && !this.#stands(row))
      .map(([, row]) => row)
    const fresh = [...after].filter(([id, row]) => before.get(id)?.value !== row.value).map(([, row]) => row)
    const freed = gone.some((row) => !after.has(idOf(row)))
    const name = proxyTableName(this.#family)
    lines.push(...render(name, 'delete', gone), ...render(name, 'add', fresh))
    const again = freed ? [...this.#losers].filter((service) => !changes.has(service)) : []
    return { lines, staleFlows: staleFlows(gone), again }
  }

  /** Everything, for loading the table from nothing. */
  content(): TableContent {
    const builder = new ContentBuilder()
    for (const [name, spread] of this.#chains) builder.chain(name, chainRules(spread, this.#family))
    for (const [map, rows] of this.#rows) {
      for (const [key, { value }] of rows) builder.add(map, key, value)
    }
    return builder.build()
  }

  #addChains(changes: ReadonlyMap<string, ServiceRows>): string[] {
    const lines: string[] = []
    const table = proxyTableName(this.#family)
    for (const { spreads } of changes.values()) {
      for (const spread of spreads) {
        const name = chainName(spread)
        if (this.#chains.has(name)) continue
        this.#chains.set(name, spread)
        lines.push(`add chain ${table} ${name}`)
        lines.push(...chainRules(spread, this.#family).map((rule) => `add rule ${table} ${name} ${rule}`))
      }
    }
    return lines
  }

  /** Rows that nobody owns any more. */
  #release(service: string): readonly Row[] {
    const free: Row[] = []
    for (const row of this.#rowsOf.get(service) ?? []) {
      const rows = this.#rows.get(row.map)
      const known = rows?.get(row.key)
      if (known === undefined || !known.owners.delete(service) || known.owners.size > 0) continue
      rows!.delete(row.key)
      free.push(row)
    }
    this.#rowsOf.delete(service)
    this.#losers.delete(service)
    return free
  }

  /** Rows that are new with this service. Equal rows are shared; for a different value the first owner stays. */
  #claim(service: string, rows: readonly Row[]): readonly Row[] {
    const won: Row[] = []
    for (const row of rows) {
      let ofMap = this.#rows.get(row.map)
      if (ofMap === undefined) this.#rows.set(row.map, (ofMap = new Map()))
      const known = ofMap.get(row.key)
      if (known === undefined) {
        ofMap.set(row.key, { value: row.value, owners: new Set([service]) })
        won.push(row)
      } else if (known.value === row.value) {
        known.owners.add(service)
      } else {
        this.#losers.add(service)
      }
    }
    if (rows.length > 0) this.#rowsOf.set(service, rows)
    return won
  }

  #stands(row: Row): boolean {
    return this.#rows.get(row.map)?.get(row.key)?.value === row.value
  }
}

function idOf(row: Row): string {
  return `${row.map} ${row.key}`
}

function render(table: string, verb: 'add' | 'delete', rows: readonly Row[]): readonly string[] {
  const byMap = new Map<string, string[]>()
  for (const row of rows) {
    const text = verb === 'delete' || row.value === '' ? row.key : `${row.key} : ${row.value}`
    const texts = byMap.get(row.map)
    if (texts === undefined) byMap.set(row.map, [text])
    else texts.push(text)
  }
  return [...byMap].map(([map, texts]) => `${verb} element ${table} ${map} { ${texts.join(', ')} }`)
}

function staleFlows(gone: readonly Row[]): RowChange['staleFlows'] {
  return gone
    .filter((row) => row.map === 'backends' && row.key.includes(' . udp . '))
    .map((row) => ({ frontend: row.key.split(' . ')[0]!, backend: row.value.split(' . ')[0]! }))
}
