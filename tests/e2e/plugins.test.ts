// Plug-ins of third parties on a real node: they run in pods, register at the paths that upstream documents, and serve pods.

import assert from 'node:assert/strict'
import { glob, readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { after, before, suite, test } from 'node:test'
import { setTimeout } from 'node:timers/promises'
import {
  StorageV1Api,
  type V1CSINode,
  type V1Node,
  type V1PersistentVolumeClaim,
  type V1PodSpec,
} from '@kubernetes/client-node'
import { agnhost, busybox, conformanceCluster, type ConformanceCluster } from '../conformance/cluster.ts'
import { podsIn, type Pods } from '../conformance/pods.ts'
import { watched } from '../conformance/watched.ts'
import { callsOf, startPlugin } from './plugins/plugin-pods.ts'

const deadline = { timeout: 180_000 }
/** Where the plug-ins run; another pool comes and goes meanwhile. */
const onPool = { agentpool: 'nodepool1' }
const sleepForever = 'trap "exit 0" TERM; while :; do sleep 0.1; done'

void suite('plug-ins of third parties', { concurrency: 3 }, () => {
  let cluster: ConformanceCluster
  let pods: Pods

  before(async () => {
    cluster = await conformanceCluster({ nodes: 'real', count: 1, agnhost: true })
    pods = await podsIn(cluster, 'plugins')
  })
  after(() => cluster[Symbol.asyncDispose]())

  void test('a CSI driver registers, stages and publishes volumes for pods, and gets them back', deadline, async () => {
    const driver = 'folders.csi.example.com'
    const storage = cluster.config.makeApiClient(StorageV1Api)
    await storage.createCSIDriver({
      body: {
        metadata: { name: driver },
        spec: {
          attachRequired: false,
          podInfoOnMount: true,
          fsGroupPolicy: 'File',
          volumeLifecycleModes: ['Persistent', 'Ephemeral'],
          tokenRequests: [{ audience: 'vault' }],
        },
      },
    })
    const { core } = cluster
    const { namespace } = pods
    // A pod may be there before its driver.
    await core.createPersistentVolume({
      body: {
        metadata: { name: 'folder-1' },
        spec: {
          capacity: { storage: '2Gi' },
          accessModes: ['ReadWriteOnce'],
          persistentVolumeReclaimPolicy: 'Retain',
          storageClassName: '',
          csi: { driver, volumeHandle: 'vol-1', fsType: 'ext4', volumeAttributes: { color: 'blue' } },
        },
      },
    })
    await core.createNamespacedPersistentVolumeClaim({
      namespace,
      body: {
        metadata: { name: 'data' },
        spec: {
          accessModes: ['ReadWriteOnce'],
          storageClassName: '',
          volumeName: 'folder-1',
          resources: { requests: { storage: '1Gi' } },
        },
      },
    })
    const reader = (name: string, script: string): Promise<unknown> =>
      pods.create(name, {
        nodeSelector: onPool,
        securityContext: { fsGroup: 2000 },
        containers: [
          {
            name: 'main',
            image: busybox,
            command: ['sh', '-c', script],
            volumeMounts: [{ name: 'data', mountPath: '/data' }],
          },
        ],
        volumes: [{ name: 'data', persistentVolumeClaim: { claimName: 'data' } }],
      })
    await reader('writer', `echo kept > /data/file; ${sleepForever}`)
    await startPlugin(pods, 'driver', 'csi-driver.ts')
    const csiNode = (await watched<V1CSINode>(cluster.config, {
      path: '/apis/storage.k8s.io/v1/csinodes',
      isWanted: (node) => node?.spec.drivers.some(({ name }) => name === driver) === true,
      waitMs: 60_000,
    })) as V1CSINode
    const nodeName = csiNode.metadata!.name!
    assert.deepEqual(csiNode.spec.drivers, [
      {
        name: driver,
        nodeID: `folders-${nodeName}`,
        topologyKeys: [`topology.${driver}/rack`],
        allocatable: { count: 7 },
      },
    ])
    const { metadata } = await core.readNode({ name: nodeName })
    assert.equal(metadata?.labels?.[`topology.${driver}/rack`], 'r1')
    const ids = JSON.parse(metadata?.annotations?.['csi.volume.kubernetes.io/nodeid'] ?? '{}') as object
    assert.deepEqual(ids, { [driver]: `folders-${nodeName}` })

    await pods.ready('writer')
    await reader('reader', `until grep -q kept /data/file; do sleep 0.1; done; ls -ldn /data; ${sleepForever}`)
    // The folder belongs to the pod's group.
    await pods.logHolds('reader', /drwxrws.* 2000 /)

    await pods.create('inline', {
      nodeSelector: onPool,
      restartPolicy: 'Never',
      serviceAccountName: 'default',
      containers: [
        {
          name: 'main',
          image: busybox,
          command: ['sh', '-c', 'cat /told/told.json; ! touch /told/new 2> /dev/null'],
          volumeMounts: [{ name: 'told', mountPath: '/told' }],
        },
      ],
      volumes: [{ name: 'told', csi: { driver, readOnly: true, volumeAttributes: { size: 'small' } } }],
    })
    const inline = await pods.succeeded('inline')
    const { volumeContext } = JSON.parse((await pods.log('inline')).trim().split('\n')[0]!) as {
      readonly volumeContext: Readonly<Record<string, string>>
    }
    const { 'csi.storage.k8s.io/serviceAccount.tokens': tokens, ...context } = volumeContext
    assert.deepEqual(context, {
      size: 'small',
      'csi.storage.k8s.io/pod.name': 'inline',
      'csi.storage.k8s.io/pod.namespace': namespace,
      'csi.storage.k8s.io/pod.uid': inline.metadata!.uid,
      'csi.storage.k8s.io/serviceAccount.name': 'default',
      'csi.storage.k8s.io/ephemeral': 'true',
    })
    const told = JSON.parse(tokens!) as Readonly<Record<string, { readonly token: string }>>
    const claims = JSON.parse(Buffer.from(told['vault']!.token.split('.')[1]!, 'base64url').toString()) as {
      readonly aud: readonly string[]
    }
    assert.deepEqual(claims.aud, ['vault'])

    // The claim was bound at 2Gi; the volume grows.
    await core.patchPersistentVolume({
      name: 'folder-1',
      body: [{ op: 'replace', path: '/spec/capacity/storage', value: '3Gi' }],
    })
    await reader('grown', sleepForever)
    await watched<V1PersistentVolumeClaim>(cluster.config, {
      path: `/api/v1/namespaces/${namespace}/persistentvolumeclaims`,
      name: 'data',
      isWanted: (claim) => claim?.status?.capacity?.['storage'] === '3Gi',
      waitMs: 60_000,
    })

    for (const name of ['writer', 'reader', 'grown', 'inline']) {
      await pods.delete(name, 1)
      await pods.gone(name)
    }
    await givesDevices()
    const calls = await callsOf(pods, 'driver')
    const count = (call: string): number => calls.filter((each) => each.call === call).length
    assert.equal(count('NodeUnpublishVolume'), 4 + 2)
    assert.equal(count('NodeUnstageVolume'), 1 + 2)
    assert.equal(count('NodeExpandVolume'), 1)
    const staged = calls.find(({ call }) => call === 'NodeStageVolume')!.request as unknown as {
      readonly volumeId: string
      readonly stagingTargetPath: string
      readonly volumeContext: object
      readonly volumeCapability: object
    }
    assert.equal(staged.volumeId, 'vol-1')
    assert.match(
      staged.stagingTargetPath,
      /^\/var\/lib\/kubelet\/plugins\/kubernetes\.io\/csi\/folders\.csi\.example\.com\/[0-9a-f]{64}\/globalmount$/,
    )
    assert.deepEqual(staged.volumeContext, { color: 'blue' })
    assert.deepEqual(
      await pods.exec('driver', ['cat', '/var/lib/kubelet/plugins/folders.csi.example.com/volumes/vol-1/file']),
      'kept\n',
    )
    const mounts = await pods.exec('driver', ['cat', '/proc/self/mountinfo'])
    assert.doesNotMatch(mounts, /globalmount|folders\.csi\.example\.com\/inline/)
    await pods.delete('driver', 1)
    await pods.gone('driver')
  })

  /** A volume without a file system: a loop device of the driver's, whose bytes the next pod finds. */
  async function givesDevices(): Promise<void> {
    const { core } = cluster
    const { namespace } = pods
    const driver = 'folders.csi.example.com'
    await core.createPersistentVolume({
      body: {
        metadata: { name: 'raw-1' },
        spec: {
          capacity: { storage: '64Mi' },
          accessModes: ['ReadWriteOnce'],
          persistentVolumeReclaimPolicy: 'Retain',
          storageClassName: '',
          volumeMode: 'Block',
          csi: { driver, volumeHandle: 'raw-1' },
        },
      },
    })
    await core.createNamespacedPersistentVolumeClaim({
      namespace,
      body: {
        metadata: { name: 'raw' },
        spec: {
          accessModes: ['ReadWriteOnce'],
          storageClassName: '',
          volumeMode: 'Block',
          volumeName: 'raw-1',
          resources: { requests: { storage: '64Mi' } },
        },
      },
    })
    const withDevice = (name: string, script: string): Promise<unknown> =>
      pods.create(name, {
        nodeSelector: onPool,
        // A file's owner means nothing to a device.
        securityContext: { fsGroup: 2000 },
        containers: [
          {
            name: 'main',
            image: busybox,
            command: ['sh', '-c', `${script}; ${sleepForever}`],
            volumeDevices: [{ name: 'raw', devicePath: '/dev/raw-disk' }],
          },
        ],
        volumes: [{ name: 'raw', persistentVolumeClaim: { claimName: 'raw' } }],
      })
    const attached = async (): Promise<readonly string[]> => {
      const found: string[] = []
      for (const device of await readdir('/sys/block')) {
        const image = await readFile(`/sys/block/${device}/loop/backing_file`, 'utf8').catch(() => '')
        // The kernel names it as the driver's container saw it.
        if (image.includes(`/${driver}/blocks/raw-1.img`)) found.push(image)
      }
      return found
    }
    await withDevice(
      'raw-1',
      'echo kept-in-blocks > /dev/raw-disk; sync; test -b /dev/raw-disk && blockdev --getsize64 /dev/raw-disk',
    )
    await pods.logHolds('raw-1', /^67108864$/m)
    assert.equal((await attached()).length, 1)
    const machines = join(cluster.aksel.dataDir, 'machines')
    const nodeName = (await pods.running('raw-1')).spec!.nodeName!
    const machine = (await readdir(machines)).find((key) => key.endsWith(nodeName.replace('aks-', '')))
    // The next agent gives back what this one had published.
    process.kill(Number(await readFile(join(machines, machine!, 'agent.pid'), 'utf8')), 'SIGKILL')
    await pods.delete('raw-1', 1)
    await pods.gone('raw-1')
    await detached(attached)
    await withDevice('raw-2', 'head -n 1 /dev/raw-disk')
    await pods.logHolds('raw-2', /kept-in-blocks/)
    await pods.delete('raw-2', 1)
    await pods.gone('raw-2')
    await detached(attached)
    const asked = (await callsOf(pods, 'driver')).filter(
      ({ request }) => (request as { readonly volumeId?: string } | undefined)?.volumeId === 'raw-1',
    )
    for (const { call, request } of asked.filter(({ call }) => /Stage|Publish/.test(call) && !/Un/.test(call))) {
      const { volumeCapability } = request as unknown as { readonly volumeCapability: object }
      assert.deepEqual(volumeCapability, { block: {}, accessMode: { mode: 1 } }, call)
    }
  }

  /** The volume is given back after its pod's object is gone, which nobody tells. */
  async function detached(attached: () => Promise<readonly string[]>): Promise<void> {
    const untilMs = Date.now() + 60_000
    for (let left = await attached(); left.length > 0; left = await attached()) {
      if (Date.now() > untilMs) assert.fail(`still attached: ${left.join()}`)
      await setTimeout(100)
    }
  }

  void test(
    'a device plug-in offers its devices, and an agent that restarts gives none out twice',
    deadline,
    async () => {
      const widget = 'example.com/widget'
      const plugin = await startPlugin(pods, 'widgets', 'device-plugin.ts')
      const nodeName = plugin.spec!.nodeName!
      const nodeHas = (allocatable: string): Promise<unknown> =>
        watched<V1Node>(cluster.config, {
          path: '/api/v1/nodes',
          name: nodeName,
          isWanted: (node) =>
            node?.status?.capacity?.[widget] === '3' && node.status.allocatable?.[widget] === allocatable,
          waitMs: 60_000,
        })
      // The third is ill.
      await nodeHas('2')
      const withWidgets = (name: string, count: number, spec: Partial<V1PodSpec> = {}): Promise<unknown> =>
        pods.create(name, {
          ...spec,
          containers: [
            {
              name: 'main',
              image: busybox,
              command: [
                'sh',
                '-c',
                `echo "has $WIDGETS" $(cd /dev && ls -d widget-*); ls /widget/plugins; ${sleepForever}`,
              ],
              resources: { limits: { [widget]: String(count) } },
            },
          ],
        })
      await withWidgets('one', 1)
      await pods.logHolds('one', /has w1 widget-w1\n/)
      await pods.logHolds('one', /kubelet\.sock/)
      // Who goes around the scheduler is refused by the node.
      await withWidgets('two', 2, { nodeName })
      const refused = await pods.until('two', ({ status }) => status?.phase === 'Failed')
      assert.equal(refused.status?.reason, 'UnexpectedAdmissionError')
      assert.equal(
        refused.status?.message,
        `Pod was rejected: Allocate failed due to requested number of devices unavailable for ${widget}. Requested: 2, Available: 1, which is unexpected`,
      )
      const monitor = [
        '/usr/bin/node',
        '--disable-warning=ExperimentalWarning',
        '/repo/tests/e2e/plugins/list-resources.ts',
      ]
      const told = JSON.parse(await pods.exec('widgets', monitor)) as {
        readonly listed: { readonly podResources: readonly { readonly name: string; readonly containers: unknown }[] }
        readonly allocatable: unknown
      }
      assert.deepEqual(told.listed.podResources.find(({ name }) => name === 'one')?.containers, [
        { name: 'main', devices: [{ resourceName: widget, deviceIds: ['w1'] }] },
      ])
      assert.deepEqual(told.allocatable, { devices: [{ resourceName: widget, deviceIds: ['w0', 'w1'] }] })

      const machines = join(cluster.aksel.dataDir, 'machines')
      const machine = (await readdir(machines)).find((key) => key.endsWith(nodeName.replace('aks-', '')))
      process.kill(Number(await readFile(join(machines, machine!, 'agent.pid'), 'utf8')), 'SIGKILL')
      // The plug-in sees the agent's new socket and registers again.
      await pods.logHolds('widgets', /serving[^]*serving/)
      await nodeHas('2')
      await withWidgets('other', 1)
      await pods.logHolds('other', /has w0 widget-w0\n/)

      await pods.exec('widgets', ['sh', '-c', 'echo "w0 w2" > /tmp/ill'])
      await nodeHas('1')
      await pods.exec('widgets', ['sh', '-c', 'echo none > /tmp/ill'])
      await nodeHas('3')
      const calls = await callsOf(pods, 'widgets')
      assert.equal(calls.filter(({ call }) => call === 'Allocate').length, 2)
      assert.ok(calls.some(({ call }) => call === 'PreStartContainer'))
      for (const name of ['one', 'two', 'other', 'widgets']) await pods.delete(name)
      await pods.gone('widgets')
      // Without its plug-in nobody vouches for the devices.
      await nodeHas('0')
    },
  )

  void test(
    'pods of a sandboxed pool run behind another kernel, with network, DNS, logs, exec and volumes',
    deadline,
    async () => {
      const { aksel, core } = cluster
      const pool = ['--cluster-name', 'demo', '-g', 'aksel', '-n', 'kata', '-c', '1', '--os-sku', 'AzureLinux']
      await aksel.ok(['az', 'aks', 'nodepool', 'add', ...pool, '--workload-runtime', 'KataVmIsolation'])
      const { namespace } = pods
      await core.createNamespacedConfigMap({ namespace, body: { metadata: { name: 'told' }, data: { word: 'hello' } } })
      await pods.create('web', {
        containers: [
          {
            name: 'web',
            image: agnhost,
            args: ['netexec', '--http-port=8080'],
            readinessProbe: { httpGet: { path: '/', port: 8080 } },
          },
        ],
      })
      const web = await pods.ready('web')
      const mounts = [
        { name: 'told', mountPath: '/told' },
        { name: 'shared', mountPath: '/shared' },
      ]
      await pods.create('boxed', {
        runtimeClassName: 'kata-vm-isolation',
        initContainers: [
          { name: 'first', image: busybox, command: ['sh', '-c', 'cp /told/word /shared/word'], volumeMounts: mounts },
        ],
        containers: [
          {
            name: 'main',
            image: busybox,
            command: [
              'sh',
              '-c',
              `dmesg | head -1; cat /shared/word; nslookup kubernetes.default.svc.cluster.local; wget -q -O - http://${web.status!.podIP}:8080/hostname; echo; echo ready; ${sleepForever}`,
            ],
            volumeMounts: mounts,
            resources: { limits: { memory: '64Mi' } },
          },
          {
            name: 'beside',
            image: busybox,
            command: ['sh', '-c', 'httpd -f -p 8081 -h /shared'],
            volumeMounts: mounts,
          },
        ],
        volumes: [
          { name: 'told', configMap: { name: 'told' } },
          { name: 'shared', emptyDir: {} },
        ],
      })
      const boxed = await pods.running('boxed')
      assert.deepEqual(boxed.spec!.overhead, { memory: '600Mi' })
      assert.match(boxed.spec!.nodeName!, /^aks-kata-/)
      const said = await pods.logHolds('boxed', /\nready\n/, 'main')
      assert.match(said, /Starting gVisor/)
      assert.match(said, /hello/)
      assert.match(said, /Address.*10\.0\.0\.1\b/)
      assert.match(said, /web\n/)
      const release = (await pods.exec('boxed', ['uname', '-r'], 'main')).trim()
      assert.notEqual(release, (await core.readNode({ name: boxed.spec!.nodeName! })).status!.nodeInfo!.kernelVersion)
      // One container is reached through the other's network, and the pod from outside.
      assert.equal(await pods.exec('boxed', ['wget', '-q', '-O', '-', 'http://127.0.0.1:8081/word'], 'main'), 'hello')
      const outside = ['wget', '-q', '-O', '-', `http://${boxed.status!.podIP}:8081/word`]
      assert.equal(await pods.exec('web', outside), 'hello')
      await using forward = aksel.start(['kubectl', '-n', namespace, 'port-forward', 'boxed', ':8081'])
      const port = /127\.0\.0\.1:(\d+)/.exec(await forward.says(/127\.0\.0\.1:\d+/, 30_000))![1]
      assert.equal(await (await fetch(`http://127.0.0.1:${port}/word`)).text(), 'hello')
      // An ordinary pod of the same node sees the host's kernel.
      await pods.create('plain', {
        nodeName: boxed.spec!.nodeName!,
        restartPolicy: 'Never',
        containers: [{ name: 'main', image: busybox, command: ['uname', '-r'] }],
      })
      await pods.succeeded('plain')
      assert.notEqual((await pods.log('plain')).trim(), release)
      // Ends are told with their codes, and nothing is left that holds the pod up.
      await pods.create('ends', {
        runtimeClassName: 'kata-vm-isolation',
        restartPolicy: 'Never',
        containers: [
          { name: 'one', image: busybox, command: ['sh', '-c', 'exit 3'] },
          { name: 'two', image: busybox, command: ['sh', '-c', 'sleep 1; exit 4'] },
        ],
      })
      const ended = await pods.until('ends', ({ status }) => status?.phase === 'Failed')
      const codes = ended.status!.containerStatuses!.map(({ state }) => state?.terminated?.exitCode)
      assert.deepEqual(codes, [3, 4])
      await pods.create('sized', {
        runtimeClassName: 'kata-vm-isolation',
        containers: [
          {
            name: 'main',
            image: busybox,
            stdin: true,
            command: ['sh', '-c', 'while read word; do echo "heard $word"; done; sleep 1000'],
            resources: { limits: { memory: '64Mi', cpu: '100m' } },
          },
        ],
      })
      const { uid } = (await pods.ready('sized')).metadata!
      await using attached = aksel.start(['kubectl', '-n', namespace, 'attach', '-i', 'sized'])
      attached.write('you\n')
      await attached.says(/heard you/)
      const limits = { memory: '128Mi', cpu: '200m' }
      const resize = JSON.stringify({
        spec: { containers: [{ name: 'main', resources: { limits, requests: limits } }] },
      })
      await aksel.kubectl(['-n', namespace, 'patch', 'pod', 'sized', '--subresource', 'resize', '-p', resize])
      const resized = await pods.until('sized', ({ status }) => {
        return status?.containerStatuses?.[0]?.resources?.limits?.['memory'] === limits.memory
      })
      assert.equal(resized.status!.containerStatuses![0]!.restartCount, 0)
      // What the sandbox itself needs comes on top, and all of it is in the pod's cgroup.
      const files = await Array.fromAsync(
        glob(`/sys/fs/cgroup/{memory/,}aksel-*/*/kubepods/pod${uid}/memory.{limit_in_bytes,max}`),
      )
      assert.equal(Number(await readFile(files[0]!, 'utf8')), 728 * 2 ** 20)
      for (const name of ['boxed', 'ends', 'plain', 'sized', 'web']) await pods.delete(name, 1)
      for (const name of ['boxed', 'ends', 'plain', 'sized', 'web']) await pods.gone(name)
    },
  )
})
