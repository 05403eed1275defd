// Pods leave devices that become tainted: at once, after the time they tolerate, or not at all.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { deviceTaintRules, events, pods, resourceClaims, resourceSlices } from '@aksel/api/resources'
import type { DeviceTaint, DeviceToleration } from '@aksel/api/types/resource-v1'
import { createCaches } from '@aksel/runtime/caches'
import { runControllers } from '@aksel/runtime/runner'
import { FakeClient } from '@aksel/testing/fake-client'
import { testScope } from '@aksel/testing/test-scope'
import { deviceTaintEvictionController } from './controller.ts'
import { judgeDevices } from './judge.ts'

const driver = 'gpu.example.com'
const broken: DeviceTaint = { key: 'broken', effect: 'NoExecute' }

test('judgeDevices() lets pods stay for the shortest time that is tolerated, and only NoExecute drives them off', () => {
  const times = { sinceMs: 0, nowMs: 50_000 }
  const due = (taint: DeviceTaint, ...tolerations: DeviceToleration[]): number | undefined =>
    judgeDevices([{ taints: [taint], tolerations }], times)
  const all = { operator: 'Exists' }
  assert.equal(due(broken), 50_000)
  assert.equal(due(broken, all), undefined)
  assert.equal(due({ ...broken, effect: 'NoSchedule' }), undefined)
  assert.equal(due({ ...broken, effect: 'None' }), undefined)
  const since = { ...broken, timeAdded: '1970-01-01T00:00:40Z' }
  assert.equal(due(since, { ...all, tolerationSeconds: 30 }, { ...all, tolerationSeconds: 20 }), 60_000)
  assert.equal(
    judgeDevices([{ taints: [since], tolerations: [{ ...all, tolerationSeconds: 30 }] }], {
      sinceMs: 45_000,
      nowMs: 50_000,
    }),
    75_000,
  )
})

async function withPod(
  tolerations: readonly DeviceToleration[],
  work: (rig: { client: FakeClient; pass: (ms: number) => Promise<void>; isThere: () => boolean }) => Promise<void>,
): Promise<void> {
  using scope = testScope()
  const client = new FakeClient(scope)
  await using caches = createCaches(scope, client)
  const loop = deviceTaintEvictionController({ client, caches, taintRules: deviceTaintRules })
  void runControllers(scope, { controllers: [loop], caches })
  await client.create(resourceSlices, {
    metadata: { name: 's' },
    spec: {
      driver,
      pool: { name: 'a', generation: 1, resourceSliceCount: 1 },
      nodeName: 'a',
      devices: [{ name: 'g0' }, { name: 'g1' }],
    },
  })
  for (const [index, name] of ['p', 'q'].entries()) {
    const pod = await client.create(pods, {
      metadata: { name, namespace: 'default' },
      spec: { nodeName: 'a', containers: [], resourceClaims: [{ name: 'gpu', resourceClaimName: `c-${name}` }] },
    })
    const results = [{ request: 'one', driver, pool: 'a', device: `g${index}`, tolerations }]
    client.put(resourceClaims, {
      metadata: { name: `c-${name}`, namespace: 'default' },
      spec: { devices: { requests: [] } },
      status: {
        allocation: { devices: { results } },
        reservedFor: [{ resource: 'pods', name, uid: pod.metadata.uid! }],
      },
    })
  }
  await scope.clock.run(10)
  await work({
    client,
    pass: (ms) => scope.clock.run(ms),
    isThere: () => client.peek(pods, 'default/p')!.metadata.deletionTimestamp === undefined,
  })
  assert.equal(
    client.peek(pods, 'default/q')!.metadata.deletionTimestamp,
    undefined,
    'the pod of the other device stays',
  )
}

test('a pod leaves when the driver taints its device', () =>
  withPod([], async ({ client, pass, isThere }) => {
    assert.ok(isThere())
    client.change(resourceSlices, 's', (draft) => {
      draft.spec.devices![0]!.taints = [{ ...broken }]
    })
    await pass(10)
    assert.equal(isThere(), false)
    const told = client.peekAll(events).map(({ reason, message }) => `${reason}: ${message}`)
    assert.deepEqual(told, ['DeviceTaintManagerEviction: Marking for deletion Pod default/p'])
    const patch = client.writes.find(({ verb, subresource }) => verb === 'patch' && subresource === 'status')
    assert.ok(patch !== undefined, 'the condition is written before')
  }))

test('a pod leaves a device that a rule taints when the time is up that its claim tolerates, and stays if the rule goes before', () =>
  withPod([{ operator: 'Exists', tolerationSeconds: 60 }], async ({ client, pass, isThere }) => {
    const rule = {
      metadata: { name: 'rule' },
      spec: { deviceSelector: { driver, pool: 'a', device: 'g0' }, taint: broken },
    }
    await client.create(deviceTaintRules, rule)
    await pass(50_000)
    await client.delete(deviceTaintRules, { name: 'rule' })
    await pass(60_000)
    assert.ok(isThere())
    await client.create(deviceTaintRules, {
      ...rule,
      spec: { ...rule.spec, taint: { ...broken, timeAdded: new Date(0).toISOString() } },
    })
    await pass(10)
    assert.equal(isThere(), false)
  }))
