// Who has to go from a spot market, and who may not begin.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { judgeBegin, judgeMarket, type SpotMachine } from './spot.ts'

const machine = (name: string, instance: number, maxPrice = -1, exists = true): SpotMachine => ({
  name,
  clusterId: 'c',
  instance,
  maxPrice,
  exists,
})
const market = { vmSize: 'Standard_D2s_v5' }
const all = [machine('a', 0), machine('b', 1, 0.05), machine('c', 2, 0.02)]
const names = (of: object): readonly string[] =>
  judgeMarket({ ...market, ...of }, all).map(({ machine: { name } }) => name)

for (const [why, of, expected] of [
  ['an open market', {}, []],
  ['a price that all pay', { pricePerHour: 0.02 }, []],
  ['a price that one pool does not pay', { pricePerHour: 0.03 }, ['c']],
  ['a price that only those pay who pay anything', { pricePerHour: 1 }, ['b', 'c']],
  ['room for two', { capacity: 2 }, ['c']],
  ['no room', { capacity: 0 }, ['a', 'b', 'c']],
  ['room for one at a price that one does not pay', { capacity: 1, pricePerHour: 0.03 }, ['c', 'b']],
] as const)
  test(`${why} evicts ${expected.length === 0 ? 'nobody' : expected.join(' and ')}`, () =>
    assert.deepEqual(names(of), expected))

test('an eviction says the price, or the capacity, and what it is compared with', () => {
  const [dear] = judgeMarket({ ...market, pricePerHour: 0.03 }, all)
  assert.equal(dear!.why, 'the price of Standard_D2s_v5 is 0.03 USD an hour, above the maximum of 0.02')
  const [full] = judgeMarket({ ...market, capacity: 2 }, all)
  assert.equal(full!.why, 'there is capacity for 2 spot machine(s) of Standard_D2s_v5')
})

test('who is there keeps its place; a new one waits for room, and for a price that it pays', () => {
  const fresh = [...all, machine('d', 0, -1, false), machine('e', 3, 0.01, false)]
  assert.equal(judgeBegin({ ...market, capacity: 3 }, 'd', fresh), 'capacity')
  assert.equal(judgeBegin({ ...market, capacity: 4 }, 'd', fresh), undefined)
  assert.equal(judgeBegin({ ...market, capacity: 3 }, 'a', fresh), undefined)
  assert.equal(judgeBegin({ ...market, capacity: 9, pricePerHour: 0.02 }, 'e', fresh), 'price')
})
