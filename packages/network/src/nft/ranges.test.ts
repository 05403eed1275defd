// Ranges of both families as interval sets take them.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { parseRange } from '@aksel/base/ip-range'
import { intervalsWithout, withoutNested } from './ranges.ts'

test('withoutNested() keeps the wider ranges of one family', () => {
  const texts = ['fd00:1::/64', '10.1.0.0/16', 'fd00::/16', '10.0.0.0/8', 'fe00::1/128']
  assert.deepEqual(withoutNested(texts, 6), ['fd00::/16', 'fe00::1/128'])
  assert.deepEqual(withoutNested(texts, 4), ['10.0.0.0/8'])
})

test('intervalsWithout() leaves gaps where exceptions are, of its own family', () => {
  const excepts = ['fd00::1:0/112', '10.0.0.0/8', 'fd00::4/128', 'fe00::/16'].map((text) => parseRange(text)!)
  assert.deepEqual(intervalsWithout(parseRange('fd00::/96')!, excepts), [
    'fd00::-fd00::3',
    'fd00::5-fd00::ffff',
    'fd00::2:0-fd00::ffff:ffff',
  ])
  assert.deepEqual(intervalsWithout(parseRange('fd00::1/128')!, []), ['fd00::1'])
  assert.deepEqual(intervalsWithout(parseRange('fd00::/64')!, [parseRange('fd00::/48')!]), [])
})
