// What becomes of an object by what its owners are: upstream's table.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { OwnerReference } from '@aksel/api/types/meta-v1'
import { blocks, judgeOwned, waitsForDependents, type OwnerFacts } from './plan.ts'

const owner = (uid: string, more: Partial<OwnerReference> = {}): OwnerReference => ({
  apiVersion: 'v1',
  kind: 'ConfigMap',
  name: uid,
  uid,
  ...more,
})
const facts = (owners: Partial<Record<keyof OwnerFacts, string>>): OwnerFacts => ({
  solid: [],
  dangling: [],
  waiting: [],
  ...Object.fromEntries(Object.entries(owners).map(([kind, uids]) => [kind, uids.split(' ').map((uid) => owner(uid))])),
})

interface Row {
  readonly why: string
  readonly owners: Partial<Record<keyof OwnerFacts, string>>
  readonly finalizers?: readonly string[]
  readonly hasDependents?: boolean
  readonly verdict: ReturnType<typeof judgeOwned>
}

const rows: readonly Row[] = [
  { why: 'nobody owns it', owners: {}, verdict: { kind: 'keep' } },
  { why: 'its owner stays', owners: { solid: 'a' }, verdict: { kind: 'keep' } },
  { why: 'one of two owners is gone', owners: { solid: 'a', dangling: 'b' }, verdict: { kind: 'strike', uids: ['b'] } },
  {
    why: 'others are gone or wait',
    owners: { solid: 'a', dangling: 'b', waiting: 'c' },
    verdict: { kind: 'strike', uids: ['b', 'c'] },
  },
  { why: 'its owner is gone', owners: { dangling: 'a' }, verdict: { kind: 'delete', policy: 'Background' } },
  {
    why: 'its owner waits, and it owns nothing',
    owners: { waiting: 'a' },
    verdict: { kind: 'delete', policy: 'Background' },
  },
  {
    why: 'its owner waits, and it owns something',
    owners: { waiting: 'a' },
    hasDependents: true,
    verdict: { kind: 'delete', policy: 'Foreground' },
  },
  {
    why: 'it is to leave orphans',
    owners: { dangling: 'a' },
    finalizers: ['orphan'],
    verdict: { kind: 'delete', policy: 'Orphan' },
  },
  {
    why: 'it is to go in the foreground',
    owners: { dangling: 'a' },
    finalizers: ['foregroundDeletion'],
    verdict: { kind: 'delete', policy: 'Foreground' },
  },
]
for (const { why, owners, finalizers = [], hasDependents = false, verdict } of rows)
  test(`an owned object is judged: ${why}`, () =>
    assert.deepEqual(judgeOwned({ metadata: { name: 'x', finalizers } }, facts(owners), hasDependents), verdict))

test('an owner waits only when it is deleted in the foreground, and only for those that block it', () => {
  const leaving = { deletionTimestamp: '2026-01-01T00:00:00Z' }
  const waits = (metadata: object): boolean => waitsForDependents({ metadata: { name: 'x', ...metadata } })
  assert.deepEqual(
    [
      waits({ finalizers: ['foregroundDeletion'] }),
      waits(leaving),
      waits({ ...leaving, finalizers: ['foregroundDeletion'] }),
    ],
    [false, false, true],
  )
  const isBlocked = (reference: OwnerReference): boolean =>
    blocks({ metadata: { name: 'x', ownerReferences: [reference] } }, 'a')
  assert.deepEqual(
    [owner('a'), owner('a', { blockOwnerDeletion: true }), owner('b', { blockOwnerDeletion: true })].map(isBlocked),
    [false, true, false],
  )
})
