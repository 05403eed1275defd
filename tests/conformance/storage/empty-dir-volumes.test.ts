// emptyDir volumes in real containers: modes, owners and media; volumes beside each other, and single paths of them.

import assert from 'node:assert/strict'
import { after, before, suite, test } from 'node:test'
import type { V1Volume } from '@kubernetes/client-node'
import { sized } from '@aksel/testing/test-size'
import { agnhost, busybox, conformanceCluster, type ConformanceCluster } from '../cluster.ts'
import { registryOnNode } from '../image-registry.ts'
import { Objects, type AnyObject } from '../objects.ts'
import { fresh, podsIn, type Pods } from '../pods.ts'
import { readVolume } from './volume-pods.ts'

const deadline = { timeout: 120_000 }

void suite('emptyDir volumes', { concurrency: 4 }, () => {
  let cluster: ConformanceCluster
  let pods: Pods

  before(async () => {
    cluster = await conformanceCluster({ nodes: 'real', count: 1, agnhost: true })
    pods = await podsIn(cluster, 'emptydir')
  })
  after(() => cluster[Symbol.asyncDispose]())

  const volume = (medium: 'default' | 'tmpfs'): V1Volume => ({
    name: 'scratch',
    emptyDir: medium === 'tmpfs' ? { medium: 'Memory' } : {},
  })

  /** A new file keeps the mode it was made with, and its content can be read back. */
  const keeps = async (
    user: 'root' | 'non-root',
    mode: '0644' | '0666' | '0777',
    medium: 'default' | 'tmpfs',
  ): Promise<void> => {
    const path = '/etc/scratch/test-file'
    const letters = { '0644': '-rw-r--r--', '0666': '-rw-rw-rw-', '0777': '-rwxrwxrwx' }[mode]
    await readVolume(
      pods,
      {
        volumes: [volume(medium)],
        flags: [
          '--fs_type=/etc/scratch',
          `--new_file_${mode}=${path}`,
          `--file_perm=${path}`,
          `--file_content=${path}`,
        ],
        ...(user === 'root' ? {} : { security: { runAsUser: 1001 } }),
      },
      `perms of file "${path}": ${letters}`,
      `content of file "${path}": mount-tester new file`,
      ...(medium === 'tmpfs' ? ['mount type of "/etc/scratch": tmpfs'] : []),
    )
  }

  const hasMode = (medium: 'default' | 'tmpfs'): Promise<void> =>
    readVolume(
      pods,
      { volumes: [volume(medium)], flags: ['--fs_type=/etc/scratch', '--file_perm=/etc/scratch'] },
      'perms of file "/etc/scratch": -rwxrwxrwx',
      ...(medium === 'tmpfs' ? ['mount type of "/etc/scratch": tmpfs'] : []),
    )

  void test(
    '[sig-storage] EmptyDir volumes should support (non-root,0644,default) [LinuxOnly] [NodeConformance] [Conformance]',
    deadline,
    () => keeps('non-root', '0644', 'default'),
  )
  void test(
    '[sig-storage] EmptyDir volumes should support (non-root,0644,tmpfs) [LinuxOnly] [NodeConformance] [Conformance]',
    deadline,
    () => keeps('non-root', '0644', 'tmpfs'),
  )
  void test(
    '[sig-storage] EmptyDir volumes should support (non-root,0666,default) [LinuxOnly] [NodeConformance] [Conformance]',
    deadline,
    () => keeps('non-root', '0666', 'default'),
  )
  void test(
    '[sig-storage] EmptyDir volumes should support (non-root,0666,tmpfs) [LinuxOnly] [NodeConformance] [Conformance]',
    deadline,
    () => keeps('non-root', '0666', 'tmpfs'),
  )
  void test(
    '[sig-storage] EmptyDir volumes should support (non-root,0777,default) [LinuxOnly] [NodeConformance] [Conformance]',
    deadline,
    () => keeps('non-root', '0777', 'default'),
  )
  void test(
    '[sig-storage] EmptyDir volumes should support (non-root,0777,tmpfs) [LinuxOnly] [NodeConformance] [Conformance]',
    deadline,
    () => keeps('non-root', '0777', 'tmpfs'),
  )
  void test(
    '[sig-storage] EmptyDir volumes should support (root,0644,default) [LinuxOnly] [NodeConformance] [Conformance]',
    deadline,
    () => keeps('root', '0644', 'default'),
  )
  void test(
    '[sig-storage] EmptyDir volumes should support (root,0644,tmpfs) [LinuxOnly] [NodeConformance] [Conformance]',
    deadline,
    () => keeps('root', '0644', 'tmpfs'),
  )
  void test(
    '[sig-storage] EmptyDir volumes should support (root,0666,default) [LinuxOnly] [NodeConformance] [Conformance]',
    deadline,
    () => keeps('root', '0666', 'default'),
  )
  void test(
    '[sig-storage] EmptyDir volumes should support (root,0666,tmpfs) [LinuxOnly] [NodeConformance] [Conformance]',
    deadline,
    () => keeps('root', '0666', 'tmpfs'),
  )
  void test(
    '[sig-storage] EmptyDir volumes should support (root,0777,default) [LinuxOnly] [NodeConformance] [Conformance]',
    deadline,
    () => keeps('root', '0777', 'default'),
  )
  void test(
    '[sig-storage] EmptyDir volumes should support (root,0777,tmpfs) [LinuxOnly] [NodeConformance] [Conformance]',
    deadline,
    () => keeps('root', '0777', 'tmpfs'),
  )
  void test(
    '[sig-storage] EmptyDir volumes volume on default medium should have the correct mode [LinuxOnly] [NodeConformance] [Conformance]',
    deadline,
    () => hasMode('default'),
  )
  void test(
    '[sig-storage] EmptyDir volumes volume on tmpfs should have the correct mode [LinuxOnly] [NodeConformance] [Conformance]',
    deadline,
    () => hasMode('tmpfs'),
  )
  void test(
    '[sig-storage] EmptyDir volumes pod should support shared volumes between containers [Conformance]',
    deadline,
    async () => {
      const name = fresh('pod-shared')
      const mount = { name: 'scratch', mountPath: '/usr/share/volumeshare' }
      const message = 'Hello from the busy-box sub-container'
      await pods.create(name, {
        containers: [
          { name: 'main', image: busybox, command: ['sleep', '3600'], volumeMounts: [mount] },
          {
            name: 'sub',
            image: busybox,
            command: ['sh', '-c', `echo '${message}' > /usr/share/volumeshare/shareddata.txt && sleep 3600`],
            volumeMounts: [mount],
          },
        ],
        volumes: [volume('default')],
      })
      await pods.ready(name)
      const read = [
        'sh',
        '-c',
        'until [ -s /usr/share/volumeshare/shareddata.txt ]; do :; done; cat /usr/share/volumeshare/shareddata.txt',
      ]
      assert.equal((await pods.exec(name, read, 'main')).trim(), message)
      await pods.delete(name)
    },
  )

  void test('[sig-storage] EmptyDir wrapper volumes should not conflict [Conformance]', deadline, async () => {
    const name = fresh('wrapped')
    const { namespace } = pods
    await cluster.core.createNamespacedSecret({
      namespace,
      body: { metadata: { name }, stringData: { 'data-1': 'value-1' } },
    })
    await cluster.core.createNamespacedConfigMap({
      namespace,
      body: { metadata: { name }, data: { 'data-1': 'value-1' } },
    })
    const mount = (volume: string): { name: string; mountPath: string; readOnly: true } => ({
      name: volume,
      mountPath: `/etc/${volume}`,
      readOnly: true,
    })
    await pods.create(name, {
      volumes: [
        { name: 'secret-volume', secret: { secretName: name } },
        { name: 'configmap-volume', configMap: { name } },
      ],
      containers: [
        { name: 'secret-test', image: agnhost, volumeMounts: [mount('secret-volume'), mount('configmap-volume')] },
      ],
    })
    await pods.ready(name)
    await pods.delete(name)
  })

  void test(
    '[sig-storage] EmptyDir wrapper volumes should not cause race condition when used for configmaps [Serial] [Conformance]',
    deadline,
    async () => {
      const own = await podsIn(cluster, 'wrapped-race')
      const { namespace } = own
      const names = Array.from({ length: 50 }, (_, index) => `racey-configmap-${index}`)
      const data = { 'data-1': 'value-1' }
      for (const name of names)
        await cluster.core.createNamespacedConfigMap({ namespace, body: { metadata: { name }, data } })
      const controllers = new Objects(cluster, 'v1', 'replicationcontrollers', namespace)
      const all = new Objects(cluster, 'v1', 'pods', namespace)
      for (let round = 0; round < 3; round += 1) {
        const name = fresh('wrapped-volume-race')
        const container = {
          name: 'test-container',
          image: busybox,
          command: ['sleep', '10000'],
          volumeMounts: names.map((each) => ({ name: each, mountPath: `/etc/${each}` })),
        }
        const volumes = names.map((each) => ({ name: each, configMap: { name: each } }))
        const spec = { terminationGracePeriodSeconds: 0, volumes, containers: [container] }
        await controllers.create({
          metadata: { name },
          spec: { replicas: 5, selector: { name }, template: { metadata: { labels: { name } }, spec } },
        })
        const isRunning = ({ status }: AnyObject): boolean => status.phase === 'Running'
        await all.listed({}, (found) => found.length === 5 && found.every(isRunning), 60_000)
        // By itself the deletion of a replication controller leaves its pods.
        await cluster.core.deleteNamespacedReplicationController({ namespace, name, propagationPolicy: 'Background' })
        await all.listed({}, (found) => found.length === 0, 60_000)
      }
    },
  )

  /** A container sees one path of a volume, as a file, at its mount's place. */
  async function readsSubpath(
    content: string,
    subPath: string,
    source: (name: string) => Omit<V1Volume, 'name'>,
    mountPath = '/test-volume',
  ): Promise<void> {
    const name = fresh('pod-subpath-test')
    const { namespace } = pods
    await cluster.core.createNamespacedSecret({
      namespace,
      body: { metadata: { name }, stringData: { 'secret-key': 'secret-value' } },
    })
    await cluster.core.createNamespacedConfigMap({
      namespace,
      body: { metadata: { name }, data: { 'configmap-key': 'configmap-value' } },
    })
    const seconds = sized({ gate: 2, full: 20 })
    const output = await pods.output(
      name,
      {
        image: agnhost,
        args: ['mounttest', `--file_content_in_loop=${mountPath}`, `--retry_time=${seconds}`],
        securityContext: { privileged: true },
        volumeMounts: [{ name: 'test-volume', mountPath, subPath }],
      },
      { volumes: [{ name: 'test-volume', ...source(name) }] },
    )
    assert.ok(output.includes(`content of file "${mountPath}": ${content || name}`), output)
  }

  const configMap = (name: string): Omit<V1Volume, 'name'> => ({ configMap: { name } })
  void test(
    '[sig-storage] Subpath Atomic writer volumes should support subpaths with secret pod [Conformance]',
    deadline,
    () => readsSubpath('secret-value', 'secret-key', (secretName) => ({ secret: { secretName } })),
  )
  void test(
    '[sig-storage] Subpath Atomic writer volumes should support subpaths with configmap pod [Conformance]',
    deadline,
    () => readsSubpath('configmap-value', 'configmap-key', configMap),
  )
  void test(
    '[sig-storage] Subpath Atomic writer volumes should support subpaths with configmap pod with mountPath of existing file [Conformance]',
    deadline,
    () => readsSubpath('configmap-value', 'configmap-key', configMap, '/etc/resolv.conf'),
  )
  void test(
    '[sig-storage] Subpath Atomic writer volumes should support subpaths with downward pod [Conformance]',
    deadline,
    () => {
      const items = [{ path: 'downward/podname', fieldRef: { fieldPath: 'metadata.name' } }]
      return readsSubpath('', 'downward/podname', () => ({ downwardAPI: { items } }))
    },
  )
  void test(
    '[sig-storage] Subpath Atomic writer volumes should support subpaths with projected pod [Conformance]',
    deadline,
    () => {
      const items = [{ key: 'configmap-key', path: 'projected/configmap-key' }]
      return readsSubpath('configmap-value', 'projected/configmap-key', (name) => ({
        projected: { sources: [{ configMap: { name, items } }] },
      }))
    },
  )

  void test(
    '[sig-node] ImageVolume should succeed with pod and pull policy of Always [LinuxOnly] [MinimumKubeletVersion:1.35] [Conformance]',
    deadline,
    async () => {
      await using registry = await registryOnNode(pods, fresh('registry'), 5005)
      const name = fresh('image-volume')
      await pods.create(name, {
        containers: [
          {
            name: 'image-volume-test',
            image: busybox,
            command: ['sh', '-c', 'while :; do sleep 1; done'],
            volumeMounts: [{ name: 'volume', mountPath: '/volume' }],
          },
        ],
        volumes: [{ name: 'volume', image: { reference: registry.image, pullPolicy: 'Always' } }],
      })
      await pods.running(name)
      assert.match(await pods.exec(name, ['/bin/cat', '/volume/data.json']), /kitten\.jpg/)
      assert.match(await pods.exec(name, ['/bin/cat', '/volume/etc/os-release']), /Aksel kitten/)
      await pods.delete(name)
    },
  )
})
