// Rows of all services together: small differences, shared rows, claims, and what a whole load holds.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { ServiceRows } from './compile.ts'
import { RowTable } from './row-table.ts'

const rows = (...texts: string[]): ServiceRows => ({
  rows: texts.map((text) => {
    const [map, key, value] = text.split(' | ') as [string, string, string?]
    return { map, key, value: value ?? '' }
  }),
  spreads: [],
})
const change = (entries: Record<string, ServiceRows>): Map<string, ServiceRows> => new Map(Object.entries(entries))

test('only what differs is changed: deletions first, then additions', () => {
  const table = new RowTable()
  table.replace(change({ a: rows('backends | k1 | v1', 'backends | k2 | v2', 'cluster_ips | c1') }))
  assert.deepEqual(
    table.replace(change({ a: rows('backends | k1 | v1', 'backends | k2 | v3', 'cluster_ips | c2') })).lines,
    [
      'delete element ip aksel-proxy backends { k2 }',
      'delete element ip aksel-proxy cluster_ips { c1 }',
      'add element ip aksel-proxy backends { k2 : v3 }',
      'add element ip aksel-proxy cluster_ips { c2 }',
    ],
  )
  assert.deepEqual(
    table.replace(change({ a: rows('backends | k1 | v1', 'backends | k2 | v3', 'cluster_ips | c2') })).lines,
    [],
  )
})

test('a row that two services share goes with the last of them', () => {
  const table = new RowTable()
  table.replace(change({ a: rows('hairpins | x'), b: rows('hairpins | x') }))
  assert.deepEqual(table.replace(change({ a: rows() })).lines, [])
  assert.deepEqual(table.replace(change({ b: rows() })).lines, ['delete element ip aksel-proxy hairpins { x }'])
})

test('the first service to claim a row keeps it, and the other one is compiled again when it is free', () => {
  const table = new RowTable()
  table.replace(change({ a: rows('frontends | ip | goto x') }))
  assert.deepEqual(table.replace(change({ b: rows('frontends | ip | goto y') })).lines, [])
  const freed = table.replace(change({ a: rows() }))
  assert.deepEqual(freed.again, ['b'])
  assert.deepEqual(table.replace(change({ b: rows('frontends | ip | goto y') })).lines, [
    'add element ip aksel-proxy frontends { ip : goto y }',
  ])
})

test('a UDP backend that goes leaves flows to be forgotten', () => {
  const table = new RowTable()
  table.replace(change({ a: rows('backends | 10.0.0.5 . udp . 53 . 0x0 | 10.244.0.5 . 53') }))
  assert.deepEqual(table.replace(change({ a: rows() })).staleFlows, [{ frontend: '10.0.0.5', backend: '10.244.0.5' }])
})

test('chains are added once and the whole content has them', () => {
  const table = new RowTable()
  const spread = { count: 2, bits: 0 }
  const first = table.replace(change({ a: { rows: [], spreads: [spread] } }))
  assert.equal(first.lines[0], 'add chain ip aksel-proxy spread-2-0')
  assert.deepEqual(table.replace(change({ b: { rows: [], spreads: [spread] } })).lines, [])
  assert.deepEqual([...table.content().chains.keys()], ['spread-2-0'])
})
