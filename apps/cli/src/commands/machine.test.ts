// Which machines an order for a fault means, and which it must not touch.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Node } from '@aksel/api/types/core-v1'
import { chooseMachines, faultOf } from './machine-order.ts'
import { chooseNodes, renderMachines } from './machine.ts'

const node = (name: string, zone: string, simulated = true): Node => ({
  metadata: {
    name,
    labels: { 'topology.kubernetes.io/zone': zone, ...(simulated ? { 'aksel.dev/simulated': 'true' } : {}) },
  },
  spec: {},
})

const all = [node('a', '1'), node('b', '2'), node('c', '1', false)]
const namesOf = (nodes: readonly Node[]): readonly string[] => nodes.map(({ metadata }) => metadata.name)

test('a zone means its simulated nodes, and no real one', () => {
  assert.deepEqual(namesOf(chooseNodes(all, { zone: '1' })), ['a'])
  assert.deepEqual(namesOf(chooseNodes(all, { all: true })), ['a', 'b'])
  assert.deepEqual(namesOf(chooseNodes(all, { node: ['b'] })), ['b'])
})

test('a real node, an unknown one and none at all are refused', () => {
  assert.throws(() => chooseNodes(all, { node: ['c'] }), /Node "c" is real/)
  assert.throws(() => chooseNodes(all, { node: ['d'] }), /There is no node "d"/)
  assert.throws(() => chooseNodes(all, {}), /Which machines\?/)
  assert.throws(() => chooseNodes(all, { zone: '9' }), /No simulated node/)
})

test('the list of machines stands in columns, with what was ordered', () => {
  const faulty: Node = {
    ...all[0]!,
    metadata: {
      ...all[0]!.metadata,
      annotations: { 'aksel.dev/simulated-faults': '[{"kind":"lost"},{"kind":"slow-start","seconds":5}]' },
    },
  }
  assert.equal(
    renderMachines([faulty, all[2]!]),
    [
      'NAME   KIND        ZONE   FAULTS',
      'a      simulated   1      lost, slow-start (5 s)',
      'c      real        1      -',
      '',
    ].join('\n'),
  )
})

test('orders mean real machines too; what disturbs a simulated one is a fault of its node', () => {
  assert.deepEqual(namesOf(chooseMachines(all, { zone: '1' })), ['a', 'c'])
  assert.deepEqual(namesOf(chooseMachines(all, { node: ['c'] })), ['c'])
  assert.throws(() => chooseMachines(all, { node: ['d'] }), /There is no node "d"/)
  assert.throws(() => chooseMachines(all, {}), /Which machines\?/)
  assert.deepEqual(
    (['partition', 'slow', 'fill', 'heal', 'kill', 'reboot'] as const).map((order) => faultOf(order)),
    ['lost', 'slow-start', 'disk-full', 'none', undefined, undefined],
  )
})
