// What is done with a claim, and with a volume, by what stands there: upstream's decisions and words.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { PersistentVolume, PersistentVolumeClaim } from '@aksel/api/types/core-v1'
import type { StorageClass } from '@aksel/api/types/storage-v1'
import { newClaim } from '../testing/objects.ts'
import { judgeClaim } from './judge-claim.ts'
import { judgeVolume } from './judge-volume.ts'
import { annotations, findVolume, mismatch } from './match.ts'

type VolumeSpec = Partial<NonNullable<PersistentVolume['spec']>>

function volumeOf(
  name: string,
  spec: VolumeSpec = {},
  more: Partial<PersistentVolume['metadata']> = {},
): PersistentVolume {
  return {
    metadata: { name, ...more },
    spec: { capacity: { storage: '1Gi' }, accessModes: ['ReadWriteOnce'], ...spec },
    status: { phase: 'Available' },
  }
}

function claimOf(
  spec: Partial<PersistentVolumeClaim['spec']> = {},
  own: Readonly<Record<string, string>> = {},
): PersistentVolumeClaim {
  const claim = newClaim('data', spec)
  return { ...claim, metadata: { ...claim.metadata, uid: 'u', annotations: own } }
}

const mine = { kind: 'PersistentVolumeClaim', namespace: 'shop', name: 'data', uid: 'u' }
const theirs = { ...mine, name: 'other', uid: 'o' }
const classOf = (more: Partial<StorageClass> = {}): StorageClass => ({
  metadata: { name: 'fast' },
  provisioner: 'disk.example.com',
  ...more,
})
const done = { [annotations.bindCompleted]: 'yes' }

const claims: readonly {
  readonly why: string
  readonly claim: PersistentVolumeClaim
  readonly volumes?: readonly PersistentVolume[]
  readonly storageClass?: StorageClass
  /** `bind NAME`, or the kind and the event's reason. */
  readonly verdict: string
}[] = [
  { why: 'a free volume fits', claim: claimOf(), volumes: [volumeOf('v')], verdict: 'bind v' },
  { why: 'nothing fits, and no class is set', claim: claimOf(), verdict: 'wait FailedBinding' },
  { why: 'its class is not there', claim: claimOf({ storageClassName: 'fast' }), verdict: 'wait ProvisioningFailed' },
  {
    why: 'its class makes volumes',
    claim: claimOf({ storageClassName: 'fast' }),
    storageClass: classOf(),
    verdict: 'provision ExternalProvisioning',
  },
  {
    why: 'its class makes none',
    claim: claimOf({ storageClassName: 'fast' }),
    storageClass: classOf({ provisioner: 'kubernetes.io/no-provisioner' }),
    verdict: 'wait ProvisioningFailed',
  },
  {
    why: 'its class waits for a pod, though a volume fits',
    claim: claimOf({ storageClassName: 'fast' }),
    volumes: [volumeOf('v', { storageClassName: 'fast' })],
    storageClass: classOf({ volumeBindingMode: 'WaitForFirstConsumer' }),
    verdict: 'wait WaitForFirstConsumer',
  },
  {
    why: 'its class waits for a pod, but a volume is reserved',
    claim: claimOf({ storageClassName: 'fast' }),
    volumes: [volumeOf('v', { storageClassName: 'fast', claimRef: { ...mine, uid: '' } })],
    storageClass: classOf({ volumeBindingMode: 'WaitForFirstConsumer' }),
    verdict: 'bind v',
  },
  {
    why: 'the scheduler has chosen a node',
    claim: claimOf({ storageClassName: 'fast' }, { [annotations.selectedNode]: 'n' }),
    storageClass: classOf({ volumeBindingMode: 'WaitForFirstConsumer' }),
    verdict: 'provision ExternalProvisioning',
  },
  { why: 'it names a volume that is not there', claim: claimOf({ volumeName: 'v' }), verdict: 'wait' },
  { why: 'it names a free one', claim: claimOf({ volumeName: 'v' }), volumes: [volumeOf('v')], verdict: 'bind v' },
  {
    why: 'it names one that is too small',
    claim: claimOf({ volumeName: 'v' }),
    volumes: [volumeOf('v', { capacity: { storage: '1Mi' } })],
    verdict: 'wait VolumeMismatch',
  },
  {
    why: 'it names another’s',
    claim: claimOf({ volumeName: 'v' }),
    volumes: [volumeOf('v', { claimRef: theirs })],
    verdict: 'wait FailedBinding',
  },
  {
    why: 'it is bound and all is well',
    claim: claimOf({ volumeName: 'v' }, done),
    volumes: [volumeOf('v', { claimRef: mine })],
    verdict: 'bind v',
  },
  { why: 'it was bound, and its volume is gone', claim: claimOf({ volumeName: 'v' }, done), verdict: 'lost ClaimLost' },
  { why: 'it was bound, and forgot to what', claim: claimOf({}, done), verdict: 'lost ClaimLost' },
  {
    why: 'it was bound, and its volume is another’s',
    claim: claimOf({ volumeName: 'v' }, done),
    volumes: [volumeOf('v', { claimRef: theirs })],
    verdict: 'lost ClaimMisbound',
  },
]
for (const { why, claim, volumes = [], storageClass, verdict } of claims)
  test(`a claim is judged: ${why}`, () => {
    const found = judgeClaim({ claim, volumes, storageClass })
    const reason = found.kind === 'bind' ? found.volume.metadata.name : found.event?.reason
    assert.equal(`${found.kind} ${reason ?? ''}`.trim(), verdict)
  })

