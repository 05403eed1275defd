// The downward API as files in real containers, by a volume of its own kind and by a projected one.

import assert from 'node:assert/strict'
import { after, before, suite, test } from 'node:test'
import type { V1DownwardAPIVolumeFile, V1Volume } from '@kubernetes/client-node'
import { conformanceCluster, type ConformanceCluster } from '../cluster.ts'
import { changed, fresh, podsIn, type Pods } from '../pods.ts'
import { followFiles, readVolume } from './volume-pods.ts'

const deadline = { timeout: 120_000 }

type VolumeOf = (items: V1DownwardAPIVolumeFile[], defaultMode?: number) => V1Volume

const own: VolumeOf = (items, defaultMode) => ({
  name: 'podinfo',
  downwardAPI: { items, ...(defaultMode === undefined ? {} : { defaultMode }) },
})
const projected: VolumeOf = (items, defaultMode) => ({
  name: 'podinfo',
  projected: { sources: [{ downwardAPI: { items } }], ...(defaultMode === undefined ? {} : { defaultMode }) },
})

const field = (path: string, fieldPath: string, mode?: number): V1DownwardAPIVolumeFile => ({
  path,
  fieldRef: { fieldPath },
  ...(mode === undefined ? {} : { mode }),
})
const resource = (path: string, name: string, divisor?: string): V1DownwardAPIVolumeFile => ({
  path,
  resourceFieldRef: { containerName: 'test', resource: name, ...(divisor === undefined ? {} : { divisor }) },
})

const resources = { requests: { cpu: '250m', memory: '32Mi' }, limits: { cpu: '1250m', memory: '64Mi' } }

