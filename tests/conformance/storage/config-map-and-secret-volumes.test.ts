// ConfigMaps and Secrets as files in real containers, by volumes of their own kinds and by projected ones.

import assert from 'node:assert/strict'
import { after, before, suite, test } from 'node:test'
import { ApiException, type V1Volume } from '@kubernetes/client-node'
import { agnhost, conformanceCluster, type ConformanceCluster } from '../cluster.ts'
import { changed, fresh, podsIn, type Pods } from '../pods.ts'
import {
  configMapVolume,
  followFiles,
  nonRoot,
  projectedConfigMap,
  projectedSecret,
  readVolume,
  secretVolume,
  type Choice,
  type VolumeOf,
} from './volume-pods.ts'

const deadline = { timeout: 180_000 }
const data = { 'data-1': 'value-1', 'data-2': 'value-2', 'data-3': 'value-3' }
const mapped = { key: 'data-2', path: 'path/to/data-2' }

void suite('volumes of ConfigMaps and Secrets', { concurrency: 4 }, () => {
  let cluster: ConformanceCluster
  let pods: Pods

  before(async () => {
    cluster = await conformanceCluster({ nodes: 'real', count: 1, agnhost: true })
    pods = await podsIn(cluster, 'volumes')
  })
  after(() => cluster[Symbol.asyncDispose]())

  const namespaced = () => ({ namespace: pods.namespace })

  /** A ConfigMap or Secret with the test's data, whichever the volume is of. */
  const sourceFor = async (volumeOf: VolumeOf, content: Record<string, string> = data, name = fresh('source')) => {
    const body = { metadata: { name } }
    if (isSecret(volumeOf))
      await cluster.core.createNamespacedSecret({ ...namespaced(), body: { ...body, stringData: content } })
    else await cluster.core.createNamespacedConfigMap({ ...namespaced(), body: { ...body, data: content } })
    return name
  }
  const isSecret = (volumeOf: VolumeOf): boolean => volumeOf === secretVolume || volumeOf === projectedSecret

  /** Reads one file of the source through a volume. */
  const reads = async (
    volumeOf: VolumeOf,
    how: { readonly choice?: Choice; readonly path?: string; readonly mode?: string; readonly user?: object },
  ): Promise<void> => {
    const volume = volumeOf(await sourceFor(volumeOf), how.choice)
    const path = `/etc/volume/${how.path ?? 'data-1'}`
    const value = how.path === undefined ? 'value-1' : 'value-2'
    const flags = [`--file_content=${path}`, ...(how.mode === undefined ? [] : [`--file_mode=${path}`])]
    const modes = how.mode === undefined ? [] : [`mode of file "${path}": ${how.mode}`]
    await readVolume(
      pods,
      { volumes: [volume], flags, ...(how.user === undefined ? {} : { security: how.user }) },
      `content of file "${path}": ${value}`,
      ...modes,
    )
  }

  const inTwoVolumes = async (volumeOf: VolumeOf): Promise<void> => {
    const name = await sourceFor(volumeOf)
    const second: V1Volume = changed(volumeOf(name), { name: 'volume-2' })
    const flags = ['--file_content=/etc/volume/data-1', '--file_content=/etc/volume-2/data-1']
    await readVolume(
      pods,
      { volumes: [volumeOf(name), second], flags },
      'content of file "/etc/volume/data-1": value-1',
      'content of file "/etc/volume-2/data-1": value-1',
    )
  }

  /** Sets the content of a source, or takes it away. */
  const put = async (volumeOf: VolumeOf, name: string, content: Record<string, string> | undefined): Promise<void> => {
    const at = { ...namespaced(), name }
    const body = { metadata: { name } }
    if (content === undefined) {
      await (isSecret(volumeOf) ? cluster.core.deleteNamespacedSecret(at) : cluster.core.deleteNamespacedConfigMap(at))
      return
    }
    const text = isSecret(volumeOf) ? { stringData: content } : { data: content }
    const exists = await (
      isSecret(volumeOf) ? cluster.core.readNamespacedSecret(at) : cluster.core.readNamespacedConfigMap(at)
    ).then(
      () => true,
      () => false,
    )
    if (!exists) await sourceFor(volumeOf, content, name)
    else if (isSecret(volumeOf)) await cluster.core.replaceNamespacedSecret({ ...at, body: { ...body, ...text } })
    else await cluster.core.replaceNamespacedConfigMap({ ...at, body: { ...body, ...text } })
  }

  /** One source is deleted, one changed and one made while a pod follows them: the volumes follow too. */
  const optionalsFollow = async (volumeOf: VolumeOf): Promise<void> => {
    const [deleted, updated] = [await sourceFor(volumeOf), await sourceFor(volumeOf)]
    const created = fresh('source')
    const named = (volume: string, source: string): V1Volume =>
      changed(volumeOf(source, { optional: true }), { name: volume })
    const pod = await followFiles(
      pods,
      [named('deleted', deleted), named('updated', updated), named('created', created)],
      { deleted: '/etc/deleted/data-1', updated: '/etc/updated/data-3', created: '/etc/created/data-1' },
    )
    await pods.logHolds(pod, /content of file "\/etc\/deleted\/data-1": value-1/, 'deleted')
    await pods.logHolds(pod, /error reading file content for "\/etc\/created\/data-1"/, 'created')
    await put(volumeOf, deleted, undefined)
    await put(volumeOf, updated, { 'data-3': 'value-4' })
    await put(volumeOf, created, data)
    await pods.logHolds(pod, /content of file "\/etc\/created\/data-1": value-1/, 'created')
    await pods.logHolds(pod, /content of file "\/etc\/updated\/data-3": value-4/, 'updated')
    await pods.logHolds(pod, /error reading file content for "\/etc\/deleted\/data-1": open/, 'deleted')
    await pods.delete(pod)
  }

  const updateFollows = async (volumeOf: VolumeOf): Promise<void> => {
    const name = await sourceFor(volumeOf)
    const pod = await followFiles(pods, [volumeOf(name)], { reader: '/etc/volume/data-1' })
    await pods.logHolds(pod, /value-1/)
    await put(volumeOf, name, { 'data-1': 'value-2' })
    await pods.logHolds(pod, /content of file "\/etc\/volume\/data-1": value-2/)
    await pods.delete(pod)
  }

  const isRefused = (change: Promise<unknown>): Promise<void> =>
    assert.rejects(change, (error) => {
      assert.ok(error instanceof ApiException)
      assert.equal(error.code, 422)
      assert.match(String(error.body), /field is immutable when `immutable` is set/)
      return true
    })

  void test(
    '[sig-storage] ConfigMap should be consumable from pods in volume [NodeConformance] [Conformance]',
    deadline,
    () => reads(configMapVolume, {}),
  )
  void test(
    '[sig-storage] ConfigMap should be consumable from pods in volume as non-root [NodeConformance] [Conformance]',
    deadline,
    () => reads(configMapVolume, { user: nonRoot }),
  )
  void test(
    '[sig-storage] ConfigMap should be consumable from pods in volume with defaultMode set [LinuxOnly] [NodeConformance] [Conformance]',
    deadline,
    () => reads(configMapVolume, { choice: { defaultMode: 0o400 }, mode: '-r--------' }),
  )
  void test(
    '[sig-storage] ConfigMap should be consumable from pods in volume with mappings [NodeConformance] [Conformance]',
    deadline,
    () => reads(configMapVolume, { choice: { items: [mapped] }, path: mapped.path }),
  )
  void test(
    '[sig-storage] ConfigMap should be consumable from pods in volume with mappings and Item mode set [LinuxOnly] [NodeConformance] [Conformance]',
    deadline,
    () =>
      reads(configMapVolume, {
        choice: { items: [{ ...mapped, mode: 0o400 }] },
        path: mapped.path,
        mode: '-r--------',
      }),
  )
  void test(
    '[sig-storage] ConfigMap should be consumable from pods in volume with mappings as non-root [NodeConformance] [Conformance]',
    deadline,
    () => reads(configMapVolume, { choice: { items: [mapped] }, path: mapped.path, user: nonRoot }),
  )
  void test(
    '[sig-storage] ConfigMap should be consumable in multiple volumes in the same pod [NodeConformance] [Conformance]',
    deadline,
    () => inTwoVolumes(configMapVolume),
  )
  void test(
    '[sig-storage] ConfigMap optional updates should be reflected in volume [NodeConformance] [Conformance]',
    deadline,
    () => optionalsFollow(configMapVolume),
  )
  void test(
    '[sig-storage] ConfigMap updates should be reflected in volume [NodeConformance] [Conformance]',
    deadline,
    () => updateFollows(configMapVolume),
  )
  void test(
    '[sig-storage] ConfigMap binary data should be reflected in volume [NodeConformance] [Conformance]',
    deadline,
    async () => {
      const name = fresh('source')
      const bytes = Buffer.from([0xde, 0xca, 0xfe, 0xba, 0xd0, 0xfe, 0xff])
      await cluster.core.createNamespacedConfigMap({
        ...namespaced(),
        body: {
          metadata: { name },
          data: { 'data-1': 'value-1' },
          binaryData: { 'dump.bin': bytes.toString('base64') },
        },
      })
      const text = await pods.output(
        fresh('pod-binary'),
        {
          image: agnhost,
          command: ['sh', '-c', 'cat /etc/volume/data-1; echo; hexdump -e \'1/1 "%02x"\' /etc/volume/dump.bin'],
          volumeMounts: [{ name: 'volume', mountPath: '/etc/volume' }],
        },
        { volumes: [configMapVolume(name)] },
      )
      assert.equal(text, 'value-1\ndecafebad0feff')
    },
  )
  void test(
    '[sig-storage] ConfigMap should be immutable if `immutable` field is set [Conformance]',
    deadline,
    async () => {
      const name = await sourceFor(configMapVolume)
      const at = { ...namespaced(), name }
      const present = await cluster.core.readNamespacedConfigMap(at)
      const second = await cluster.core.replaceNamespacedConfigMap({
        ...at,
        body: changed(present, { data: { 'data-4': 'value-4' } }),
      })
      const fixed = await cluster.core.replaceNamespacedConfigMap({ ...at, body: changed(second, { immutable: true }) })
      await isRefused(
        cluster.core.replaceNamespacedConfigMap({
          ...at,
          body: changed(fixed, { data: { ...fixed.data, 'data-5': 'value-5' } }),
        }),
      )
      const unmarked = changed(fixed, { immutable: undefined })
      await isRefused(cluster.core.replaceNamespacedConfigMap({ ...at, body: unmarked }))
      const labelled = await cluster.core.replaceNamespacedConfigMap({
        ...at,
        body: changed(fixed, { metadata: changed(fixed.metadata!, { labels: { label1: 'value1' } }) }),
      })
      assert.equal(labelled.metadata?.labels?.['label1'], 'value1')
      await cluster.core.deleteNamespacedConfigMap(at)
    },
  )

  void test(
    '[sig-storage] Projected configMap should be consumable from pods in volume [NodeConformance] [Conformance]',
    deadline,
    () => reads(projectedConfigMap, {}),
  )
  void test(
    '[sig-storage] Projected configMap should be consumable from pods in volume as non-root [NodeConformance] [Conformance]',
    deadline,
    () => reads(projectedConfigMap, { user: nonRoot }),
  )
  void test(
    '[sig-storage] Projected configMap should be consumable from pods in volume with defaultMode set [LinuxOnly] [NodeConformance] [Conformance]',
    deadline,
    () => reads(projectedConfigMap, { choice: { defaultMode: 0o400 }, mode: '-r--------' }),
  )
  void test(
    '[sig-storage] Projected configMap should be consumable from pods in volume with mappings [NodeConformance] [Conformance]',
    deadline,
    () => reads(projectedConfigMap, { choice: { items: [mapped] }, path: mapped.path }),
  )
  void test(
    '[sig-storage] Projected configMap should be consumable from pods in volume with mappings and Item mode set [LinuxOnly] [NodeConformance] [Conformance]',
    deadline,
    () =>
      reads(projectedConfigMap, {
        choice: { items: [{ ...mapped, mode: 0o400 }] },
        path: mapped.path,
        mode: '-r--------',
      }),
  )
  void test(
    '[sig-storage] Projected configMap should be consumable from pods in volume with mappings as non-root [NodeConformance] [Conformance]',
    deadline,
    () => reads(projectedConfigMap, { choice: { items: [mapped] }, path: mapped.path, user: nonRoot }),
  )
  void test(
    '[sig-storage] Projected configMap should be consumable in multiple volumes in the same pod [NodeConformance] [Conformance]',
    deadline,
    () => inTwoVolumes(projectedConfigMap),
  )
  void test(
    '[sig-storage] Projected configMap optional updates should be reflected in volume [NodeConformance] [Conformance]',
    deadline,
    () => optionalsFollow(projectedConfigMap),
  )
  void test(
    '[sig-storage] Projected configMap updates should be reflected in volume [NodeConformance] [Conformance]',
    deadline,
    () => updateFollows(projectedConfigMap),
  )

  void test(
    '[sig-storage] Projected secret should be consumable from pods in volume [NodeConformance] [Conformance]',
    deadline,
    () => reads(projectedSecret, { mode: '-rw-r--r--' }),
  )
  void test(
    '[sig-storage] Projected secret should be consumable from pods in volume as non-root with defaultMode and fsGroup set [LinuxOnly] [NodeConformance] [Conformance]',
    deadline,
    () =>
      reads(projectedSecret, {
        choice: { defaultMode: 0o440 },
        mode: '-r--r-----',
        user: { runAsUser: 1000, fsGroup: 1001 },
      }),
  )
  void test(
    '[sig-storage] Projected secret should be consumable from pods in volume with defaultMode set [LinuxOnly] [NodeConformance] [Conformance]',
    deadline,
    () => reads(projectedSecret, { choice: { defaultMode: 0o400 }, mode: '-r--------' }),
  )
  void test(
    '[sig-storage] Projected secret should be consumable from pods in volume with mappings [NodeConformance] [Conformance]',
    deadline,
    () => reads(projectedSecret, { choice: { items: [mapped] }, path: mapped.path, mode: '-rw-r--r--' }),
  )
  void test(
    '[sig-storage] Projected secret should be consumable from pods in volume with mappings and Item Mode set [LinuxOnly] [NodeConformance] [Conformance]',
    deadline,
    () =>
      reads(projectedSecret, {
        choice: { items: [{ ...mapped, mode: 0o400 }] },
        path: mapped.path,
        mode: '-r--------',
      }),
  )
  void test(
    '[sig-storage] Projected secret should be consumable in multiple volumes in a pod [NodeConformance] [Conformance]',
    deadline,
    () => inTwoVolumes(projectedSecret),
  )
  void test(
    '[sig-storage] Projected secret optional updates should be reflected in volume [NodeConformance] [Conformance]',
    deadline,
    () => optionalsFollow(projectedSecret),
  )

  void test(
    '[sig-storage] Secrets should be consumable from pods in volume [NodeConformance] [Conformance]',
    deadline,
    () => reads(secretVolume, { mode: '-rw-r--r--' }),
  )
  void test(
    '[sig-storage] Secrets should be consumable from pods in volume as non-root with defaultMode and fsGroup set [LinuxOnly] [NodeConformance] [Conformance]',
    deadline,
    () =>
      reads(secretVolume, {
        choice: { defaultMode: 0o440 },
        mode: '-r--r-----',
        user: { runAsUser: 1000, fsGroup: 1001 },
      }),
  )
  void test(
    '[sig-storage] Secrets should be consumable from pods in volume with defaultMode set [LinuxOnly] [NodeConformance] [Conformance]',
    deadline,
    () => reads(secretVolume, { choice: { defaultMode: 0o400 }, mode: '-r--------' }),
  )
  void test(
    '[sig-storage] Secrets should be consumable from pods in volume with mappings [NodeConformance] [Conformance]',
    deadline,
    () => reads(secretVolume, { choice: { items: [mapped] }, path: mapped.path, mode: '-rw-r--r--' }),
  )
  void test(
    '[sig-storage] Secrets should be consumable from pods in volume with mappings and Item Mode set [LinuxOnly] [NodeConformance] [Conformance]',
    deadline,
    () =>
      reads(secretVolume, { choice: { items: [{ ...mapped, mode: 0o400 }] }, path: mapped.path, mode: '-r--------' }),
  )
  void test(
    '[sig-storage] Secrets should be consumable in multiple volumes in a pod [NodeConformance] [Conformance]',
    deadline,
    () => inTwoVolumes(secretVolume),
  )
  void test(
    '[sig-storage] Secrets optional updates should be reflected in volume [NodeConformance] [Conformance]',
    deadline,
    () => optionalsFollow(secretVolume),
  )
  void test(
    '[sig-storage] Secrets should be able to mount in a volume regardless of a different secret existing with same name in different namespace [NodeConformance] [Conformance]',
    deadline,
    async () => {
      const name = await sourceFor(secretVolume)
      const elsewhere = await cluster.namespace('secret-namespace')
      await cluster.core.createNamespacedSecret({
        namespace: elsewhere,
        body: {
          metadata: { name },
          stringData: { 'this-should-not-match-content-of-other-secret': 'similarly-this-should-not-match' },
        },
      })
      const path = '/etc/volume/data-1'
      await readVolume(
        pods,
        { volumes: [secretVolume(name)], flags: [`--file_content=${path}`, `--file_mode=${path}`] },
        `content of file "${path}": value-1`,
        `mode of file "${path}": -rw-r--r--`,
      )
    },
  )
  void test(
    '[sig-storage] Secrets should be immutable if `immutable` field is set [Conformance]',
    deadline,
    async () => {
      const name = await sourceFor(secretVolume)
      const at = { ...namespaced(), name }
      const present = await cluster.core.readNamespacedSecret(at)
      const second = await cluster.core.replaceNamespacedSecret({
        ...at,
        body: changed(present, { data: { 'data-4': 'dmFsdWUtNAo=' } }),
      })
      const fixed = await cluster.core.replaceNamespacedSecret({ ...at, body: changed(second, { immutable: true }) })
      await isRefused(
        cluster.core.replaceNamespacedSecret({
          ...at,
          body: changed(fixed, { data: { ...fixed.data, 'data-5': 'dmFsdWUtNQo=' } }),
        }),
      )
      const unmarked = changed(fixed, { immutable: undefined })
      await isRefused(cluster.core.replaceNamespacedSecret({ ...at, body: unmarked }))
      const labelled = await cluster.core.replaceNamespacedSecret({
        ...at,
        body: changed(fixed, { metadata: changed(fixed.metadata!, { labels: { label1: 'value1' } }) }),
      })
      assert.equal(labelled.metadata?.labels?.['label1'], 'value1')
      await cluster.core.deleteNamespacedSecret(at)
    },
  )
})