const provisioned = { annotations: { [annotations.provisionedBy]: 'disk.example.com' } }
const volumes: readonly [why: string, PersistentVolume, PersistentVolumeClaim | undefined, verdict: object][] = [
  ['nobody claims it', volumeOf('v'), undefined, { kind: 'phase', phase: 'Available' }],
  [
    'reserved for a claim to come',
    volumeOf('v', { claimRef: { ...mine, uid: '' } }),
    undefined,
    { kind: 'phase', phase: 'Available' },
  ],
  [
    'reserved for a claim that is there',
    volumeOf('v', { claimRef: { ...mine, uid: '' } }),
    claimOf(),
    { kind: 'wake-claim', phase: 'Available' },
  ],
  ['its claim is gone', volumeOf('v', { claimRef: mine }), undefined, { kind: 'phase', phase: 'Released' }],
  [
    'another claim has the name now',
    volumeOf('v', { claimRef: { ...mine, uid: 'before' } }),
    claimOf(),
    { kind: 'phase', phase: 'Released' },
  ],
  [
    'its claim has not seen it yet',
    volumeOf('v', { claimRef: mine }),
    claimOf(),
    { kind: 'wake-claim', phase: undefined },
  ],
  [
    'its claim is bound to it',
    volumeOf('v', { claimRef: mine }),
    claimOf({ volumeName: 'v' }),
    { kind: 'phase', phase: 'Bound' },
  ],
  [
    'its claim took another, and a user had reserved it',
    volumeOf('v', { claimRef: mine }),
    claimOf({ volumeName: 'w' }),
    { kind: 'unbind', whole: false },
  ],
  [
    'its claim took another, and a pass of ours had bound it',
    volumeOf('v', { claimRef: mine }, { annotations: { [annotations.boundByController]: 'yes' } }),
    claimOf({ volumeName: 'w' }),
    { kind: 'unbind', whole: true },
  ],
  [
    'it was made for a claim that took another',
    volumeOf('v', { claimRef: mine, persistentVolumeReclaimPolicy: 'Delete' }, provisioned),
    claimOf({ volumeName: 'w' }),
    { kind: 'phase', phase: 'Released' },
  ],
]
for (const [why, volume, claim, verdict] of volumes)
  test(`a volume is judged: ${why}`, () => assert.deepEqual(judgeVolume(volume, claim), verdict))

const misfits: readonly [VolumeSpec, Partial<PersistentVolumeClaim['spec']>, string | undefined][] = [
  [{}, {}, undefined],
  [{ capacity: { storage: '1023Mi' } }, {}, 'requested PV is too small'],
  [{ storageClassName: 'fast' }, {}, 'storageClassName does not match'],
  [{ volumeMode: 'Block' }, {}, 'incompatible volumeMode'],
  [{}, { accessModes: ['ReadWriteMany'] }, 'incompatible accessMode'],
]
for (const [spec, claim, why] of misfits)
  test(`mismatch() says: ${why ?? 'nothing'}`, () => assert.equal(mismatch(volumeOf('v', spec), claimOf(claim)), why))

test('findVolume() takes the smallest that is large enough, selected and free', () => {
  const size = (storage: string): VolumeSpec => ({ capacity: { storage } })
  const all = [
    volumeOf('large', size('5Gi')),
    volumeOf('taken', { ...size('1Gi'), claimRef: theirs }),
    volumeOf('small', size('2Gi'), { labels: { tier: 'b' } }),
    volumeOf('leaving', size('1Gi'), { deletionTimestamp: '2026-01-01T00:00:00Z' }),
  ]
  const found = (spec: Partial<PersistentVolumeClaim['spec']>, among = all): string | undefined =>
    findVolume(claimOf(spec), among, false)?.metadata.name
  assert.equal(found({}), 'small')
  assert.equal(found({ resources: { requests: { storage: '3Gi' } } }), 'large')
  assert.equal(found({ selector: { matchLabels: { tier: 'a' } } }), undefined)
  assert.equal(found({}, [...all, volumeOf('reserved', { ...size('9Gi'), claimRef: mine })]), 'reserved')
})
