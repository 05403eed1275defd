// The autoscaler and the scheduler together, in simulated time: pods without a place bring nodes, nodes without use go.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { configMaps, events, nodes, podDisruptionBudgets, pods } from '@aksel/api/resources'
import type { Node, Pod } from '@aksel/api/types/core-v1'
import { createCaches } from '@aksel/runtime/caches'
import { FakeClient } from '@aksel/testing/fake-client'
import { testScope, type TestScope } from '@aksel/testing/test-scope'
import { createScheduler } from '../scheduler.ts'
import { Autoscaler } from './autoscaler.ts'
import type { NodeGroup, NodeGroups } from '@aksel/provider/node-groups'
import { readSettings } from './settings.ts'

const template = (cpu: string, labels: Record<string, string> = {}): Node => ({
  metadata: { name: 'template', labels },
  spec: {},
  status: { allocatable: { cpu, memory: '8Gi', pods: '30' }, conditions: [{ type: 'Ready', status: 'True' }] },
})

interface Group {
  readonly minCount: number
  readonly maxCount: number
  readonly template: Node
  /** Ordered nodes never come. */
  readonly broken?: boolean
}

/** A cloud whose nodes are there at once. Pods of a node that goes are made anew, as their controllers do it. */
class Cloud implements NodeGroups {
  readonly #client: FakeClient
  readonly #groups: Readonly<Record<string, Group>>
  readonly targets = new Map<string, number>()
  readonly #names = new Map<string, string[]>()
  readonly calls: string[] = []

  constructor(client: FakeClient, groups: Readonly<Record<string, Group>>) {
    this.#client = client
    this.#groups = groups
  }

  async start(counts: Readonly<Record<string, number>>): Promise<void> {
    for (const [name, count] of Object.entries(counts)) await this.#grow(name, count)
  }

  async list(): Promise<readonly NodeGroup[]> {
    return Object.entries(this.#groups).map(([name, group]) => ({
      name,
      ...group,
      target: this.targets.get(name) ?? 0,
      nodeNames: this.#names.get(name) ?? [],
    }))
  }

  async resize(name: string, target: number): Promise<boolean> {
    this.calls.push(`${name} ${this.targets.get(name) ?? 0}->${target}`)
    await this.#grow(name, target)
    return true
  }

  async #grow(name: string, target: number): Promise<void> {
    const group = this.#groups[name]!
    const names = this.#names.get(name) ?? []
    this.targets.set(name, target)
    while (group.broken !== true && names.length < target) {
      const node = `${name}-${names.length}`
      names.push(node)
      const labels = { ...group.template.metadata.labels, 'kubernetes.io/hostname': node }
      await this.#client.create(nodes, { ...group.template, metadata: { name: node, labels } })
    }
    this.#names.set(name, names)
  }

  async remove(name: string, nodeNames: readonly string[]): Promise<boolean> {
    this.calls.push(`${name} without ${nodeNames.join(',')}`)
    this.targets.set(name, this.targets.get(name)! - nodeNames.length)
    this.#names.set(
      name,
      this.#names.get(name)!.filter((each) => !nodeNames.includes(each)),
    )
    for (const node of nodeNames) {
      await this.#client.delete(nodes, { name: node })
      const { items } = await this.#client.list(pods)
      for (const pod of items.filter(({ spec }) => spec.nodeName === node)) {
        await this.#client.delete(pods, { name: pod.metadata.name, namespace: 'default' }, { gracePeriodSeconds: 0 })
        const { nodeName: _, ...spec } = pod.spec
        const { name: old, namespace, labels, ownerReferences } = pod.metadata
        await this.#client.create(pods, {
          metadata: { name: `${old}x`, namespace, labels, ownerReferences },
          spec,
        } as Pod)
      }
    }
    return true
  }
}

interface Story {
  readonly scope: TestScope
  readonly client: FakeClient
  readonly cloud: Cloud
  readonly look: () => Promise<void>
  /** Lets time pass, a look every ten seconds. */
  readonly pass: (minutes: number) => Promise<void>
  readonly said: (reason: string) => Promise<readonly string[]>
}

async function told(
  options: {
    readonly groups: Readonly<Record<string, Group>>
    readonly counts?: Record<string, number>
    readonly profile?: Record<string, string>
  },
  work: (story: Story) => Promise<void>,
): Promise<void> {
  using scope = testScope()
  const client = new FakeClient(scope)
  await using caches = createCaches(scope, client)
  createScheduler(scope, { client, caches })
    .run()
    .catch(() => {})
  const cloud = new Cloud(client, options.groups)
  await cloud.start(options.counts ?? {})
  const settings = readSettings(options.profile ?? {})
  const autoscaler = new Autoscaler(scope, { client, caches, groups: cloud, settings: () => settings })
  await scope.clock.run(1_000)
  await autoscaler.ready()
  const look = async (): Promise<void> => {
    await scope.clock.run(2_000)
    await autoscaler.look()
    await scope.clock.run(2_000)
  }
  await work({
    scope,
    client,
    cloud,
    look,
    async pass(minutes) {
      for (let step = 0; step < minutes * 6; step += 1) {
        await scope.clock.run(10_000)
        await autoscaler.look()
      }
      await scope.clock.run(1_000)
    },
    async said(reason) {
      return (await client.list(events)).items
        .filter((event) => event.reason === reason)
        .map(({ message }) => message ?? '')
    },
  })
}

