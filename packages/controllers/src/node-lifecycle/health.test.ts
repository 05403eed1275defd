// What silence makes of a node's conditions, and what conditions make of its taints.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Node, Taint } from '@aksel/api/types/core-v1'
import { formatTime } from '@aksel/base/clock'
import { isEvicting, judgeTaints, silencedConditions } from './health.ts'

const nowMs = Date.UTC(2026, 0, 1)
const timeAdded = formatTime(nowMs)

function nodeOf(
  conditions: Readonly<Record<string, string>>,
  taints: readonly Taint[] = [],
  unschedulable = false,
): Node {
  return {
    metadata: { name: 'n', creationTimestamp: '2025-12-31T00:00:00Z' },
    spec: { taints, ...(unschedulable ? { unschedulable } : {}) },
    status: { conditions: Object.entries(conditions).map(([type, status]) => ({ type, status })) },
  }
}

test('a silent node’s own conditions become unknown, those of others stay, and what it never said is told', () => {
  const node = nodeOf({ Ready: 'True', DiskPressure: 'False', NetworkUnavailable: 'False' })
  const told = silencedConditions(node, nowMs)!
  assert.deepEqual(
    told.map(({ type, status, reason }) => [type, status, reason]),
    [
      ['NetworkUnavailable', 'False', undefined],
      ['Ready', 'Unknown', 'NodeStatusUnknown'],
      ['MemoryPressure', 'Unknown', 'NodeStatusNeverUpdated'],
      ['DiskPressure', 'Unknown', 'NodeStatusUnknown'],
      ['PIDPressure', 'Unknown', 'NodeStatusNeverUpdated'],
    ],
  )
  assert.equal(silencedConditions({ ...node, status: { conditions: told } }, nowMs), undefined)
})

const prefix = 'node.kubernetes.io/'
const words = (taints: readonly Taint[]): readonly string[] =>
  taints.map(({ key, effect }) => `${key.replace(prefix, '')}:${effect}`)
const own: Taint = { key: 'own', effect: 'NoExecute' }
const of = (name: string, effect = 'NoSchedule'): Taint => ({ key: `${prefix}${name}`, effect, timeAdded })

const rows: readonly { why: string; node: Node; mayEvict?: boolean; taints: readonly string[] }[] = [
  { why: 'a ready node', node: nodeOf({ Ready: 'True' }, [own]), taints: ['own:NoExecute'] },
  { why: 'a node that says nothing yet', node: nodeOf({}), taints: ['not-ready:NoSchedule'] },
  { why: 'a node that is not ready', node: nodeOf({ Ready: 'False' }), taints: ['not-ready:NoSchedule'] },
  {
    why: 'one whose pods may be driven off',
    node: nodeOf({ Ready: 'False' }, [own]),
    mayEvict: true,
    taints: ['own:NoExecute', 'not-ready:NoSchedule', 'not-ready:NoExecute'],
  },
  {
    why: 'a silent one',
    node: nodeOf({ Ready: 'Unknown' }, [of('not-ready')]),
    mayEvict: true,
    taints: ['unreachable:NoSchedule', 'unreachable:NoExecute'],
  },
  {
    why: 'pressure',
    node: nodeOf({ Ready: 'True', MemoryPressure: 'True', DiskPressure: 'True', PIDPressure: 'True' }),
    taints: ['memory-pressure:NoSchedule', 'disk-pressure:NoSchedule', 'pid-pressure:NoSchedule'],
  },
  {
    why: 'no network, and a cordon',
    node: nodeOf({ Ready: 'True', NetworkUnavailable: 'True' }, [], true),
    taints: ['network-unavailable:NoSchedule', 'unschedulable:NoSchedule'],
  },
  {
    why: 'one that came back',
    node: nodeOf({ Ready: 'True' }, [of('unreachable'), of('unreachable', 'NoExecute'), own]),
    taints: ['own:NoExecute'],
  },
]
for (const { why, node, mayEvict = false, taints } of rows)
  test(`taints of a node: ${why}`, () => {
    const judged = judgeTaints(node, mayEvict, nowMs)
    assert.deepEqual(words(judged), taints)
    const after = { ...node, spec: { ...node.spec, taints: judged } }
    assert.equal(judgeTaints(after, mayEvict, nowMs + 1000), judged)
    assert.equal(isEvicting(after), mayEvict)
  })
