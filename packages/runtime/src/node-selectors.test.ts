// What a node selector's requirement means, number bounds beyond 2^53 and senseless ones included.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { matchesTerm, meets } from './node-selectors.ts'

test('meets() reads every operator as the API defines it', () => {
  const holds = (operator: string, values: readonly string[], value?: string): boolean =>
    meets({ key: 'k', operator, values }, value)
  assert.deepEqual([holds('In', ['a'], 'a'), holds('In', ['a'], 'b'), holds('In', ['a'])], [true, false, false])
  assert.deepEqual([holds('NotIn', ['a'], 'a'), holds('NotIn', ['a'], 'b'), holds('NotIn', ['a'])], [false, true, true])
  assert.deepEqual([holds('Exists', [], 'a'), holds('Exists', [])], [true, false])
  assert.deepEqual([holds('DoesNotExist', [], 'a'), holds('DoesNotExist', [])], [false, true])
  assert.deepEqual([holds('Gt', ['5'], '6'), holds('Gt', ['5'], '5'), holds('Gt', ['5'])], [true, false, false])
  assert.deepEqual([holds('Lt', ['5'], '-6'), holds('Lt', ['+5'], '4'), holds('Lt', ['5'], '5')], [true, true, false])
})

test('meets() compares whole numbers exactly, and a bound or label that is none never holds', () => {
  const gt = (bound: string | undefined, value: string): boolean =>
    meets({ key: 'k', operator: 'Gt', values: bound === undefined ? [] : [bound] }, value)
  assert.equal(gt('9007199254740992', '9007199254740993'), true)
  for (const bound of ['', 'x', '1.5', undefined]) assert.equal(gt(bound, '7'), false, String(bound))
  assert.equal(gt('1', 'seven'), false)
})

test('matchesTerm() asks for all that a term holds, and an empty one matches nothing', () => {
  const node = { metadata: { name: 'n1', labels: { zone: '1' } }, spec: {} }
  const zone = { key: 'zone', operator: 'In', values: ['1'] }
  const named = (name: string) => ({ key: 'metadata.name', operator: 'In', values: [name] })
  assert.equal(matchesTerm({}, node), false)
  assert.equal(matchesTerm({ matchExpressions: [zone], matchFields: [named('n1')] }, node), true)
  assert.equal(matchesTerm({ matchExpressions: [zone], matchFields: [named('n2')] }, node), false)
})