const replicated = [{ apiVersion: 'apps/v1', kind: 'ReplicaSet', name: 'rs', uid: 'u', controller: true }]

const pod = (name: string, cpu: string, more: { readonly spec?: object; readonly metadata?: object } = {}): Pod =>
  ({
    metadata: { name, namespace: 'default', labels: { app: 'a' }, ownerReferences: replicated, ...more.metadata },
    spec: { containers: [{ name: 'c', image: 'i', resources: { requests: { cpu } } }], ...more.spec },
  }) as Pod

const apps = { minCount: 1, maxCount: 5, template: template('2') }

test('pods without a place bring as many nodes as the scheduler needs for them, and are told so', () =>
  told({ groups: { apps }, counts: { apps: 1 } }, async ({ client, cloud, look, said }) => {
    for (let index = 0; index < 5; index += 1) await client.create(pods, pod(`p${index}`, '1'))
    await look()
    assert.deepEqual(cloud.calls, ['apps 1->3'])
    await look()
    assert.deepEqual(cloud.calls, ['apps 1->3'], 'nodes that came are enough')
    const { items } = await client.list(pods)
    assert.ok(items.every(({ spec }) => (spec.nodeName ?? '') !== ''))
    assert.ok((await said('TriggeredScaleUp')).includes('pod triggered scale-up: [{apps 1->3 (max: 5)}]'))
    assert.deepEqual(await said('ScaledUpGroup'), ['Scale-up: setting group apps size to 3 instead of 1 (max: 5)'])
  }))

