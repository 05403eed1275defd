// What the cloud makes of a node: its labels and provider's name once, and its taint while its machine is off.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Node, Taint } from '@aksel/api/types/core-v1'
import { shutdownTaint, uninitializedTaint, type CloudInstance } from './instances.ts'
import { initialized, isUninitialized, judgePower } from './judge.ts'

const instance = (isShutDown: boolean): CloudInstance => ({
  providerId: 'azure:///vm/1',
  instanceType: 'Standard_D2s_v5',
  region: 'westeurope',
  zone: 'westeurope-1',
  isShutDown,
})
const taint = (key: string): Taint => ({ key, effect: 'NoSchedule' })
const nodeOf = (ready: string, taints: readonly Taint[] = [], providerID?: string): Node => ({
  metadata: { name: 'n' },
  spec: { taints, ...(providerID === undefined ? {} : { providerID }) },
  status: { conditions: [{ type: 'Ready', status: ready }] },
})

test('a new node loses its taint, keeps others, and gets labels under old and new names', () => {
  const fresh = nodeOf('True', [taint(uninitializedTaint), taint('own')])
  assert.deepEqual([isUninitialized(fresh), isUninitialized(nodeOf('True'))], [true, false])
  const { labels, providerID, taints } = initialized(fresh, instance(false))
  assert.deepEqual([providerID, taints], ['azure:///vm/1', [taint('own')]])
  for (const prefix of ['topology.kubernetes.io', 'failure-domain.beta.kubernetes.io'])
    assert.deepEqual([labels[`${prefix}/region`], labels[`${prefix}/zone`]], ['westeurope', 'westeurope-1'])
  for (const prefix of ['node.kubernetes.io', 'beta.kubernetes.io'])
    assert.equal(labels[`${prefix}/instance-type`], 'Standard_D2s_v5')
  assert.equal('providerID' in initialized(nodeOf('True', [], 'azure:///other'), instance(false)), false)
})

const off = taint(shutdownTaint)
const rows: readonly [
  why: string,
  Node,
  CloudInstance | undefined,
  taints: readonly Taint[] | undefined,
  watched: boolean,
][] = [
  ['a ready node', nodeOf('True'), instance(false), undefined, false],
  ['a silent node whose machine runs', nodeOf('Unknown'), instance(false), undefined, true],
  ['a silent node whose machine is off', nodeOf('Unknown', [taint('own')]), instance(true), [taint('own'), off], true],
  ['one that says so already', nodeOf('Unknown', [off]), instance(true), undefined, true],
  ['one that came back', nodeOf('True', [off, taint('own')]), instance(false), [taint('own')], false],
  ['a silent node of no machine of ours', nodeOf('Unknown'), undefined, undefined, false],
  ['a tainted one whose machine is not known now', nodeOf('Unknown', [off]), undefined, undefined, false],
]
for (const [why, node, machine, taints, isWatched] of rows)
  test(`power of a node: ${why}`, () => assert.deepEqual(judgePower(node, machine), { taints, isWatched }))
