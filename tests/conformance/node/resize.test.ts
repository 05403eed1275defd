// Resizes of running pods: the kernel's bounds follow the specification, and no container restarts for it.

import assert from 'node:assert/strict'
import { after, before, suite, test } from 'node:test'
import type { V1Container, V1Pod, V1ResourceRequirements } from '@kubernetes/client-node'
import { busybox, conformanceCluster, type ConformanceCluster } from '../cluster.ts'
import { changed, fresh, podsIn, type Pods } from '../pods.ts'

const deadline = { timeout: 180_000 }

/** `guaranteed('100m', '100Mi')`: requests and limits alike. */
const guaranteed = (cpu: string, memory: string): V1ResourceRequirements => ({
  requests: { cpu, memory },
  limits: { cpu, memory },
})
const mebibytes = (memory: string): number => Number(memory.replace('Mi', '')) * 1024 * 1024
const milli = (cpu: string): number => Number(cpu.replace('m', ''))

void suite('in-place resize', { concurrency: 4 }, () => {
  let cluster: ConformanceCluster
  let pods: Pods

  before(async () => {
    cluster = await conformanceCluster({ nodes: 'real', count: 1 })
    pods = await podsIn(cluster, 'resize')
  })
  after(() => cluster[Symbol.asyncDispose]())

  const containerOf = (name: string, resources: V1ResourceRequirements | undefined): V1Container => ({
    name,
    image: busybox,
    command: ['sleep', '3600'],
    ...(resources === undefined ? {} : { resources }),
  })
  const start = async (resources: readonly (V1ResourceRequirements | undefined)[]): Promise<string> => {
    const name = fresh('resized')
    await pods.create(name, { containers: resources.map((each, index) => containerOf(`c${index + 1}`, each)) })
    const pod = await pods.ready(name)
    await inForce(pod, resources)
    return name
  }

  /** The kernel's own figures, in either version of cgroups, as a container sees them. */
  const read = async (pod: string, container: string, files: readonly string[]): Promise<string> =>
    (
      await pods.exec(
        pod,
        ['sh', '-c', `cat ${files.map((file) => `/sys/fs/cgroup/${file}`).join(' ')} 2>/dev/null | head -1`],
        container,
      )
    ).trim()
  const inForce = async (pod: V1Pod, resources: readonly (V1ResourceRequirements | undefined)[]): Promise<void> => {
    const name = pod.metadata!.name!
    for (const [index, wanted] of resources.entries()) {
      const container = `c${index + 1}`
      const { limits, requests } = wanted ?? {}
      if (limits?.['memory'] !== undefined)
        assert.equal(
          await read(name, container, ['memory/memory.limit_in_bytes', 'memory.max']),
          String(mebibytes(limits['memory'])),
          container,
        )
      if (limits?.['cpu'] !== undefined) {
        const quota = await read(name, container, ['cpu/cpu.cfs_quota_us', 'cpu.max'])
        assert.equal(Number(quota.split(' ')[0]), Math.max(1000, milli(limits['cpu']) * 100), container)
      }
      const cpu = requests?.['cpu'] ?? limits?.['cpu']
      const shares = cpu === undefined ? 2 : Math.max(2, Math.floor((milli(cpu) * 1024) / 1000))
      const seen = await read(name, container, ['cpu/cpu.shares'])
      if (seen !== '') assert.equal(Number(seen), shares, container)
    }
  }

  const isDone =
    (resources: readonly (V1ResourceRequirements | undefined)[]) =>
    (pod: V1Pod): boolean => {
      const statuses = pod.status?.containerStatuses ?? []
      const told = resources.every((wanted, index) => {
        const own = statuses.find(({ name }) => name === `c${index + 1}`)
        return sorted(own?.resources ?? {}) === sorted(wanted ?? {})
      })
      const resizing = pod.status?.conditions?.some(({ type }) => type.startsWith('PodResize')) === true
      return told && !resizing && pod.status?.observedGeneration === pod.metadata?.generation
    }

  const finish = async (name: string, resources: readonly (V1ResourceRequirements | undefined)[]): Promise<void> => {
    const pod = await pods.until(name, isDone(resources))
    await inForce(pod, resources)
    for (const { restartCount } of pod.status!.containerStatuses!) assert.equal(restartCount, 0)
  }

  const patch = async (name: string, resources: readonly (V1ResourceRequirements | undefined)[]): Promise<void> => {
    const containers = resources.map((each, index) => ({ name: `c${index + 1}`, resources: each ?? {} }))
    await cluster.aksel.kubectl([
      '-n',
      pods.namespace,
      'patch',
      'pod',
      name,
      '--subresource=resize',
      '-p',
      JSON.stringify({ spec: { containers } }),
    ])
  }

  /** There, and back again. */
  const resizes = async (
    from: readonly (V1ResourceRequirements | undefined)[],
    to: readonly (V1ResourceRequirements | undefined)[],
    back = true,
  ): Promise<void> => {
    const name = await start(from)
    await patch(name, to)
    await finish(name, to)
    if (back) {
      await patch(name, from)
      await finish(name, from)
    }
    await pods.delete(name)
  }

  void test(
    '[sig-node] Pod InPlace Resize Container guaranteed pods with multiple containers 3 containers - increase cpu & mem on c1, c2, decrease cpu & mem on c3 - net increase [MinimumKubeletVersion:1.34] [Conformance]',
    deadline,
    () =>
      resizes(
        [guaranteed('30m', '35Mi'), guaranteed('30m', '35Mi'), guaranteed('30m', '35Mi')],
        [guaranteed('50m', '45Mi'), guaranteed('50m', '45Mi'), guaranteed('20m', '25Mi')],
      ),
  )
  void test(
    '[sig-node] Pod InPlace Resize Container guaranteed pods with multiple containers 3 containers - increase cpu & mem on c1, decrease cpu & mem on c2, c3 - net decrease [MinimumKubeletVersion:1.34] [Conformance]',
    deadline,
    () =>
      resizes(
        [guaranteed('30m', '35Mi'), guaranteed('30m', '35Mi'), guaranteed('30m', '35Mi')],
        [guaranteed('35m', '40Mi'), guaranteed('20m', '25Mi'), guaranteed('20m', '25Mi')],
      ),
  )
  void test(
    '[sig-node] Pod InPlace Resize Container guaranteed pods with multiple containers 3 containers - increase: CPU (c1,c3), memory (c2, c3) ; decrease: CPU (c2) [MinimumKubeletVersion:1.34] [Conformance]',
    deadline,
    () =>
      resizes(
        [guaranteed('30m', '35Mi'), guaranteed('30m', '35Mi'), guaranteed('30m', '35Mi')],
        [guaranteed('50m', '35Mi'), guaranteed('20m', '45Mi'), guaranteed('50m', '45Mi')],
      ),
  )
  void test(
    '[sig-node] Pod InPlace Resize Container burstable pods - extended 6 containers - various operations performed (including adding limits and requests) [MinimumKubeletVersion:1.34] [Conformance]',
    deadline,
    () =>
      resizes(
        [
          undefined,
          { requests: { cpu: '30m' } },
          { requests: { memory: '25Mi' } },
          { requests: { cpu: '30m', memory: '25Mi' }, limits: { cpu: '50m', memory: '35Mi' } },
          { requests: { cpu: '30m', memory: '25Mi' }, limits: { cpu: '50m', memory: '35Mi' } },
          { requests: { cpu: '30m', memory: '25Mi' }, limits: { cpu: '50m', memory: '35Mi' } },
        ],
        [
          { requests: { cpu: '30m', memory: '25Mi' } },
          { requests: { cpu: '30m' }, limits: { cpu: '50m' } },
          { requests: { memory: '25Mi' }, limits: { memory: '35Mi' } },
          { requests: { cpu: '20m', memory: '25Mi' }, limits: { cpu: '50m', memory: '45Mi' } },
          { requests: { cpu: '30m', memory: '20Mi' }, limits: { cpu: '60m', memory: '35Mi' } },
          { requests: { cpu: '40m', memory: '30Mi' }, limits: { cpu: '40m', memory: '45Mi' } },
        ],
        false,
      ),
  )
  void test(
    '[sig-node] Pod InPlace Resize Container burstable pods - extended resize with equivalents [MinimumKubeletVersion:1.34] [Conformance]',
    deadline,
    () =>
      resizes(
        [{ requests: { cpu: '2m' }, limits: { cpu: '10m' } }],
        [{ requests: { cpu: '1m' }, limits: { cpu: '5m' } }],
      ),
  )
  void test(
    '[sig-node] Pod InPlace Resize Container resize pod via the replace endpoint [MinimumKubeletVersion:1.34] [Conformance]',
    deadline,
    async () => {
      const name = await start([guaranteed('30m', '35Mi')])
      const wanted = guaranteed('50m', '45Mi')
      const present = await cluster.core.readNamespacedPodResize({ namespace: pods.namespace, name })
      const containers = [changed(present.spec!.containers[0]!, { resources: wanted })]
      const body = changed(present, { spec: changed(present.spec!, { containers }) })
      const replaced = await cluster.core.replaceNamespacedPodResize({ namespace: pods.namespace, name, body })
      assert.equal(replaced.metadata?.generation, 2)
      await finish(name, [wanted])
      await pods.delete(name)
    },
  )
})

function sorted({ requests, limits }: V1ResourceRequirements): string {
  const entries = (list: object | undefined): string =>
    JSON.stringify(Object.entries(list ?? {}).toSorted(([a], [b]) => (a < b ? -1 : 1)))
  return `${entries(requests)} ${entries(limits)}`
}
