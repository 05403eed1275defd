// Where pods go and who must make room: the scheduling tests of the suite, on simulated nodes, because no container matters.

import assert from 'node:assert/strict'
import { after, before, suite, test } from 'node:test'
import { AppsV1Api, SchedulingV1Api, type CoreV1Event, type V1Node, type V1PodSpec } from '@kubernetes/client-node'
import { conformanceCluster, pause, type ConformanceCluster } from '../cluster.ts'
import { podsIn, type Pods } from '../pods.ts'
import { watched } from '../watched.ts'

const deadline = { timeout: 120_000 }
const WAIT_MS = 60_000

void suite('scheduling', () => {
  let cluster: ConformanceCluster
  let nodes: readonly V1Node[]

  before(async () => {
    cluster = await conformanceCluster({ nodes: 'simulated', count: 2 })
    nodes = (await cluster.core.listNode()).items
  })
  after(() => cluster[Symbol.asyncDispose]())

  const podSpec = (more: Partial<V1PodSpec> = {}): V1PodSpec => ({
    containers: [{ name: 'c', image: pause }],
    ...more,
  })

  const resourced = (name: string, amount: string, more: Partial<V1PodSpec> = {}): V1PodSpec =>
    podSpec({
      containers: [
        { name: 'c', image: pause, resources: { requests: { [name]: amount }, limits: { [name]: amount } } },
      ],
      ...more,
    })

  /** Upstream's tests wait for the event by which the scheduler says that there is no place. */
  const failsToSchedule = (pods: Pods, name: string): Promise<unknown> =>
    watched<CoreV1Event>(cluster.config, {
      path: `/api/v1/namespaces/${pods.namespace}/events`,
      isWanted: (event) => event?.reason === 'FailedScheduling' && event.involvedObject.name === name,
      waitMs: WAIT_MS,
    })

  const scheduled = async (pods: Pods, name: string): Promise<string> => {
    const pod = await pods.until(name, ({ spec }) => (spec?.nodeName ?? '') !== '')
    return pod.spec!.nodeName!
  }

  const label = (node: string, key: string, value: string): Promise<string> =>
    cluster.aksel.kubectl(['label', 'node', node, value === '' ? `${key}-` : `${key}=${value}`])

  /** A resource that only this test knows, on this many nodes. */
  async function withResource(name: string, amount: string, work: (pods: Pods) => Promise<void>): Promise<void> {
    const escaped = name.replace('/', '~1')
    const patch = (op: 'add' | 'remove') =>
      JSON.stringify(
        ['capacity', 'allocatable'].map((where) => ({
          op,
          path: `/status/${where}/${escaped}`,
          ...(op === 'add' ? { value: amount } : {}),
        })),
      )
    const each = async (op: 'add' | 'remove'): Promise<void> => {
      for (const { metadata } of nodes)
        await cluster.aksel.kubectl([
          'patch',
          'node',
          metadata!.name!,
          '--subresource=status',
          '--type=json',
          '-p',
          patch(op),
        ])
    }
    await each('add')
    const pods = await podsIn(cluster, 'sched-preemption')
    try {
      await work(pods)
    } finally {
      // What stands would hold the resource in the next test too.
      const { namespace } = pods
      await cluster.config.makeApiClient(AppsV1Api).deleteCollectionNamespacedReplicaSet({ namespace })
      await cluster.core.deleteCollectionNamespacedPod({ namespace, gracePeriodSeconds: 0 })
      await each('remove')
    }
  }

  async function withClasses(values: Readonly<Record<string, number>>, work: () => Promise<void>): Promise<void> {
    const api = cluster.config.makeApiClient(SchedulingV1Api)
    for (const [name, value] of Object.entries(values))
      await api.createPriorityClass({ body: { metadata: { name }, value } })
    try {
      await work()
    } finally {
      for (const name of Object.keys(values)) await api.deletePriorityClass({ name })
    }
  }

  const levels = {
    'sched-preemption-low-priority': 1,
    'sched-preemption-medium-priority': 100,
    'sched-preemption-high-priority': 1000,
  }
  const [low, medium, high] = Object.keys(levels) as [string, string, string]

  void test(
    '[sig-scheduling] SchedulerPredicates [Serial] validates resource limits of pods that are allowed to run [Conformance]',
    deadline,
    async () => {
      const pods = await podsIn(cluster, 'sched-pred')
      const free = new Map<string, number>()
      for (const { metadata, status } of nodes) free.set(metadata!.name!, Number(status!.allocatable!['cpu']) * 1000)
      for (const { spec } of (await cluster.core.listPodForAllNamespaces()).items) {
        for (const { resources } of spec?.containers ?? []) {
          const asked = resources?.requests?.['cpu'] ?? '0'
          const milli = asked.endsWith('m') ? Number(asked.slice(0, -1)) : Number(asked) * 1000
          if (spec?.nodeName !== undefined) free.set(spec.nodeName, free.get(spec.nodeName)! - milli)
        }
      }
      for (const [node, milli] of free) {
        await label(node, 'node', node)
        const spec = resourced('cpu', `${Math.floor(milli * 0.7)}m`, { nodeSelector: { node } })
        await pods.create(`filler-${node}`, spec)
        await pods.running(`filler-${node}`)
      }
      const most = Math.max(...free.values())
      await pods.create('additional-pod', resourced('cpu', `${Math.floor(most * 0.5)}m`))
      await failsToSchedule(pods, 'additional-pod')
      const { items } = await cluster.core.listNamespacedPod({ namespace: pods.namespace })
      const placed = items.filter(({ spec }) => (spec?.nodeName ?? '') !== '').map(({ metadata }) => metadata!.name!)
      assert.deepEqual(new Set(placed), new Set([...free.keys()].map((node) => `filler-${node}`)))
      for (const name of placed) await pods.delete(name)
      for (const node of free.keys()) await label(node, 'node', '')
      await scheduled(pods, 'additional-pod')
    },
  )

  void test(
    '[sig-scheduling] SchedulerPredicates [Serial] validates that NodeSelector is respected if not matching [Conformance]',
    deadline,
    async () => {
      const pods = await podsIn(cluster, 'sched-pred')
      await pods.create('restricted-pod', podSpec({ nodeSelector: { label: 'nonempty' } }), {
        labels: { name: 'restricted' },
      })
      await failsToSchedule(pods, 'restricted-pod')
      const { items } = await cluster.core.listNamespacedPod({ namespace: pods.namespace })
      assert.deepEqual(
        items.map(({ spec }) => spec?.nodeName),
        [undefined],
      )
    },
  )

  void test(
    '[sig-scheduling] SchedulerPredicates [Serial] validates that NodeSelector is respected if matching [Conformance]',
    deadline,
    async () => {
      const pods = await podsIn(cluster, 'sched-pred')
      await pods.create('without-label', podSpec())
      const node = await scheduled(pods, 'without-label')
      await pods.delete('without-label')
      const key = `kubernetes.io/e2e-${pods.namespace}`
      await label(node, key, '42')
      const labelled = await cluster.core.readNode({ name: node })
      assert.equal(labelled.metadata?.labels?.[key], '42')
      await pods.create('with-labels', podSpec({ nodeSelector: { [key]: '42' } }))
      await pods.running('with-labels')
      assert.equal(await scheduled(pods, 'with-labels'), node)
      await label(node, key, '')
    },
  )

  void test(
    '[sig-scheduling] SchedulerPredicates [Serial] validates that there exists conflict between pods with same hostPort and protocol but one using 0.0.0.0 hostIP [Conformance]',
    deadline,
    async () => {
      const pods = await podsIn(cluster, 'sched-pred')
      const node = nodes[0]!
      const name = node.metadata!.name!
      const key = `kubernetes.io/e2e-${pods.namespace}`
      await label(name, key, '95')
      const ported = (hostIP: string | undefined): V1PodSpec => ({
        nodeSelector: { [key]: '95' },
        containers: [
          {
            name: 'agnhost',
            image: pause,
            ports: [
              { hostPort: 54_322, containerPort: 8080, protocol: 'TCP', ...(hostIP === undefined ? {} : { hostIP }) },
            ],
          },
        ],
      })
      await pods.create('pod4', ported(undefined))
      assert.equal(await scheduled(pods, 'pod4'), name)
      await pods.running('pod4')
      const address = node.status!.addresses!.find(({ type }) => type === 'InternalIP')!.address
      await pods.create('pod5', ported(address))
      await failsToSchedule(pods, 'pod5')
      const waiting = await cluster.core.readNamespacedPod({ namespace: pods.namespace, name: 'pod5' })
      assert.equal(waiting.spec?.nodeName, undefined)
      await label(name, key, '')
    },
  )

  /** Fills every node: the first with a pod of low priority, the others with one of medium. Resolves with their names. */
  async function fill(pods: Pods, resource: string): Promise<readonly string[]> {
    const names: string[] = []
    for (const [index, { metadata }] of nodes.entries()) {
      const name = `pod${index}-${index === 0 ? 'low' : 'medium'}`
      const term = { matchFields: [{ key: 'metadata.name', operator: 'In', values: [metadata!.name!] }] }
      await pods.create(
        name,
        resourced(resource, '4', {
          priorityClassName: index === 0 ? low : medium,
          affinity: { nodeAffinity: { requiredDuringSchedulingIgnoredDuringExecution: { nodeSelectorTerms: [term] } } },
        }),
      )
      names.push(name)
    }
    for (const name of names) await pods.running(name)
    return names
  }

  async function othersStand(pods: Pods, names: readonly string[]): Promise<void> {
    for (const name of names) {
      const pod = await cluster.core.readNamespacedPod({ namespace: pods.namespace, name })
      assert.equal(pod.metadata?.deletionTimestamp, undefined, `${name} had to go too`)
    }
  }

  void test(
    '[sig-scheduling] SchedulerPreemption [Serial] validates basic preemption works [Conformance]',
    deadline,
    () =>
      withClasses(levels, () =>
        withResource('scheduling.k8s.io/foo', '5', async (pods) => {
          const [first, ...others] = await fill(pods, 'scheduling.k8s.io/foo')
          await pods.create('preemptor-pod', resourced('scheduling.k8s.io/foo', '4', { priorityClassName: high }))
          await pods.running('preemptor-pod')
          await pods.gone(first!)
          await othersStand(pods, others)
        }),
      ),
  )

  void test(
    '[sig-scheduling] SchedulerPreemption [Serial] validates lower priority pod preemption by critical pod [Conformance]',
    deadline,
    () =>
      withClasses(levels, () =>
        withResource('scheduling.k8s.io/foo', '5', async (pods) => {
          const [first, ...others] = await fill(pods, 'scheduling.k8s.io/foo')
          const namespace = 'kube-system'
          const body = {
            metadata: { name: 'critical-pod' },
            spec: resourced('scheduling.k8s.io/foo', '4', { priorityClassName: 'system-cluster-critical' }),
          }
          await cluster.core.createNamespacedPod({ namespace, body })
          await watched(cluster.config, {
            path: `/api/v1/namespaces/${namespace}/pods`,
            name: 'critical-pod',
            isWanted: (pod) =>
              (pod as (typeof body & { status?: { phase?: string } }) | undefined)?.status?.phase === 'Running',
            waitMs: WAIT_MS,
          })
          await pods.gone(first!)
          await othersStand(pods, others)
          await cluster.core.deleteNamespacedPod({ namespace, name: 'critical-pod', gracePeriodSeconds: 0 })
        }),
      ),
  )

  void test(
    '[sig-scheduling] SchedulerPreemption [Serial] validates pod disruption condition is added to the preempted pod [Conformance]',
    deadline,
    () =>
      withClasses(levels, () =>
        withResource('scheduling.k8s.io/foo', '1', async (pods) => {
          const selector = {
            nodeSelector: { 'kubernetes.io/hostname': nodes[0]!.metadata!.labels!['kubernetes.io/hostname']! },
          }
          const ofNode = (priorityClassName: string): V1PodSpec =>
            resourced('scheduling.k8s.io/foo', '1', { priorityClassName, ...selector })
          await pods.create('victim-pod', ofNode(low), { finalizers: ['example.com/test-finalizer'] })
          await pods.running('victim-pod')
          await pods.create('preemptor-pod', ofNode(high))
          const victim = await pods.until('victim-pod', ({ metadata }) => metadata?.deletionTimestamp !== undefined)
          const condition = victim.status?.conditions?.find(({ type }) => type === 'DisruptionTarget')
          assert.deepEqual([condition?.status, condition?.reason], ['True', 'PreemptionByScheduler'])
          const json = JSON.stringify([{ op: 'remove', path: '/metadata/finalizers' }])
          await cluster.aksel.kubectl(['-n', pods.namespace, 'patch', 'pod', 'victim-pod', '--type=json', '-p', json])
          await pods.running('preemptor-pod')
        }),
      ),
  )

  void test(
    '[sig-scheduling] SchedulerPreemption [Serial] PreemptionExecutionPath runs ReplicaSets to verify preemption running path [Conformance]',
    deadline,
    () =>
      withClasses({ p1: 1, p2: 2, p3: 3, p4: 4 }, () =>
        withResource('example.com/fakecpu', '1000', async (pods) => {
          const apps = cluster.config.makeApiClient(AppsV1Api)
          const { namespace } = pods
          const nodeSelector = { 'kubernetes.io/hostname': nodes[0]!.metadata!.labels!['kubernetes.io/hostname']! }
          const created = new Map<string, Set<string>>()
          const stop = new AbortController()
          const counting = countCreations(namespace, created, stop.signal)
          for (const [name, amount] of [
            ['rs-pod1', '200'],
            ['rs-pod2', '300'],
            ['rs-pod3', '450'],
          ] as const) {
            const labels = { name }
            const priorityClassName = `p${name.at(-1)}`
            const spec = resourced('example.com/fakecpu', amount, { nodeSelector, priorityClassName })
            await apps.createNamespacedReplicaSet({
              namespace,
              body: {
                metadata: { name },
                spec: { replicas: 1, selector: { matchLabels: labels }, template: { metadata: { labels }, spec } },
              },
            })
            await watched<{ status?: { readyReplicas?: number } }>(cluster.config, {
              path: `/apis/apps/v1/namespaces/${namespace}/replicasets`,
              name,
              isWanted: (set) => set?.status?.readyReplicas === 1,
              waitMs: WAIT_MS,
            })
          }
          // 500 more than there are left: the two least important go, and their sets make them again, which wait.
          await pods.create('pod4', resourced('example.com/fakecpu', '500', { nodeSelector, priorityClassName: 'p4' }))
          await pods.running('pod4')
          await counting.until((seen) => (seen.get('rs-pod1')?.size ?? 0) >= 2 && (seen.get('rs-pod2')?.size ?? 0) >= 2)
          stop.abort()
          assert.equal(created.get('rs-pod3')?.size, 1, 'a pod of higher priority had to go')
        }),
      ),
  )

  /** Counts the pods that each set made, by their label. */
  function countCreations(
    namespace: string,
    seen: Map<string, Set<string>>,
    signal: AbortSignal,
  ): { until(isEnough: (seen: ReadonlyMap<string, ReadonlySet<string>>) => boolean): Promise<void> } {
    return {
      until: async (isEnough) => {
        await watched<{ metadata?: { uid?: string; labels?: Record<string, string> } }>(cluster.config, {
          path: `/api/v1/namespaces/${namespace}/events`,
          isWanted: (event) => {
            const { involvedObject, reason, message = '' } = (event ?? {}) as CoreV1Event
            if (!signal.aborted && reason === 'SuccessfulCreate' && involvedObject?.kind === 'ReplicaSet') {
              const made = seen.get(involvedObject.name ?? '') ?? new Set<string>()
              seen.set(involvedObject.name ?? '', made.add(message))
            }
            return isEnough(seen)
          },
          waitMs: WAIT_MS,
        })
      },
    }
  }

  void test(
    '[sig-scheduling] SchedulerPreemption [Serial] PriorityClass endpoints verify PriorityClass endpoints can be operated with different HTTP methods [Conformance]',
    deadline,
    async () => {
      const api = cluster.config.makeApiClient(SchedulingV1Api)
      await withClasses({ p1: 1, p2: 2 }, async () => {
        for (const name of ['p1', 'p2']) {
          const value = name === 'p1' ? 1 : 2
          const read = await api.readPriorityClass({ name })
          assert.equal(read.value, value)
          const changed = await api.replacePriorityClass({
            name,
            body: Object.assign(read, { description: 'changed' }),
          })
          assert.equal(changed.description, 'changed')
          await assert.rejects(
            api.replacePriorityClass({ name, body: Object.assign(changed, { value: value * 10 }) }),
            (error: Error) => {
              assert.match(String(error), /may not be changed/)
              return true
            },
          )
          const patched = await cluster.aksel.kubectl([
            'patch',
            'priorityclass',
            name,
            '-p',
            '{"description":"patched"}',
            '-o',
            'json',
          ])
          assert.equal((JSON.parse(patched) as { description: string }).description, 'patched')
          await assert.rejects(
            cluster.aksel.kubectl(['patch', 'priorityclass', name, '-p', `{"value":${value * 10}}`]),
            /may not be changed/,
          )
        }
        const { items } = await api.listPriorityClass()
        assert.ok(['p1', 'p2'].every((name) => items.some(({ metadata }) => metadata?.name === name)))
      })
      for (const name of ['p1', 'p2']) await assert.rejects(api.readPriorityClass({ name }), /404/)
    },
  )

  void test('one call tells what each node answered for a pod', deadline, async () => {
    const pods = await podsIn(cluster, 'explain')
    await pods.create('big', resourced('cpu', '1000'))
    await failsToSchedule(pods, 'big')
    interface Told {
      readonly message: string
      readonly nodes: readonly { readonly node: string; readonly fits: boolean; readonly reasons: readonly string[] }[]
    }
    const told = await cluster.get<Told>(`/debug/scheduler/pods/${pods.namespace}/big`)
    assert.equal(told.message, `0/${nodes.length} nodes are available: ${nodes.length} Insufficient cpu.`)
    assert.deepEqual(
      new Map(told.nodes.map(({ node, fits, reasons }) => [node, { fits, reasons }])),
      new Map(nodes.map(({ metadata }) => [metadata!.name!, { fits: false, reasons: ['Insufficient cpu'] }])),
    )
  })
})
