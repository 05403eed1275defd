// Label selectors, as objects and as text.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { formatSelector, matchesSelector, parseSelector } from './selectors.ts'

const labels = { app: 'web', tier: 'front' }
const rows: readonly { readonly text: string; readonly matches: boolean }[] = [
  { text: 'app=web', matches: true },
  { text: 'app==web,tier!=back', matches: true },
  { text: 'app=web,tier=back', matches: false },
  { text: 'app in (api, web)', matches: true },
  { text: 'app notin (api,web),tier=front', matches: false },
  { text: 'zone notin (a)', matches: true },
  { text: 'tier', matches: true },
  { text: '!tier', matches: false },
  { text: '!zone', matches: true },
  { text: '', matches: true },
]

for (const { text, matches } of rows) {
  test(`the selector "${text}" ${matches ? 'matches' : 'does not match'} app=web,tier=front`, () => {
    assert.equal(matchesSelector(parseSelector(text), labels), matches)
  })
}

test('an absent selector matches nothing, and a name of Object is no label', () => {
  assert.equal(matchesSelector(undefined, labels), false)
  assert.equal(matchesSelector(parseSelector('constructor'), {}), false)
})

test('formatSelector() writes labels in order and then the expressions', () => {
  const matchExpressions = [
    { key: 'zone', operator: 'NotIn', values: ['a', 'b'] },
    { key: 'tier', operator: 'Exists' },
  ]
  assert.equal(formatSelector({ matchLabels: { b: '2', a: '1' }, matchExpressions }), 'a=1,b=2,zone notin (a,b),tier')
})