void suite('downward API volumes', { concurrency: 4 }, () => {
  let cluster: ConformanceCluster
  let pods: Pods

  before(async () => {
    cluster = await conformanceCluster({ nodes: 'real', count: 1, agnhost: true })
    pods = await podsIn(cluster, 'downward')
  })
  after(() => cluster[Symbol.asyncDispose]())

  const reads = (volume: V1Volume, path: string, expected: string): Promise<void> =>
    readVolume(
      pods,
      { volumes: [volume], flags: [`--file_content=/etc/podinfo/${path}`], resources },
      `content of file "/etc/podinfo/${path}": ${expected}\n`,
    )

  const podName = async (volumeOf: VolumeOf): Promise<void> => {
    const path = '/etc/podinfo/podname'
    await readVolume(
      pods,
      { volumes: [volumeOf([field('podname', 'metadata.name')])], flags: [`--file_content=${path}`] },
      /content of file "\/etc\/podinfo\/podname": pod-volumes-\d+\n/,
    )
  }

  const hasMode = (volume: V1Volume): Promise<void> =>
    readVolume(
      pods,
      { volumes: [volume], flags: ['--file_mode=/etc/podinfo/podname'] },
      'mode of file "/etc/podinfo/podname": -r--------',
    )

  /** What a container without a limit of its own may use: all that the node has to give. */
  const nodeGives = async (volumeOf: VolumeOf, name: 'cpu' | 'memory'): Promise<void> => {
    const { items } = await cluster.core.listNode()
    const given = items[0]!.status!.allocatable![name]!
    const expected = name === 'cpu' ? String(Math.ceil(milliOf(given))) : String(bytesOf(given))
    const divisor = name === 'cpu' ? '1m' : undefined
    const path = `/etc/podinfo/${name}_limit`
    await readVolume(
      pods,
      {
        volumes: [volumeOf([resource(`${name}_limit`, `limits.${name}`, divisor)])],
        flags: [`--file_content=${path}`],
      },
      `content of file "${path}": ${expected}\n`,
    )
  }

  const changeFollows = async (volumeOf: VolumeOf, kind: 'labels' | 'annotations'): Promise<void> => {
    const name = await followFiles(
      pods,
      [volumeOf([field(kind, `metadata.${kind}`)])],
      { reader: `/etc/podinfo/${kind}` },
      { [kind]: { key1: 'value1', key2: 'value2' } },
    )
    await pods.logHolds(name, /key1="value1"\nkey2="value2"\n/)
    const present = await cluster.core.readNamespacedPod({ namespace: pods.namespace, name })
    const metadata = changed(present.metadata!, { [kind]: { ...present.metadata![kind], key3: 'value3' } })
    await cluster.core.replaceNamespacedPod({ namespace: pods.namespace, name, body: changed(present, { metadata }) })
    await pods.logHolds(name, /key3="value3"\n/)
    await pods.delete(name)
  }

  void test(
    "[sig-storage] Downward API volume should provide container's cpu limit [NodeConformance] [Conformance]",
    deadline,
    () => reads(own([resource('cpu_limit', 'limits.cpu')]), 'cpu_limit', '2'),
  )
  void test(
    "[sig-storage] Downward API volume should provide container's cpu request [NodeConformance] [Conformance]",
    deadline,
    () => reads(own([resource('cpu_request', 'requests.cpu')]), 'cpu_request', '1'),
  )
  void test(
    "[sig-storage] Downward API volume should provide container's memory limit [NodeConformance] [Conformance]",
    deadline,
    () => reads(own([resource('memory_limit', 'limits.memory')]), 'memory_limit', '67108864'),
  )
  void test(
    "[sig-storage] Downward API volume should provide container's memory request [NodeConformance] [Conformance]",
    deadline,
    () => reads(own([resource('memory_request', 'requests.memory')]), 'memory_request', '33554432'),
  )
  void test(
    '[sig-storage] Downward API volume should provide node allocatable (cpu) as default cpu limit if the limit is not set [NodeConformance] [Conformance]',
    deadline,
    () => nodeGives(own, 'cpu'),
  )
  void test(
    '[sig-storage] Downward API volume should provide node allocatable (memory) as default memory limit if the limit is not set [NodeConformance] [Conformance]',
    deadline,
    () => nodeGives(own, 'memory'),
  )
  void test(
    '[sig-storage] Downward API volume should provide podname only [NodeConformance] [Conformance]',
    deadline,
    () => podName(own),
  )
  void test(
    '[sig-storage] Downward API volume should set DefaultMode on files [LinuxOnly] [NodeConformance] [Conformance]',
    deadline,
    () => hasMode(own([field('podname', 'metadata.name')], 0o400)),
  )
  void test(
    '[sig-storage] Downward API volume should set mode on item file [LinuxOnly] [NodeConformance] [Conformance]',
    deadline,
    () => hasMode(own([field('podname', 'metadata.name', 0o400)])),
  )
  void test(
    '[sig-storage] Downward API volume should update annotations on modification [NodeConformance] [Conformance]',
    deadline,
    () => changeFollows(own, 'annotations'),
  )
  void test(
    '[sig-storage] Downward API volume should update labels on modification [NodeConformance] [Conformance]',
    deadline,
    () => changeFollows(own, 'labels'),
  )

  void test(
    "[sig-storage] Projected downwardAPI should provide container's cpu limit [NodeConformance] [Conformance]",
    deadline,
    () => reads(projected([resource('cpu_limit', 'limits.cpu')]), 'cpu_limit', '2'),
  )
  void test(
    "[sig-storage] Projected downwardAPI should provide container's cpu request [NodeConformance] [Conformance]",
    deadline,
    () => reads(projected([resource('cpu_request', 'requests.cpu')]), 'cpu_request', '1'),
  )
  void test(
    "[sig-storage] Projected downwardAPI should provide container's memory limit [NodeConformance] [Conformance]",
    deadline,
    () => reads(projected([resource('memory_limit', 'limits.memory')]), 'memory_limit', '67108864'),
  )
  void test(
    "[sig-storage] Projected downwardAPI should provide container's memory request [NodeConformance] [Conformance]",
    deadline,
    () => reads(projected([resource('memory_request', 'requests.memory')]), 'memory_request', '33554432'),
  )
  void test(
    '[sig-storage] Projected downwardAPI should provide node allocatable (cpu) as default cpu limit if the limit is not set [NodeConformance] [Conformance]',
    deadline,
    () => nodeGives(projected, 'cpu'),
  )
  void test(
    '[sig-storage] Projected downwardAPI should provide node allocatable (memory) as default memory limit if the limit is not set [NodeConformance] [Conformance]',
    deadline,
    () => nodeGives(projected, 'memory'),
  )
  void test(
    '[sig-storage] Projected downwardAPI should provide podname only [NodeConformance] [Conformance]',
    deadline,
    () => podName(projected),
  )
  void test(
    '[sig-storage] Projected downwardAPI should set DefaultMode on files [LinuxOnly] [NodeConformance] [Conformance]',
    deadline,
    () => hasMode(projected([field('podname', 'metadata.name')], 0o400)),
  )
  void test(
    '[sig-storage] Projected downwardAPI should set mode on item file [LinuxOnly] [NodeConformance] [Conformance]',
    deadline,
    () => hasMode(projected([field('podname', 'metadata.name', 0o400)])),
  )
  void test(
    '[sig-storage] Projected downwardAPI should update annotations on modification [NodeConformance] [Conformance]',
    deadline,
    () => changeFollows(projected, 'annotations'),
  )
  void test(
    '[sig-storage] Projected downwardAPI should update labels on modification [NodeConformance] [Conformance]',
    deadline,
    () => changeFollows(projected, 'labels'),
  )

  void test(
    '[sig-storage] Projected combined should project all components that make up the projection API [Projection] [NodeConformance] [Conformance]',
    deadline,
    async () => {
      const [configMap, secret] = [fresh('config'), fresh('secret')]
      const { namespace } = pods
      await cluster.core.createNamespacedConfigMap({
        namespace,
        body: { metadata: { name: configMap }, data: { 'configmap-data': 'configmap-value-1' } },
      })
      await cluster.core.createNamespacedSecret({
        namespace,
        body: { metadata: { name: secret }, stringData: { 'secret-data': 'secret-value-1' } },
      })
      const name = fresh('projected-all')
      const sources = [
        { secret: { name: secret, items: [{ key: 'secret-data', path: 'secret-data' }] } },
        { configMap: { name: configMap, items: [{ key: 'configmap-data', path: 'configmap-data' }] } },
        { downwardAPI: { items: [field('podname', 'metadata.name')] } },
      ]
      await pods.create(name, {
        restartPolicy: 'Never',
        containers: [
          {
            name: 'test',
            image: 'docker.io/library/busybox:1.36',
            command: ['sh', '-c', 'cat /all/podname; echo; cat /all/secret-data; echo; cat /all/configmap-data'],
            volumeMounts: [{ name: 'all', mountPath: '/all', readOnly: true }],
          },
        ],
        volumes: [{ name: 'all', projected: { sources } }],
      })
      await pods.succeeded(name)
      assert.equal(await pods.log(name), `${name}\nsecret-value-1\nconfigmap-value-1`)
    },
  )
})

function milliOf(cpu: string): number {
  return cpu.endsWith('m') ? Number(cpu.slice(0, -1)) : Number(cpu) * 1000
}

function bytesOf(memory: string): number {
  const units: Readonly<Record<string, number>> = { Ki: 1024, Mi: 1024 ** 2, Gi: 1024 ** 3 }
  const [, amount, unit = ''] = /^(\d+)(\w*)$/.exec(memory)!
  return Number(amount) * (units[unit] ?? 1)
}
