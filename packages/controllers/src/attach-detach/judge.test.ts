// Where volumes are attached, and when they are let go, row by row.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Node, PersistentVolume } from '@aksel/api/types/core-v1'
import type { VolumeAttachment } from '@aksel/api/types/storage-v1'
import { newPod, readyNode } from '../testing/objects.ts'
import { attachmentName, planVolume, uniqueVolumeName, type VolumeFacts } from './judge.ts'

const driver = 'disk.example.com'
const handle = 'h1'

function volume(accessModes: readonly string[] = ['ReadWriteOnce']): PersistentVolume {
  return { metadata: { name: 'pv' }, spec: { accessModes, csi: { driver, volumeHandle: handle } } } as PersistentVolume
}

function attachment(nodeName: string, name = attachmentName(handle, driver, nodeName)): VolumeAttachment {
  const spec = { attacher: driver, nodeName, source: { persistentVolumeName: 'pv' } }
  return { metadata: { name, uid: name }, spec, status: { attached: true } }
}

const pod = (name: string, nodeName: string) => ({
  ...newPod(name, { nodeName }),
  metadata: { name, namespace: 'shop', creationTimestamp: `2026-01-01T00:00:0${name.length}Z` },
})

const using = [uniqueVolumeName(driver, handle)]
function node(name: string, isReady = true, volumesInUse: readonly string[] = [], taint?: string): Node {
  const { metadata, status } = readyNode(name, '10.0.0.1')
  const conditions = [{ type: 'Ready', status: isReady ? 'True' : 'Unknown' }]
  const spec = taint === undefined ? {} : { taints: [{ key: taint, effect: 'NoExecute' }] }
  return { metadata, spec, status: { ...status, conditions, volumesInUse } }
}

const nodes = new Map(['a', 'b', 'c'].map((name) => [name, node(name)]))
const MINUTE_MS = 60_000

function facts(more: Partial<VolumeFacts>, ...other: readonly Node[]): VolumeFacts {
  const known = new Map([...nodes, ...other.map((each) => [each.metadata.name, each] as const)])
  return {
    volume: volume(),
    pods: [],
    attachments: [],
    nodeOf: (name) => known.get(name),
    attachesNothing: false,
    unwantedSinceMs: () => 0,
    nowMs: MINUTE_MS,
    ...more,
  }
}

type Told = { attach: string[]; detach: string[]; refused: string[]; again?: number }
const nothing: Told = { attach: [], detach: [], refused: [] }

const rows: readonly (readonly [why: string, VolumeFacts, Partial<Told>])[] = [
  ['a pod on a node has its volume attached there', facts({ pods: [pod('p', 'a')] }), { attach: ['a'] }],
  ['two pods on one node share it', facts({ pods: [pod('p', 'a'), pod('pp', 'a')] }), { attach: ['a'] }],
  ['what stands is left', facts({ pods: [pod('p', 'a')], attachments: [attachment('a')] }), {}],
  ['a node that is gone gets nothing', facts({ pods: [pod('p', 'lost')] }), {}],
  ['a driver that attaches nothing', facts({ pods: [pod('p', 'a')], attachesNothing: true }), {}],
  [
    'the older of two pods on two nodes has it, the other is told',
    facts({ pods: [pod('ppp', 'b'), pod('p', 'a')] }),
    { attach: ['a'], refused: ['ppp: Multi-Attach error for volume "pv" Volume is already used by pod(s) p'] },
  ],
  [
    'a volume that one node holds waits there for its last pod',
    facts({ pods: [pod('p', 'a'), pod('pp', 'b')], attachments: [attachment('a')] }),
    { refused: ['pp: Multi-Attach error for volume "pv" Volume is already used by pod(s) p'] },
  ],
  [
    'a volume moves: first it is taken off',
    facts({ pods: [pod('p', 'b')], attachments: [attachment('a')] }),
    {
      detach: ['a'],
      refused: [
        `p: Multi-Attach error for volume "pv" Volume is already exclusively attached to one node and can't be attached to another`,
      ],
    },
  ],
  [
    'a shared volume is on every node',
    facts({ volume: volume(['ReadWriteMany']), pods: [pod('p', 'a'), pod('pp', 'b')], attachments: [attachment('a')] }),
    { attach: ['b'] },
  ],
  [
    'a volume without modes is not judged',
    facts({ volume: volume([]), pods: [pod('p', 'a'), pod('pp', 'b')] }),
    { attach: ['a', 'b'] },
  ],
  ['nobody uses it: it is taken off', facts({ attachments: [attachment('a')] }), { detach: ['a'] }],
  ['another made this one', facts({ attachments: [attachment('a', 'mine')] }), {}],
  ['its volume is gone', facts({ volume: undefined, attachments: [attachment('a')] }), { detach: ['a'] }],
  ['its node is gone', facts({ attachments: [attachment('lost')] }), { detach: ['lost'] }],
  ['its node still uses it', facts({ attachments: [attachment('a')] }, node('a', true, using)), {}],
  [
    'its node uses it and is lost: six minutes',
    facts({ attachments: [attachment('a')] }, node('a', false, using)),
    { again: 5 * MINUTE_MS },
  ],
  [
    'its node uses it and was lost six minutes ago',
    facts({ attachments: [attachment('a')], nowMs: 6 * MINUTE_MS }, node('a', false, using)),
    { detach: ['a'] },
  ],
  [
    'its node is out of service',
    facts({ attachments: [attachment('a')] }, node('a', false, using, 'node.kubernetes.io/out-of-service')),
    { detach: ['a'] },
  ],
]

for (const [why, given, wanted] of rows)
  test(`attachments: ${why}`, () => {
    const plan = planVolume(given)
    const told: Told = {
      attach: [...plan.attach],
      detach: plan.detach.map(({ spec }) => spec.nodeName),
      refused: plan.refused.map(({ pod: { metadata }, message }) => `${metadata.name}: ${message}`),
      ...(plan.againAfterMs === undefined ? {} : { again: plan.againAfterMs }),
    }
    assert.deepEqual(told, { ...nothing, ...wanted })
  })
