// The one walk over a new object against the comparison with an empty one, which is what upstream does.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { fraction, seededRandom, type Random } from '@aksel/base/ids'
import { sized } from '@aksel/testing/test-size'
import { catalogOf } from '../catalog.ts'
import type { KindRow } from '../kind-row.ts'
import { fieldsOf, hasMessage, messageOf, type ApiTables } from '../tables.ts'
import { exampleType } from './example-type.ts'
import { emptySet, setOf } from './field-set.ts'
import { fieldText, FieldTexts } from './field-text.ts'
import { managerKey, type Manager } from './managers.ts'
import { newFields, type NewObject } from './new-fields.ts'
import { ElementError } from './path-element.ts'
import { neverOwned, updateOwners } from './updater.ts'

const catalog = await catalogOf('1.35')

function pick<T>(random: Random, list: readonly T[]): T {
  return list[Math.floor(fraction(random) * list.length)]!
}

/** Anything that a decoder of the message takes; few names, so that items of a list meet. */
function randomValue(tables: ApiTables, random: Random, t: string, depth: number): unknown {
  if (t.startsWith('[]'))
    return Array.from({ length: Math.floor(fraction(random) * 4) }, () =>
      randomValue(tables, random, t.slice(2), depth + 1),
    )
  const map = /^map\[\w+\](.*)$/.exec(t)
  if (map !== null) {
    const keys = ['a', 'b.io/c', 'd e', 'f"g'].filter(() => fraction(random) < 0.4)
    return Object.fromEntries(keys.map((key) => [key, randomValue(tables, random, map[1]!, depth + 1)]))
  }
  switch (t) {
    case 'string':
      return pick(random, ['', 'a', 'b', 'c-1', 'q"<&é', '10'])
    case 'bytes':
      return pick(random, ['', 'YQ=='])
    case 'bool':
      return fraction(random) < 0.5
    case 'int32':
    case 'int64':
      return pick(random, [0, 1, 80, 443])
    case 'double':
      return 0.5
  }
  if (!hasMessage(tables, t)) return { a: [1], b: null }
  const { js } = messageOf(tables, t)
  if (js === 'quantity') return pick(random, ['0', '100m', '1Gi'])
  if (js === 'int-or-string') return pick(random, [0, 80, 'http'])
  if (js === 'list') return ['x']
  if (js === 'string') return t.endsWith('Time') ? '2026-01-01T00:00:00Z' : 'x'
  if (js !== undefined) return { a: [1] }
  const share = depth > 4 ? 0.15 : 0.35
  const fields = fieldsOf(tables, t).filter(([name]) => fraction(random) < share && (depth < 9 || name === 'name'))
  return Object.fromEntries(fields.map(([name, fact]) => [name, randomValue(tables, random, fact.t, depth + 1)]))
}

function newObjectOf(row: KindRow, random: Random): NewObject {
  const sent = randomValue(catalog.tables, random, row.message, 0) as Record<string, unknown>
  const { value } = catalog.schemas.get(row.message).decode({ ...sent, apiVersion: 'x/v1', kind: row.kind })
  const { managedFields: _, ...metadata } = (value['metadata'] ?? {}) as Record<string, unknown>
  return {
    type: row.ownership!.type(),
    empty: row.ownership!.empty() as Record<string, unknown>,
    value: { ...value, metadata },
    ignored: row.ownership!.ignored(''),
    neverOwned,
  }
}

/** The set's JSON the long way, or what it throws. */
async function compared({ type, empty, value, ignored }: NewObject): Promise<string> {
  const manager: Manager = {
    name: 'm',
    operation: 'Update',
    subresource: '',
    apiVersion: 'x/v1',
    time: undefined,
    set: {},
  }
  const key = managerKey(manager)
  try {
    const managers = await updateOwners(
      { convert: (object) => object, ignored: () => ignored },
      {
        live: { apiVersion: 'x/v1', type, value: { ...empty, apiVersion: 'x/v1', kind: value['kind'] } },
        next: { apiVersion: 'x/v1', type, value },
        managers: new Map(),
        by: { key, manager },
      },
    )
    return JSON.stringify(managers.get(key)?.set ?? emptySet)
  } catch (error) {
    if (error instanceof ElementError) return error.message
    throw error
  }
}

function walked(texts: FieldTexts, object: NewObject): string | undefined {
  try {
    const set = newFields(texts, object)
    if (set === undefined) return undefined
    assert.equal(JSON.stringify(set), fieldText(set), 'the text that a set carries is its own')
    return fieldText(set)
  } catch (error) {
    if (error instanceof ElementError) return error.message
    throw error
  }
}

test('newFields() agrees with the comparison for random objects of every kind, and leaves it few', async () => {
  const random = seededRandom(7)
  const texts = new FieldTexts(16)
  const counts = { walked: 0, left: 0 }
  for (const row of catalog.rows.filter(({ ownership }) => ownership !== undefined)) {
    for (let round = 0; round < sized({ gate: 6, full: 300 }); round += 1) {
      const object = newObjectOf(row, random)
      const found = walked(texts, object)
      counts[found === undefined ? 'left' : 'walked'] += 1
      if (found === undefined) continue
      // The comparison stumbles over list items in what it leaves out afterwards; the walk does not look there.
      const { status: _, ...rest } = object.value
      const wanted = row.ownership!.ignored('')['f:status'] === undefined ? object : { ...object, value: rest }
      assert.equal(found, await compared(wanted), `${row.kind} ${round}: ${JSON.stringify(object.value)}`)
    }
  }
  assert.ok(counts.walked > 300 && counts.left * 20 < counts.walked, JSON.stringify(counts))
})

test('newFields() writes a declared type without tables as the comparison does', async () => {
  const value = {
    count: 1,
    labels: { y: '1', x: '2' },
    names: ['b', 'a', 'b'],
    items: [{ name: 'j' }, { name: 'i', value: 'v' }, { name: 'j', note: 'n' }],
  }
  const object = { type: exampleType, empty: {}, value: { spec: value }, ignored: setOf(['f:status']), neverOwned }
  const found = walked(new FieldTexts(), object)
  assert.equal(found, await compared(object))
  assert.match(found!, /"f:items":\{"\.":\{\},"k:\{\\"name\\":\\"i\\"\}"/)
})

test('objects of one shape share their set, and forget it when many other shapes come', () => {
  const texts = new FieldTexts(2)
  const first = texts.setOf('{"f:a":{}}')
  assert.equal(texts.setOf('{"f:a":{}}'), first)
  for (const name of ['b', 'c', 'd', 'e']) texts.setOf(`{"f:${name}":{}}`)
  assert.notEqual(texts.setOf('{"f:a":{}}'), first)
})
