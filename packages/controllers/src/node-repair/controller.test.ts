// A sick node over an hour: what is done to its machine, when, and when no more.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { events, nodes } from '@aksel/api/resources'
import { formatTime } from '@aksel/base/clock'
import { TestCluster, type MakeLoops } from '../testing/cluster.ts'
import { readyNode } from '../testing/objects.ts'
import { historyAnnotation, judgeRepair } from './judge.ts'
import { nodeRepairController } from './controller.ts'

const MINUTE_MS = 60_000

interface World {
  readonly done: string[]
  mayRepair: boolean
  failure?: string
}

function loopsOver(world: World): MakeLoops {
  return (parts) => [
    nodeRepairController({
      ...parts,
      machines: {
        mayRepair: async () => world.mayRepair,
        repair: async (scope, name, repair) => {
          world.done.push(`${repair} ${name} at ${Math.round(scope.clock.monotonicMs() / MINUTE_MS)}`)
          if (world.failure !== undefined) throw new Error(world.failure)
        },
      },
    }),
  ]
}

function setReady(cluster: TestCluster, name: string, status: string): void {
  const node = cluster.client.peek(nodes, name) ?? readyNode(name, '10.0.0.1')
  const lastTransitionTime = formatTime(cluster.clock.now())
  const conditions = node.status!.conditions!.map((one) =>
    one.type === 'Ready' ? { ...one, status, lastTransitionTime } : one,
  )
  cluster.client.put(nodes, { ...node, status: { ...node.status, conditions } })
}

async function withCluster(world: World, work: (cluster: TestCluster) => Promise<void>): Promise<void> {
  await using cluster = new TestCluster(loopsOver(world))
  cluster.start()
  setReady(cluster, 'a', 'True')
  await cluster.clock.run(1)
  await work(cluster)
}

test('a silent node is rebooted after ten minutes, then reimaged, then redeployed, three rounds, and then left', () => {
  const world: World = { done: [], mayRepair: true }
  return withCluster(world, async (cluster) => {
    setReady(cluster, 'a', 'Unknown')
    await cluster.clock.run(9 * MINUTE_MS)
    assert.deepEqual(world.done, [])
    await cluster.clock.run(21 * MINUTE_MS)
    assert.deepEqual(world.done.slice(0, 4), [
      'reboot a at 10',
      'reimage a at 15',
      'redeploy a at 20',
      'reboot a at 25',
    ])
    await cluster.clock.run(200 * MINUTE_MS)
    assert.equal(world.done.length, 9)
    assert.equal(world.done.at(-1), 'redeploy a at 50')
    const told = cluster.client.peekAll(events).map(({ reason, source }) => `${source?.component} ${reason}`)
    for (const reason of ['NodeRebootStart', 'NodeRebootEnd', 'NodeReimageStart', 'NodeRedeployEnd'])
      assert.ok(told.includes(`aks-remediator ${reason}`), told.join('\n'))
  })
})

test('a node that came back is repaired anew from the beginning when it fails again', () => {
  const world: World = { done: [], mayRepair: true }
  return withCluster(world, async (cluster) => {
    setReady(cluster, 'a', 'False')
    await cluster.clock.run(12 * MINUTE_MS)
    setReady(cluster, 'a', 'True')
    await cluster.clock.run(MINUTE_MS)
    assert.equal(cluster.client.peek(nodes, 'a')!.metadata.annotations?.[historyAnnotation], undefined)
    setReady(cluster, 'a', 'False')
    await cluster.clock.run(11 * MINUTE_MS)
    assert.deepEqual(world.done, ['reboot a at 10', 'reboot a at 23'])
  })
})

test('a machine that somebody has in hand is left alone, and repaired once it is free', () => {
  const world: World = { done: [], mayRepair: false }
  return withCluster(world, async (cluster) => {
    setReady(cluster, 'a', 'Unknown')
    await cluster.clock.run(60 * MINUTE_MS)
    assert.deepEqual(world.done, [])
    world.mayRepair = true
    await cluster.clock.run(2 * MINUTE_MS)
    assert.equal(world.done.length, 1)
  })
})

test('a repair that fails is told, and the next one follows; another process goes on where the last stopped', () => {
  const world: World = { done: [], mayRepair: true, failure: 'no power' }
  return withCluster(world, async (cluster) => {
    setReady(cluster, 'a', 'Unknown')
    await cluster.clock.run(11 * MINUTE_MS)
    const [error] = cluster.client.peekAll(events).filter(({ reason }) => reason === 'NodeRebootError')
    assert.equal(error?.message, 'Node auto-repair reboot action failed: no power')
    await cluster.stop()
    cluster.start()
    await cluster.clock.run(5 * MINUTE_MS)
    assert.deepEqual(world.done, ['reboot a at 10', 'reimage a at 15'])
  })
})

test('judgeRepair() does not redeploy Windows, and waits for a node that never said how it is', () => {
  const sick = readyNode('a', '10.0.0.1')
  const conditions = [{ type: 'Ready', status: 'Unknown', lastTransitionTime: formatTime(0) }]
  const windows = (done: number) => ({
    ...sick,
    metadata: {
      name: 'a',
      labels: { 'kubernetes.io/os': 'windows' },
      annotations: { [historyAnnotation]: `${done}@1000` },
    },
    status: { conditions },
  })
  const nowMs = 100 * MINUTE_MS
  assert.deepEqual(judgeRepair(windows(2), nowMs), { kind: 'repair', repair: 'reboot', done: 3 })
  assert.deepEqual(judgeRepair(windows(6), nowMs), { kind: 'given up' })
  assert.deepEqual(judgeRepair({ metadata: { name: 'a' }, spec: {} }, nowMs), { kind: 'healthy', forget: false })
})
