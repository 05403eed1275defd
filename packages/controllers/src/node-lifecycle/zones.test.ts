// How sick zones are, and how fast their nodes' pods are driven off.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Node } from '@aksel/api/types/core-v1'
import { readyNode } from '../testing/objects.ts'
import { defaultRates, judgeZone, zoneOf, Zones } from './zones.ts'

for (const [ready, notReady, state] of [
  [0, 0, 'Normal'],
  [1, 0, 'Normal'],
  [0, 1, 'FullDisruption'],
  [1, 2, 'Normal'],
  [3, 3, 'Normal'],
  [2, 3, 'PartialDisruption'],
  [9, 11, 'PartialDisruption'],
  [10, 11, 'Normal'],
  [0, 9, 'FullDisruption'],
] as const)
  test(`a zone with ${ready} nodes ready and ${notReady} not: ${state}`, () =>
    assert.equal(judgeZone({ ready, notReady }, defaultRates), state))

function node(name: string, zone: string, isReady: boolean): Node {
  const { spec, status } = readyNode(name, '10.0.0.1')
  const conditions = [{ type: 'Ready', status: isReady ? 'True' : 'Unknown' }]
  return {
    metadata: { name, labels: { 'topology.kubernetes.io/zone': zone } },
    spec,
    status: { ...status, conditions },
  }
}

function zonesOf(counts: Readonly<Record<string, readonly [ready: number, notReady: number]>>): Zones {
  const zones = new Zones(defaultRates)
  for (const [zone, [ready, notReady]] of Object.entries(counts)) {
    for (let index = 0; index < ready; index += 1) zones.note(node('n', zone, true), undefined)
    for (let index = 0; index < notReady; index += 1) zones.note(node('n', zone, false), undefined)
  }
  return zones
}

test('pods are driven off node by node: slowly in a large zone half lost, not at all in a small one or with all lost', () => {
  const some = zonesOf({ well: [3, 1], lost: [0, 3], small: [2, 3], large: [20, 40] })
  const interval = (zone: string): number => some.intervalMs(`:${zone}`)
  assert.deepEqual(['well', 'lost', 'small', 'large'].map(interval), [10_000, 10_000, Infinity, 100_000])
  const none = zonesOf({ a: [0, 2], b: [0, 1] })
  assert.equal(none.allDisrupted, true)
  assert.equal(none.intervalMs(':a'), Infinity)
})

test('zones say when something is another now, and forget nodes that go', () => {
  const zones = new Zones(defaultRates)
  assert.equal(zones.note(node('a', 'z', true), undefined), true)
  assert.equal(zones.note(node('b', 'z', true), undefined), false)
  assert.equal(zones.note(node('b', 'z', false), node('b', 'z', true)), false)
  assert.equal(zones.note(node('a', 'z', false), node('a', 'z', true)), true)
  assert.equal(zones.allDisrupted, true)
  assert.equal(zones.note(node('c', 'y', true), undefined), true)
  assert.equal(zones.note(undefined, node('c', 'y', true)), true)
  assert.equal(zones.note(node('a', 'y', false), node('a', 'z', false)), false)
})

test('a node is in the zone of its labels, the old ones too', () => {
  const labels = { 'failure-domain.beta.kubernetes.io/zone': '1', 'topology.kubernetes.io/region': 'we' }
  assert.equal(zoneOf({ metadata: { name: 'n', labels }, spec: {} }), 'we:1')
  assert.equal(zoneOf({ metadata: { name: 'n' }, spec: {} }), ':')
})
