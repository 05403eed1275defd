// Devices that pods ask for by claim, on a real node: dynamic resources of a third party's driver, disks without a file
// system, and what the node itself has.

import assert from 'node:assert/strict'
import { after, before, suite, test } from 'node:test'
import type {
  V1Container,
  V1PersistentVolumeClaim,
  V1PersistentVolumeSpec,
  V1PodStatus,
  V1ResourceSlice,
} from '@kubernetes/client-node'
import { busybox, conformanceCluster, type ConformanceCluster } from '../conformance/cluster.ts'
import { podsIn, type Pods } from '../conformance/pods.ts'
import { watched } from '../conformance/watched.ts'
import { machineOf, pidOf } from './machine-leftovers.ts'
import { callsOf, startPlugin } from './plugins/plugin-pods.ts'

const deadline = { timeout: 180_000 }
const sleepForever = 'trap "exit 0" TERM; while :; do sleep 0.1; done'

void suite('devices', { concurrency: 3 }, () => {
  let cluster: ConformanceCluster
  let pods: Pods

  before(async () => {
    cluster = await conformanceCluster({ nodes: 'real', count: 1, agnhost: true })
    pods = await podsIn(cluster, 'devices')
  })
  after(() => cluster[Symbol.asyncDispose]())

  void test(
    'a DRA driver prepares a claim once for its pod, through a restart of the agent, and gets it back',
    deadline,
    async () => {
      const { aksel, core } = cluster
      const { namespace } = pods
      await aksel.kubectl('create clusterrole lamps --verb=get,create --resource=resourceclaims,resourceslices')
      await aksel.kubectl(`create clusterrolebinding lamps --clusterrole=lamps --serviceaccount=${namespace}:default`)
      await startPlugin(pods, 'lamps', 'dra-driver.ts')
      const slice = (await watched<V1ResourceSlice>(cluster.config, {
        path: '/apis/resource.k8s.io/v1/resourceslices',
        isWanted: (each) => each?.spec?.driver === 'lamps.example.com',
        waitMs: 60_000,
      })) as V1ResourceSlice
      const deviceClass = {
        apiVersion: 'resource.k8s.io/v1',
        kind: 'DeviceClass',
        metadata: { name: 'lamps' },
        spec: { selectors: [{ cel: { expression: 'device.driver == "lamps.example.com"' } }] },
      }
      await aksel.kubectl('create -f -', { input: JSON.stringify(deviceClass) })
      const claim = {
        apiVersion: 'resource.k8s.io/v1',
        kind: 'ResourceClaim',
        metadata: { name: 'lamp', namespace },
        spec: { devices: { requests: [{ name: 'one', exactly: { deviceClassName: 'lamps' } }] } },
      }
      await aksel.kubectl('create -f -', { input: JSON.stringify(claim) })
      const say = 'echo "main has $LAMP_LEFT" /dev/lamp-*; head -c 1 /dev/lamp-left | wc -c'
      // Who goes around the scheduler has no devices: said, and tried again.
      await pods.create('early', {
        nodeName: slice.spec.nodeName!,
        resourceClaims: [{ name: 'light', resourceClaimName: 'lamp' }],
        containers: [{ name: 'main', image: busybox, resources: { claims: [{ name: 'light' }] } }],
      })
      await watched(cluster.config, {
        path: `/api/v1/namespaces/${namespace}/events`,
        isWanted: (event: { reason?: string; message?: string } | undefined) =>
          event?.reason === 'FailedPrepareDynamicResources' &&
          /not allowed to use resource claim lamp/.test(event.message!),
        waitMs: 60_000,
      })
      await pods.delete('early', 0)
      await pods.gone('early')
      await pods.create('reader', {
        resourceClaims: [{ name: 'light', resourceClaimName: 'lamp' }],
        containers: [
          {
            name: 'main',
            image: busybox,
            command: ['sh', '-c', `${say}; ${sleepForever}`],
            resources: { claims: [{ name: 'light', request: 'one' }] },
          },
          {
            name: 'dark',
            image: busybox,
            command: ['sh', '-c', `echo "dark has $LAMP_LEFT" /dev/lamp-*; ${sleepForever}`],
          },
        ],
      })
      await pods.logHolds('reader', /main has lamp \/dev\/lamp-left\n1\n/, 'main')
      await pods.logHolds('reader', /dark has {2}\/dev\/lamp-\*\n/, 'dark')

      const monitor = [
        '/usr/bin/node',
        '--disable-warning=ExperimentalWarning',
        '/repo/tests/e2e/plugins/list-resources.ts',
      ]
      const told = JSON.parse(await pods.exec('lamps', monitor)) as {
        readonly listed: {
          readonly podResources: readonly {
            readonly name: string
            readonly containers: readonly { readonly dynamicResources?: unknown }[]
          }[]
        }
      }
      const [main] = told.listed.podResources.find(({ name }) => name === 'reader')!.containers
      assert.match(JSON.stringify(main!.dynamicResources), /"claimName":"lamp".*"driverName":"lamps.example.com"/)

      const machine = await machineOf(aksel.dataDir, slice.spec.nodeName!)
      process.kill(await pidOf(machine.folder, 'agent'), 'SIGKILL')
      // The driver is taken again and shows its devices anew; what was prepared still is, also for a container that restarts.
      await pods.logHolds('lamps', /serving[^]*serving/)
      await pods.exec('reader', ['sh', '-c', 'kill 1'], 'main')
      await pods.until(
        'reader',
        ({ status: now }) => now?.containerStatuses?.find(({ name }) => name === 'main')?.restartCount === 1,
      )
      await pods.logHolds('reader', /main has lamp \/dev\/lamp-left\n1\n/, 'main')
      const count = async (call: string): Promise<number> =>
        (await callsOf(pods, 'lamps')).filter((each) => each.call === call).length
      assert.deepEqual([await count('NodePrepareResources'), await count('NodeUnprepareResources')], [1, 0])
      await pods.delete('reader', 1)
      await pods.gone('reader')
      assert.deepEqual([await count('NodePrepareResources'), await count('NodeUnprepareResources')], [1, 1])
      await core.deleteNamespacedPod({ namespace, name: 'lamps', gracePeriodSeconds: 1 })
      await pods.gone('lamps')
    },
  )

  void test(
    'a claim of volumeMode Block gives containers a device that keeps what is written to it',
    deadline,
    async () => {
      const { core } = cluster
      const { namespace } = pods
      const claim = { accessModes: ['ReadWriteOnce'], resources: { requests: { storage: '1Gi' } }, volumeMode: 'Block' }
      await core.createNamespacedPersistentVolumeClaim({ namespace, body: { metadata: { name: 'raw' }, spec: claim } })
      const user = (name: string, script: string, more: Partial<V1Container> = {}): Promise<unknown> =>
        pods.create(name, {
          restartPolicy: 'Never',
          containers: [
            {
              name: 'main',
              image: busybox,
              command: ['sh', '-c', script],
              volumeDevices: [{ name: 'raw', devicePath: '/dev/disks/raw' }],
              ...more,
            },
          ],
          volumes: [{ name: 'raw', persistentVolumeClaim: { claimName: 'raw' } }],
        })
      await user(
        'raw-writer',
        'test -b /dev/disks/raw && printf words > /tmp/w && dd if=/tmp/w of=/dev/disks/raw conv=fsync',
      )
      await pods.succeeded('raw-writer')
      await pods.delete('raw-writer')
      await pods.gone('raw-writer')
      await user('raw-reader', 'head -c 5 /dev/disks/raw; blockdev --getsize64 /dev/disks/raw')
      await pods.succeeded('raw-reader')
      assert.equal(await pods.log('raw-reader'), `words${2 ** 30}\n`)
      await user('confused', 'true', { volumeDevices: [], volumeMounts: [{ name: 'raw', mountPath: '/raw' }] })
      const confused = await pods.until('confused', ({ status }) => waiting(status) !== undefined)
      assert.match(waiting(confused.status)!, /volume raw has volumeMode Block, but is specified in volumeMounts/)
      for (const name of ['raw-reader', 'confused']) await pods.delete(name)
    },
  )

  void test('a claim that asks for more gets a larger disk, and its files are kept', deadline, async () => {
    const { core, config } = cluster
    const { namespace } = pods
    const claim = { accessModes: ['ReadWriteOnce'], resources: { requests: { storage: '1Gi' } } }
    await core.createNamespacedPersistentVolumeClaim({ namespace, body: { metadata: { name: 'grows' }, spec: claim } })
    const user = (name: string, script: string): Promise<unknown> =>
      pods.create(name, {
        restartPolicy: 'Never',
        containers: [
          {
            name: 'main',
            image: busybox,
            command: ['sh', '-c', script],
            volumeMounts: [{ name: 'data', mountPath: '/data' }],
          },
        ],
        volumes: [{ name: 'data', persistentVolumeClaim: { claimName: 'grows' } }],
      })
    await user('small', `echo kept > /data/file; echo written; ${sleepForever}`)
    await pods.logHolds('small', /written/, 'main')
    const body = JSON.stringify({ spec: { resources: { requests: { storage: '2Gi' } } } })
    await cluster.aksel.kubectl(['patch', 'pvc', 'grows', '-n', namespace, '--type', 'merge', '-p', body])
    const claims = `/api/v1/namespaces/${namespace}/persistentvolumeclaims`
    // The node sees to it at once where it may, else with the next pod.
    await watched<V1PersistentVolumeClaim>(config, {
      path: claims,
      isWanted: (each) =>
        each?.metadata?.name === 'grows' &&
        (each.status?.capacity?.['storage'] === '2Gi' ||
          each.status?.conditions?.some(({ type }) => type === 'FileSystemResizePending') === true),
      waitMs: 60_000,
    })
    await pods.delete('small', 1)
    await pods.gone('small')
    await user('large', 'cat /data/file; df -m /data | awk \'END { print ($2 > 1500) ? "large" : "small" }\'')
    await pods.succeeded('large')
    assert.equal(await pods.log('large'), 'kept\nlarge\n')
    await watched<V1PersistentVolumeClaim>(config, {
      path: claims,
      isWanted: (each) =>
        each?.metadata?.name === 'grows' &&
        each.status?.capacity?.['storage'] === '2Gi' &&
        (each.status.conditions ?? []).length === 0,
      waitMs: 60_000,
    })
    await pods.delete('large')
  })

  void test(
    'volumes of the node itself: local and hostPath are used as they are, NFS is refused where the kernel has none',
    deadline,
    async () => {
      const { core } = cluster
      const { namespace } = pods
      const [node] = (await core.listNode()).items
      const values = [node!.metadata!.name!]
      const terms = [{ matchExpressions: [{ key: 'kubernetes.io/hostname', operator: 'In', values }] }]
      const kinds: Readonly<Record<string, Partial<V1PersistentVolumeSpec>>> = {
        local: { local: { path: '/var/lib/kubelet/pods' }, nodeAffinity: { required: { nodeSelectorTerms: terms } } },
        path: { hostPath: { path: '/var/lib/kubelet/pods', type: 'Directory' } },
        share: { nfs: { server: '192.0.2.1', path: '/' } },
      }
      for (const [kind, source] of Object.entries(kinds)) {
        const shared = { accessModes: ['ReadWriteOnce'], storageClassName: kind }
        const capacity = { storage: '1Gi' }
        await core.createPersistentVolume({
          body: { metadata: { name: kind }, spec: { ...shared, capacity, ...source } },
        })
        const claim = { ...shared, volumeName: kind, resources: { requests: capacity } }
        await core.createNamespacedPersistentVolumeClaim({ namespace, body: { metadata: { name: kind }, spec: claim } })
        await pods.create(kind, {
          restartPolicy: 'Never',
          containers: [
            { name: 'main', image: busybox, command: ['ls', '/v'], volumeMounts: [{ name: 'v', mountPath: '/v' }] },
          ],
          volumes: [{ name: 'v', persistentVolumeClaim: { claimName: kind } }],
        })
      }
      for (const kind of ['local', 'path']) {
        const { metadata } = await pods.succeeded(kind)
        assert.match(await pods.log(kind), new RegExp(metadata!.uid!))
      }
      // Where the kernel has a client nobody answers at that address.
      await watched(cluster.config, {
        path: `/api/v1/namespaces/${namespace}/events`,
        isWanted: (event: { reason?: string; message?: string } | undefined) =>
          event?.reason === 'FailedMount' && /NFS|192\.0\.2\.1/.test(event.message!),
        waitMs: 150_000,
      })
      for (const kind of Object.keys(kinds)) await pods.delete(kind)
    },
  )
})

function waiting(status: V1PodStatus | undefined): string | undefined {
  return status?.containerStatuses?.[0]?.state?.waiting?.message
}
