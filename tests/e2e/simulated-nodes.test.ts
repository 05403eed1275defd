// A cluster of simulated nodes on which machines fail by order, and what people with kubectl see of it; beside it, what a
// rollout and a stateful set do while somebody watches every change.

import assert from 'node:assert/strict'
import { join } from 'node:path'
import { after, before, suite, test } from 'node:test'
import { KubeConfig, type V1Pod, type V1ReplicaSet } from '@kubernetes/client-node'
import { isReady } from '../conformance/pods.ts'
import { WatchLog } from '../conformance/watch-log.ts'
import { Aksel } from './aksel.ts'
import { replay } from './replay.ts'
import { Shell } from './shell.ts'

/** The grace of a silent node alone is most of a minute. */
const deadline = { timeout: 300_000 }
const stepMs = 130_000

void suite('stories on simulated nodes', { concurrency: 6 }, () => {
  let aksel: Aksel
  let shell: Shell
  const config = new KubeConfig()

  before(async () => {
    aksel = await Aksel.inNewFolder()
    await aksel.ok(['up', '--simulated', '--nodes', '3'])
    // Pods of other stories must not get onto nodes that are lost.
    const pool = ['az', 'aks', 'nodepool', 'add', '-g', 'aksel', '--cluster-name', 'demo', '--simulated']
    await aksel.ok([
      ...pool,
      '-n',
      'zoned',
      '-c',
      '3',
      '--zones',
      '1',
      '2',
      '3',
      '--node-taints',
      'zoned=yes:NoSchedule',
    ])
    await aksel.ok([...pool, '-n', 'ill', '-c', '5', '--node-taints', 'ill=yes:NoSchedule'])
    shell = await Shell.open(aksel)
    config.loadFromFile(join(aksel.dataDir, 'kubeconfig'))
  })
  after(async () => {
    await aksel[Symbol.asyncDispose]()
  })

  for (const story of ['zone-loss', 'faults', 'flapping', 'cron-job'])
    void test(`${story} prints what its transcript says`, deadline, () => shell.replay(story, stepMs))

  const kubectl = (args: string): Promise<string> => aksel.kubectl(args)
  const apply = (object: object): Promise<string> =>
    aksel.ok(['kubectl', 'apply', '-f', '-'], { input: JSON.stringify(object) })
  const isActive = ({ metadata, status }: V1Pod): boolean =>
    metadata!.deletionTimestamp === undefined && status?.phase !== 'Failed' && status?.phase !== 'Succeeded'
  const templateOf = (app: string, stages: object, image = 'web:1'): object => ({
    metadata: { labels: { app }, annotations: { 'aksel.dev/simulated-stages': JSON.stringify(stages) } },
    spec: { containers: [{ name: 'web', image }] },
  })

  const replicas = 8
  const strategies = [
    { maxSurge: 3, maxUnavailable: 2, most: 11, least: 6 },
    { maxSurge: '25%', maxUnavailable: 0, most: 10, least: 8 },
    { maxSurge: 0, maxUnavailable: '30%', most: 8, least: 6 },
  ]
  for (const [index, { most, least, ...rollingUpdate }] of strategies.entries()) {
    const limits = `maxSurge ${rollingUpdate.maxSurge} and maxUnavailable ${rollingUpdate.maxUnavailable}`
    void test(
      `${limits} hold at every moment of a rollout, of one that is stuck and of its undo`,
      deadline,
      async () => {
        const app = `rolls-${index}`
        const deployment = (stages: object, image: string, progressDeadlineSeconds = 600): object => ({
          apiVersion: 'apps/v1',
          kind: 'Deployment',
          metadata: { name: app },
          spec: {
            replicas,
            selector: { matchLabels: { app } },
            progressDeadlineSeconds,
            strategy: { rollingUpdate },
            template: templateOf(app, stages, image),
          },
        })
        await apply(deployment({ readySeconds: 1, jitterSeconds: 1 }, 'web:1'))
        await kubectl(`rollout status deployment/${app} --timeout=60s`)

        const of = { labelSelector: `app=${app}` }
        await using pods = await WatchLog.open<V1Pod>(config, '/api/v1/namespaces/default/pods', of)
        await using sets = await WatchLog.open<V1ReplicaSet>(config, '/apis/apps/v1/namespaces/default/replicasets', of)
        await pods.first(replicas)
        await apply(deployment({ readySeconds: 1, jitterSeconds: 1 }, 'web:2'))
        await kubectl(`rollout status deployment/${app} --timeout=90s`)
        await apply(deployment({ imagePullFails: true }, 'web:broken', 2))
        const stuck = await aksel.fails(['kubectl', 'rollout', 'status', `deployment/${app}`, '--timeout=90s'])
        assert.match(stuck, new RegExp(`deployment "${app}" exceeded its progress deadline`))
        await kubectl(`patch deployment ${app} -p {"spec":{"progressDeadlineSeconds":600}}`)
        await kubectl(`rollout undo deployment/${app}`)
        await kubectl(`rollout status deployment/${app} --timeout=90s`)

        let looks = 0
        const images = new Set<string>()
        replay<V1Pod | V1ReplicaSet>([pods.events, sets.events], ({ type, object }, moment) => {
          const all = [...moment.values()]
          const active = all.filter((each): each is V1Pod => isPod(each) && isActive(each))
          const asked = all.reduce((sum, each) => sum + (isPod(each) ? 0 : each.spec!.replicas!), 0)
          assert.ok(asked <= most, `${asked} pods were asked for, ${most} at most`)
          // The watch begins with what is there already, in whatever order.
          if (active.length >= replicas) looks += 1
          if (looks > 0) {
            const available = active.filter(isReady).length
            assert.ok(available >= least, `${available} pods were available, ${least} at least`)
          }
          if (!isPod(object) || type !== 'ADDED') return
          images.add(object.spec!.containers[0]!.image!)
          const owner = object.metadata!.ownerReferences![0]!.uid
          const siblings = active.filter(({ metadata }) => metadata!.ownerReferences![0]!.uid === owner)
          const set = moment.get(owner) as V1ReplicaSet | undefined
          if (set !== undefined)
            assert.ok(siblings.length <= set.spec!.replicas!, `${set.metadata!.name} made too many`)
        })
        assert.ok(looks > replicas, `only ${looks} moments were seen`)
        assert.deepEqual([...images].toSorted(), ['web:1', 'web:2', 'web:broken'])
        await kubectl(`delete deployment ${app}`)
      },
    )
  }

  void test('a stateful set grows and shrinks one ordinal at a time', deadline, async () => {
    const app = 'ordinals'
    await apply({
      apiVersion: 'apps/v1',
      kind: 'StatefulSet',
      metadata: { name: app },
      spec: {
        replicas: 1,
        serviceName: app,
        selector: { matchLabels: { app } },
        template: templateOf(app, { readySeconds: 1, terminationSeconds: 1 }),
      },
    })
    await using log = await WatchLog.open<V1Pod>(config, '/api/v1/namespaces/default/pods', {
      labelSelector: `app=${app}`,
    })
    await kubectl(`rollout status statefulset/${app} --timeout=60s`)
    await kubectl(`scale statefulset/${app} --replicas=4`)
    await kubectl(`wait statefulset/${app} --for=jsonpath={.status.readyReplicas}=4 --timeout=60s`)
    await kubectl(`scale statefulset/${app} --replicas=1`)
    await kubectl(`wait pod/${app}-1 --for=delete --timeout=60s`)
    const ordinalOf = ({ metadata }: V1Pod): number => Number(metadata!.labels!['apps.kubernetes.io/pod-index'])
    const [grown, shrunk]: [number[], number[]] = [[], []]
    replay([log.events], ({ type, object }, moment) => {
      const ordinal = ordinalOf(object)
      const others = [...moment.values()].filter((pod) => ordinalOf(pod) !== ordinal)
      if (type === 'ADDED') {
        grown.push(ordinal)
        const ready = others
          .filter(isReady)
          .map(ordinalOf)
          .toSorted((left, right) => left - right)
        assert.deepEqual(
          ready,
          Array.from({ length: ordinal }, (_, index) => index),
        )
      } else if (type === 'MODIFIED' && object.metadata!.deletionTimestamp !== undefined && !shrunk.includes(ordinal)) {
        shrunk.push(ordinal)
        assert.ok(others.every((pod) => ordinalOf(pod) < ordinal && isReady(pod)))
      }
    })
    assert.deepEqual(
      [grown, shrunk],
      [
        [0, 1, 2, 3],
        [3, 2, 1],
      ],
    )
    await kubectl(`delete statefulset ${app}`)
  })
})

function isPod(object: V1Pod | V1ReplicaSet): object is V1Pod {
  return 'containers' in object.spec!
}
