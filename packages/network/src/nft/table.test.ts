// Scripts for nft: a difference touches what differs, in an order that one transaction accepts.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { ContentBuilder, emptyContent, renderDifference, renderTable, type TableContent } from './table.ts'

function content(
  rows: readonly (readonly [string, string, string?])[],
  chains: readonly (readonly [string, string])[] = [],
): TableContent {
  const builder = new ContentBuilder()
  for (const [map, key, value] of rows) builder.add(map, key, value)
  for (const [name, rule] of chains) builder.chain(name, [rule])
  return builder.build()
}

test('chains come before the rows that lead to them and go after', () => {
  const before = content([['m', 'k', 'goto a']], [['a', 'accept']])
  const after = content(
    [
      ['m', 'k', 'goto b'],
      ['s', 'x'],
    ],
    [['b', 'drop']],
  )
  assert.deepEqual(renderDifference('ip t', before, after), [
    'add chain ip t b',
    'add rule ip t b drop',
    'delete element ip t m { k }',
    'add element ip t m { k : goto b }',
    'add element ip t s { x }',
    'flush chain ip t a',
    'delete chain ip t a',
  ])
  assert.deepEqual(renderDifference('ip t', after, after), [])
})

test('a whole table takes the place of a former one', () => {
  const script = renderTable({ name: 'ip t', body: '  set s { type mark; }' }, content([['s', '1']]))
  assert.equal(
    script,
    'add table ip t\ndelete table ip t\ntable ip t {\n  set s { type mark; }\n}\nadd element ip t s { 1 }',
  )
  assert.deepEqual(renderDifference('ip t', emptyContent, emptyContent), [])
})
