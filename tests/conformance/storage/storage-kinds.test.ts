// Kinds of storage as the API has them; no volume is attached or mounted.

import assert from 'node:assert/strict'
import { after, before, suite, test } from 'node:test'
import { conformanceCluster, type ConformanceCluster } from '../cluster.ts'
import { lives } from '../lifecycle.ts'
import { assertNewer, labelled, Objects, Refusal, type AnyObject } from '../objects.ts'
import { fresh } from '../pods.ts'

const deadline = { timeout: 120_000 }

void suite('kinds of storage', { concurrency: 4 }, () => {
  let cluster: ConformanceCluster

  before(async () => {
    cluster = await conformanceCluster({ nodes: 'simulated', count: 1 })
  })
  after(() => cluster[Symbol.asyncDispose]())

  const storage = (resource: string): Objects => new Objects(cluster, 'storage.k8s.io/v1', resource)

  void test(
    '[sig-storage] CSINodes CSI Conformance should run through the lifecycle of a csinode [Conformance]',
    deadline,
    () => lives(storage('csinodes'), (name) => ({ metadata: { name }, spec: { drivers: [] } })),
  )

  void test(
    '[sig-storage] StorageClasses CSI Conformance should run through the lifecycle of a StorageClass [Conformance]',
    deadline,
    () =>
      lives(storage('storageclasses'), (name) => ({
        metadata: { name },
        provisioner: 'e2e-fake-provisioner',
        reclaimPolicy: 'Retain',
        volumeBindingMode: 'Immediate',
      })),
  )

  void test(
    '[sig-storage] VolumeAttributesClass [FeatureGate:VolumeAttributesClass] should run through the lifecycle of a VolumeAttributesClass [Conformance]',
    deadline,
    () =>
      lives(storage('volumeattributesclasses'), (name) => ({
        metadata: { name },
        driverName: 'e2e-fake-csi-driver',
        parameters: { iops: '1000' },
      })),
  )

  void test(
    '[sig-storage] CSIInlineVolumes should run through the lifecycle of a CSIDriver [Conformance]',
    deadline,
    async () => {
      const objects = storage('csidrivers')
      const label = { 'e2e-test': fresh('csidriver') }
      const query = { labelSelector: `e2e-test=${label['e2e-test']}` }
      const names = [fresh('inline-driver'), fresh('inline-driver')] as const
      for (const name of names) {
        const spec = { volumeLifecycleModes: ['Ephemeral'], fsGroupPolicy: 'ReadWriteOnceWithFSType' }
        await objects.create({ metadata: { name, labels: label }, spec })
        const read = await objects.get(name)
        assert.equal(read.metadata.name, name)
        assert.deepEqual(read['spec'].volumeLifecycleModes, ['Ephemeral'])
      }
      const patched = await objects.patch(names[0], { metadata: { labels: { [names[0]]: 'patched' } } }, 'strategic')
      assert.equal(patched.metadata.labels?.[names[0]], 'patched')
      assert.equal((await objects.list(query)).items.length, 2)
      await objects.delete(names[0])
      await objects.listed(query, (items) => items.length === 1)
      await objects.deleteCollection(query)
      await objects.listed(query, (items) => items.length === 0)
    },
  )

  void test(
    '[sig-storage] CSIInlineVolumes should support CSIVolumeSource in Pod API [Conformance]',
    deadline,
    async () => {
      const objects = new Objects(cluster, 'v1', 'pods', await cluster.namespace('csi-inline'))
      const name = 'pod-csi-inline-volumes'
      const driver = 'e2e.example.com'
      const pod = {
        metadata: { name },
        spec: {
          volumes: [
            { name: 'csi-inline-vol1', csi: { driver } },
            { name: 'csi-inline-vol2', csi: { driver, fsType: 'ext4', readOnly: true } },
          ],
          containers: [
            {
              name,
              image: 'docker.io/library/busybox:1.36',
              command: ['sh', '-c', 'ls /mnt/*'],
              volumeMounts: [
                { name: 'csi-inline-vol1', mountPath: '/mnt/vol1' },
                { name: 'csi-inline-vol2', mountPath: '/mnt/vol2' },
              ],
            },
          ],
        },
      }
      const created = await objects.create(pod)
      assert.deepEqual(created['spec'].volumes.slice(0, 2), pod.spec.volumes)
      await assert.rejects(objects.create(pod), (error) => error instanceof Refusal && error.code === 409)
      assert.equal((await objects.get(name)).metadata.uid, created.metadata.uid)
      assert.equal((await objects.list()).items.length, 1)
      const patched = await objects.patch(name, { metadata: { annotations: { patched: 'true' } } }, 'merge')
      assert.equal(patched.metadata.annotations?.['patched'], 'true')
      await objects.delete(name)
      await objects.listed({}, (items) => items.every(({ metadata }) => metadata['deletionTimestamp'] !== undefined))
    },
  )

  const attachment = async (name: string): Promise<object> => {
    const { items } = await new Objects(cluster, 'v1', 'nodes').list()
    const source = { persistentVolumeName: `pv-${name}` }
    const nodeName = items[0]!.metadata.name
    return {
      metadata: { name },
      spec: { attacher: 'e2e-test.storage.k8s.io', nodeName, source },
      status: { attached: false },
    }
  }

  void test(
    '[sig-storage] VolumeAttachment Conformance should run through the lifecycle of a VolumeAttachment [Conformance]',
    deadline,
    async () => {
      const any = await attachment('any')
      await lives(storage('volumeattachments'), (name) => ({ ...any, metadata: { name } }))
    },
  )

  void test(
    '[sig-storage] VolumeAttachment Conformance should apply changes to a volumeattachment status [Conformance]',
    deadline,
    async () => {
      const objects = storage('volumeattachments')
      const name = fresh('va-e2e')
      assert.equal((await objects.create(await attachment(name))).metadata.name, name)
      const labelledOne = await objects.patch(name, { metadata: { labels: { [name]: 'patched' } } })
      assert.equal(labelledOne.metadata.labels?.[name], 'patched')
      assert.equal((await objects.get(name, 'status'))['status'].attached, false)
      const patched = await objects.patch(name, { status: { attached: true } }, 'merge', 'status')
      assert.equal(patched['status'].attached, true)
      const detach = (object: AnyObject): object => ({ ...object, status: { ...object['status'], attached: false } })
      assert.equal((await objects.update(name, detach, 'status'))['status'].attached, false)
      await objects.delete(name)
      await objects.listed({ labelSelector: `${name}=patched` }, (items) => items.length === 0)
    },
  )

  /** A volume of a driver that is not there and a claim that takes it. */
  const volumeAndClaim = async (
    namespace: string,
  ): Promise<{ readonly volumes: Objects; readonly claims: Objects }> => {
    const volumes = new Objects(cluster, 'v1', 'persistentvolumes')
    const claims = new Objects(cluster, 'v1', 'persistentvolumeclaims', namespace)
    const accessModes = ['ReadWriteOnce', 'ReadOnlyMany', 'ReadWriteMany']
    await volumes.create({
      metadata: { generateName: `${namespace}-`, labels: { 'e2e-pv-pool': namespace } },
      spec: {
        persistentVolumeReclaimPolicy: 'Retain',
        storageClassName: namespace,
        capacity: { storage: '2Gi' },
        accessModes,
        csi: { driver: 'e2e-driver', volumeHandle: 'e2e-conformance' },
      },
    })
    await claims.create({
      metadata: { generateName: 'pvc-' },
      spec: { storageClassName: namespace, accessModes, resources: { requests: { storage: '2Gi' } } },
    })
    return { volumes, claims }
  }

  void test(
    '[sig-storage] PersistentVolumes CSI Conformance should run through the lifecycle of a PV and a PVC [Conformance]',
    deadline,
    async () => {
      const namespace = await cluster.namespace('pv')
      const { volumes, claims } = await volumeAndClaim(namespace)
      const pool = { labelSelector: `e2e-pv-pool=${namespace}` }
      for (const [objects, query] of [
        [volumes, pool],
        [claims, {}],
      ] as const) {
        const { items } = await objects.list(query)
        assert.equal(items.length, 1)
        const { name, uid } = items[0]!.metadata
        const patched = await objects.patch(name, { metadata: { labels: { [name]: 'patched' } } }, 'strategic')
        assert.equal(patched.metadata.labels?.[name], 'patched')
        assertNewer(patched, items[0]!)
        assert.equal((await objects.get(name)).metadata.uid, uid)
      }
      for (const [objects, query] of [
        [claims, {}],
        [volumes, pool],
      ] as const) {
        await objects.delete((await objects.list(query)).items[0]!.metadata.name)
        await objects.listed(query, (items) => items.length === 0)
      }

      await volumeAndClaim(namespace)
      for (const [objects, query] of [
        [volumes, pool],
        [claims, {}],
      ] as const) {
        const { name } = (await objects.list(query)).items[0]!.metadata
        const label = (object: AnyObject): object => ({
          ...object,
          metadata: labelled(object, { [namespace]: 'updated' }),
        })
        assert.equal((await objects.update(name, label)).metadata.labels?.[namespace], 'updated')
      }
      const updated = { labelSelector: `${namespace}=updated` }
      assert.equal((await new Objects(cluster, 'v1', 'persistentvolumeclaims').list(updated)).items.length, 1)
      for (const objects of [claims, volumes]) {
        await objects.deleteCollection(updated)
        await objects.listed(updated, (items) => items.length === 0)
      }
    },
  )

  void test(
    '[sig-storage] PersistentVolumes CSI Conformance should apply changes to a pv/pvc status [Conformance]',
    deadline,
    async () => {
      const namespace = await cluster.namespace('pv-status')
      const { volumes, claims } = await volumeAndClaim(namespace)
      const [volume] = (await volumes.list({ labelSelector: `e2e-pv-pool=${namespace}` })).items
      const [claim] = (await claims.list()).items
      const [ofVolume, ofClaim] = [volume!.metadata.name, claim!.metadata.name]
      assert.match((await claims.get(ofClaim, 'status'))['status'].phase, /^(Pending|Bound)$/)
      assert.match((await volumes.get(ofVolume, 'status'))['status'].phase, /^(Available|Bound|Pending)$/)
      // The binder writes the same statuses; conditions and words it did not write must stay.
      const condition = (type: string): object => ({
        type,
        status: 'True',
        reason: `E2E ${type}`,
        message: 'Set from e2e test',
      })
      const conditions = (object: AnyObject): readonly { type: string; reason: string; message: string }[] =>
        object['status'].conditions
      const patched = await claims.patch(
        ofClaim,
        { status: { conditions: [condition('StatusPatched')] } },
        'merge',
        'status',
      )
      const isPatched = conditions(patched).find(({ type }) => type === 'StatusPatched')
      assert.deepEqual([isPatched?.reason, isPatched?.message], ['E2E StatusPatched', 'Set from e2e test'])
      const words = { message: 'StatusPatched', reason: 'E2E patchStatus' }
      const patchedVolume = await volumes.patch(ofVolume, { status: words }, 'merge', 'status')
      assert.deepEqual([patchedVolume['status'].message, patchedVolume['status'].reason], Object.values(words))

      const updated = await claims.update(
        ofClaim,
        (object) => ({
          ...object,
          status: { ...object['status'], conditions: [...conditions(object), condition('StatusUpdated')] },
        }),
        'status',
      )
      assert.deepEqual(
        conditions(updated).map(({ type }) => type),
        ['StatusPatched', 'StatusUpdated'],
      )
      const newWords = { message: 'StatusUpdated', reason: 'E2E updateStatus' }
      const updatedVolume = await volumes.update(
        ofVolume,
        (object) => ({ ...object, status: { ...object['status'], ...newWords } }),
        'status',
      )
      assert.deepEqual([updatedVolume['status'].message, updatedVolume['status'].reason], Object.values(newWords))
    },
  )
})
