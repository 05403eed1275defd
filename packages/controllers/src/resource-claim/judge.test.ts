// Claims for devices: who holds them, row by row.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Pod } from '@aksel/api/types/core-v1'
import type { ResourceClaim } from '@aksel/api/types/resource-v1'
import { newPod } from '../testing/objects.ts'
import { claimFinalizer, judgeClaim, type ClaimVerdict } from './judge.ts'

const allocation = { devices: { results: [] } }
const holder = (name: string, uid = name) => ({ resource: 'pods', name, uid })

function pod(name: string, more: Partial<Pod['metadata']> & { phase?: string; nodeName?: string } = {}): Pod {
  const { phase = 'Running', nodeName = 'a', ...metadata } = more
  const base = newPod(name, nodeName === '' ? {} : { nodeName })
  return { ...base, metadata: { ...base.metadata, uid: name, ...metadata }, status: { phase } } as Pod
}

function claim(status: ResourceClaim['status'], more: Partial<ResourceClaim['metadata']> = {}): ResourceClaim {
  const metadata = { name: 'gpu', namespace: 'shop', finalizers: [claimFinalizer], ...more }
  return { metadata, spec: { devices: { requests: [] } }, ...(status === undefined ? {} : { status }) }
}

const idle: ClaimVerdict = { dropFinalizer: false, isDeleted: false }
const ownedBy = (name: string) => ({
  ownerReferences: [{ apiVersion: 'v1', kind: 'Pod', name, uid: name, controller: true }],
})
const dying = '2026-01-01T00:00:00Z'

const rows: readonly (readonly [why: string, ResourceClaim, readonly Pod[], ClaimVerdict])[] = [
  ['held by a running pod', claim({ allocation, reservedFor: [holder('p')] }), [pod('p')], idle],
  [
    'its pod has ended',
    claim({ allocation, reservedFor: [holder('p')] }),
    [pod('p', { phase: 'Succeeded' })],
    { ...idle, status: {}, dropFinalizer: true },
  ],
  [
    'its pod is gone',
    claim({ allocation, reservedFor: [holder('p')] }),
    [],
    { ...idle, status: {}, dropFinalizer: true },
  ],
  [
    'another pod of that name',
    claim({ allocation, reservedFor: [holder('p', 'old')] }),
    [pod('p')],
    { ...idle, status: {}, dropFinalizer: true },
  ],
  [
    'its pod is ending',
    claim({ allocation, reservedFor: [holder('p')] }),
    [pod('p', { deletionTimestamp: dying })],
    idle,
  ],
  [
    'its pod goes without a node',
    claim({ allocation, reservedFor: [holder('p')] }),
    [pod('p', { deletionTimestamp: dying, nodeName: '' })],
    { ...idle, status: {}, dropFinalizer: true },
  ],
  [
    'one of two is done',
    claim({ allocation, reservedFor: [holder('p'), holder('q')] }),
    [pod('p')],
    { ...idle, status: { allocation, reservedFor: [holder('p')] } },
  ],
  [
    'held by something else',
    claim({ allocation, reservedFor: [{ resource: 'podgroups', apiGroup: 'x.io', name: 'g', uid: 'g' }] }),
    [],
    idle,
  ],
  [
    'allocated by another, who keeps it',
    claim({ allocation, reservedFor: [holder('p')] }, { finalizers: [] }),
    [],
    { ...idle, status: { allocation } },
  ],
  [
    'deleted, and held by nobody',
    claim({ allocation }, { deletionTimestamp: dying }),
    [],
    { ...idle, status: {}, dropFinalizer: true },
  ],
  ['deleted, and not allocated', claim(undefined, { deletionTimestamp: dying }), [], { ...idle, dropFinalizer: true }],
  ['allocated and waiting for its pod', claim({ allocation }), [], idle],
  [
    'made for a pod that has ended',
    claim({ reservedFor: [holder('p')] }, ownedBy('p')),
    [pod('p', { phase: 'Failed' })],
    { status: {}, dropFinalizer: true, isDeleted: true },
  ],
  ['made for a pod that runs', claim({}, ownedBy('p')), [pod('p')], idle],
  ['without a status', claim(undefined), [], idle],
]

for (const [why, given, known, wanted] of rows)
  test(`a claim ${why}`, () => {
    const podOf = (key: string): Pod | undefined => known.find(({ metadata }) => `shop/${metadata.name}` === key)
    assert.deepEqual(judgeClaim({ claim: given, podOf }), wanted)
  })
