// Volumes in decisions: limits of drivers, free volumes, and claims that wait for the pod's node.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { PersistentVolume, PersistentVolumeClaim, Pod } from '@aksel/api/types/core-v1'
import { Decider } from './decider.ts'
import { defaultProfile } from './profile.ts'
import { claim, storageClass, withClaim } from './testing/claims.ts'
import { chosen, node, on, pod, refused, type Given } from './testing/decisions.ts'
import { plainObjects } from './testing/plain-objects.ts'

test('decide() waits for the node before an unbound claim is provisioned', () => {
  const given = {
    nodes: [node('a')],
    claims: [claim({ storageClassName: 'later' })],
    classes: [storageClass('later', 'WaitForFirstConsumer')],
  }
  assert.equal(chosen(withClaim(), given), 'a')
})

test('a driver holds no more volumes on a node than its CSINode allows', () => {
  const volume = (name: string): PersistentVolume => ({
    metadata: { name },
    spec: { csi: { driver: 'disk', volumeHandle: name } },
  })
  const bound = (name: string): PersistentVolumeClaim => ({
    metadata: { name, namespace: 'default', annotations: { 'pv.kubernetes.io/bind-completed': 'yes' } },
    spec: { volumeName: `pv-${name}` },
  })
  const using = (name: string, claimName: string): Pod =>
    pod(name, { volumes: [{ name: 'd', persistentVolumeClaim: { claimName } }] })
  const given: Given = {
    nodes: [node('a'), node('b')],
    claims: [bound('one'), bound('two')],
    volumes: [volume('pv-one'), volume('pv-two')],
    csiNodes: [
      {
        metadata: { name: 'a' },
        spec: { drivers: [{ name: 'disk', nodeID: 'a', topologyKeys: [], allocatable: { count: 1 } }] },
      },
      {
        metadata: { name: 'b' },
        spec: { drivers: [{ name: 'disk', nodeID: 'b', topologyKeys: [], allocatable: { count: 0 } }] },
      },
    ],
    standing: [on('a', using('x', 'one'))],
  }
  assert.match(refused(using('p', 'two'), given), /2 node\(s\) exceed max volume count/)
  assert.equal(chosen(using('q', 'one'), given), 'a')
})

test('a claim takes the smallest free volume that its node can reach, or is provisioned there', () => {
  const local = (name: string, host: string, storage: string): PersistentVolume => ({
    metadata: { name },
    spec: {
      storageClassName: 'local',
      capacity: { storage },
      accessModes: ['ReadWriteOnce'],
      nodeAffinity: {
        required: {
          nodeSelectorTerms: [
            { matchExpressions: [{ key: 'kubernetes.io/hostname', operator: 'In', values: [host] }] },
          ],
        },
      },
    },
  })
  const wanted = claim({
    storageClassName: 'local',
    accessModes: ['ReadWriteOnce'],
    resources: { requests: { storage: '5Gi' } },
  })
  const classes = [{ ...storageClass('local', 'WaitForFirstConsumer'), provisioner: 'kubernetes.io/no-provisioner' }]
  const volumes = [local('small', 'a', '1Gi'), local('large', 'b', '50Gi'), local('right', 'b', '6Gi')]
  const given: Given = { nodes: [node('a'), node('b')], claims: [wanted], classes, volumes }
  assert.equal(chosen(withClaim(), given), 'b')
  const none = refused(withClaim(), { ...given, volumes: [] })
  assert.match(none, /2 node\(s\) didn't find available persistent volumes to bind/)
  const decider = new Decider(plainObjects(given), [defaultProfile()])
  for (const each of given.nodes) decider.state.setNode(each)
  assert.deepEqual(
    decider.volumePlan(withClaim(), 'b').bind.map(({ volume }) => volume.metadata.name),
    ['right'],
  )
})