test('a pod that no group can take is told why, and pods of low priority or of DaemonSets bring nothing', () =>
  told({ groups: { apps }, counts: { apps: 1 } }, async ({ client, cloud, look, said }) => {
    await client.create(pods, pod('huge', '16'))
    await client.create(pods, pod('picky', '1', { spec: { nodeSelector: { disk: 'ssd' } } }))
    await client.create(pods, pod('filler', '2'))
    await client.create(pods, pod('low', '1', { spec: { priority: -11 } }))
    await client.create(
      pods,
      pod('daemon', '1', { metadata: { ownerReferences: [{ ...replicated[0], kind: 'DaemonSet' }] } }),
    )
    await look()
    assert.deepEqual(cloud.calls, [])
    const words = (await said('NotTriggerScaleUp')).toSorted()
    assert.equal(words.length, 2)
    assert.match(words.join(), /pod didn't trigger scale-up: .*Insufficient cpu/)
    assert.match(words.join(), /node affinity\/selector/)
  }))

test('no group grows past its maximum, and each keeps its minimum', () =>
  told(
    { groups: { apps: { ...apps, minCount: 2, maxCount: 3 } }, counts: { apps: 1 } },
    async ({ client, cloud, look, said }) => {
      for (let index = 0; index < 20; index += 1) await client.create(pods, pod(`p${index}`, '1'))
      await look()
      await look()
      await look()
      assert.equal(cloud.targets.get('apps'), 3)
      assert.match((await said('NotTriggerScaleUp')).join(), /max node group size reached/)
    },
  ))

test('the expander chooses among groups: least waste, most pods, priority', async () => {
  const groups = { large: { ...apps, minCount: 0, template: template('8') }, small: { ...apps, minCount: 0 } }
  const chosen = async (profile: Record<string, string>, priorities?: string): Promise<string> => {
    let calls: readonly string[] = []
    await told({ groups, profile }, async ({ client, cloud, look }) => {
      if (priorities !== undefined)
        await client.create(configMaps, {
          metadata: { name: 'cluster-autoscaler-priority-expander', namespace: 'kube-system' },
          data: { priorities },
        })
      await client.create(pods, pod('p', '1500m'))
      await look()
      calls = cloud.calls
    })
    return calls.join()
  }
  assert.equal(await chosen({ expander: 'least-waste' }), 'small 0->1')
  assert.equal(await chosen({ expander: 'priority' }, '10:\n  - small\n50:\n  - lar.*\n'), 'large 0->1')
})

test('like groups are balanced where the profile says so', () =>
  told(
    {
      groups: {
        a: { ...apps, template: template('2', { agentpool: 'a' }) },
        b: { ...apps, template: template('2', { agentpool: 'b' }) },
      },
      counts: { a: 1, b: 1 },
      profile: { 'balance-similar-node-groups': 'true' },
    },
    async ({ client, cloud, look }) => {
      for (let index = 0; index < 8; index += 1) await client.create(pods, pod(`p${index}`, '1'))
      await look()
      assert.deepEqual([cloud.targets.get('a'), cloud.targets.get('b')], [2, 2])
    },
  ))

test('a node that is little used goes after its time, once its pods fit elsewhere; the minimum stays', () =>
  told({ groups: { apps }, counts: { apps: 4 } }, async ({ client, cloud, pass, said }) => {
    await client.create(pods, pod('p0', '500m'))
    await client.create(pods, pod('p1', '500m'))
    await pass(9.5)
    assert.deepEqual(cloud.calls, [], 'ten minutes are not over')
    await pass(2)
    assert.match(
      cloud.calls.join(' then '),
      /^apps without [^,]+,[^,]+ then apps without [^,]+$/,
      'empty ones together, then one whose pod fits elsewhere',
    )
    await pass(15)
    assert.equal(cloud.targets.get('apps'), 1)
    const { items } = await client.list(pods)
    assert.ok(
      items.every(({ spec }) => (spec.nodeName ?? '') !== ''),
      'all pods stand',
    )
    assert.ok((await said('ScaleDown')).length >= 3)
  }))

test('a busy node stays, and so does one with a pod that must not move', async () => {
  const keeps = async (more: Parameters<typeof pod>[2], cpu = '200m', budget = false): Promise<number> => {
    let left = 0
    await told({ groups: { apps }, counts: { apps: 2 } }, async ({ client, cloud, pass }) => {
      // Spread, so that none of the two nodes is empty.
      const ports = {
        containers: [{ name: 'c', image: 'i', resources: { requests: { cpu } } }],
      }
      for (const name of ['p0', 'p1'])
        await client.create(
          pods,
          pod(name, cpu, {
            ...more,
            spec: {
              ...ports,
              ...more?.spec,
              topologySpreadConstraints: [
                {
                  maxSkew: 1,
                  topologyKey: 'kubernetes.io/hostname',
                  whenUnsatisfiable: 'ScheduleAnyway',
                  labelSelector: { matchLabels: { app: 'a' } },
                },
              ],
            },
          }),
        )
      if (budget)
        await client.create(podDisruptionBudgets, {
          metadata: { name: 'b', namespace: 'default' },
          spec: { selector: { matchLabels: { app: 'a' } }, minAvailable: 2 },
          status: { currentHealthy: 2, desiredHealthy: 2, disruptionsAllowed: 0, expectedPods: 2 },
        })
      await pass(12)
      left = cloud.targets.get('apps')!
    })
    return left
  }
  assert.equal(await keeps({}), 1, 'nothing keeps it')
  assert.equal(await keeps({}, '1500m'), 2, 'too much used')
  assert.equal(await keeps({ metadata: { ownerReferences: [] } }), 2, 'nobody would make the pod anew')
  assert.equal(
    await keeps({ metadata: { annotations: { 'cluster-autoscaler.kubernetes.io/safe-to-evict': 'false' } } }),
    2,
  )
  assert.equal(await keeps({ spec: { volumes: [{ name: 'v', emptyDir: {} }] } }), 2, 'local storage')
  assert.equal(await keeps({}, '200m', true), 2, 'a disruption budget')
})

test('a group whose nodes do not come rests, and another one grows instead', () =>
  told(
    {
      groups: {
        broken: { ...apps, minCount: 0, broken: true },
        other: { ...apps, minCount: 0, template: template('8') },
      },
      profile: { expander: 'least-waste' },
    },
    async ({ client, cloud, pass, look }) => {
      await client.create(pods, pod('p', '1500m'))
      await look()
      assert.deepEqual(cloud.calls, ['broken 0->1'])
      await pass(14)
      assert.deepEqual(cloud.calls, ['broken 0->1'], 'nodes on their way are counted')
      await pass(3)
      assert.deepEqual(cloud.calls, ['broken 0->1', 'other 0->1'])
    },
  ))

test('the status tells of sizes, limits and candidates, and is written anew when something changes', () =>
  told({ groups: { apps }, counts: { apps: 2 } }, async ({ client, look }) => {
    await look()
    const { data, metadata } = await client.get(configMaps, {
      namespace: 'kube-system',
      name: 'cluster-autoscaler-status',
    })
    const text = data!['status']!
    assert.match(text, /autoscalerStatus: Running/)
    assert.match(text, /name: apps\n +health:\n +status: Healthy[^]*cloudProviderTarget: 2\n +minSize: 1\n +maxSize: 5/)
    assert.match(text, /scaleDown:\n +status: CandidatesPresent\n +candidates: 1/)
    const seen = metadata.resourceVersion
    await look()
    const again = await client.get(configMaps, { namespace: 'kube-system', name: 'cluster-autoscaler-status' })
    assert.equal(again.metadata.resourceVersion, seen, 'nothing new, nothing written')
  }))
