// Claims through the scheduler's loop: allocated and reserved before the pod is bound, given back when it is not, and who is
// woken when devices come, go and get free.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { deviceClasses, events, nodes, pods, resourceClaims, resourceSlices } from '@aksel/api/resources'
import { deviceTaintRules } from '@aksel/api/resources'
import type { ResourceClaim } from '@aksel/api/types/resource-v1'
import { createCaches } from '@aksel/runtime/caches'
import { FakeClient, type FakeClientOptions } from '@aksel/testing/fake-client'
import { testScope } from '@aksel/testing/test-scope'
import { createScheduler, type Scheduler, type SchedulerOptions } from '../scheduler.ts'
import { claim, deviceClass, deviceNode, driver, exactly, picking, slice, user } from '../testing/devices.ts'

interface Rig {
  readonly client: FakeClient
  readonly scheduler: Scheduler
  readonly pass: (ms: number) => Promise<void>
  readonly nodeOf: (pod: string) => string
  readonly claimed: (name: string) => ResourceClaim
  readonly told: () => readonly string[]
}

async function rig(
  work: (rig: Rig) => Promise<void>,
  options: Pick<FakeClientOptions, 'before'> & Pick<SchedulerOptions, 'deviceTaintRules'> = {},
): Promise<void> {
  using scope = testScope()
  const { deviceTaintRules: rules, ...hooks } = options
  const client = new FakeClient({ ...scope, ...hooks })
  await using caches = createCaches(scope, client)
  const more = rules === undefined ? {} : { deviceTaintRules: rules }
  const scheduler = createScheduler(scope, { client, caches, ...more })
  scheduler.run().catch(() => {})
  for (const name of ['a', 'b']) await client.create(nodes, deviceNode(name))
  await client.create(deviceClasses, deviceClass())
  await scope.clock.run(1)
  await work({
    client,
    scheduler,
    pass: (ms) => scope.clock.run(ms),
    nodeOf: (pod) => client.peek(pods, `default/${pod}`)?.spec.nodeName ?? '',
    claimed: (name) => client.peek(resourceClaims, `default/${name}`)!,
    told: () =>
      client.peekAll(events).flatMap(({ reason, message }) => (reason === 'FailedScheduling' ? [message!] : [])),
  })
}

const deviceOf = ({ status }: ResourceClaim): string | undefined => status?.allocation?.devices?.results?.[0]?.device

test('a pod goes where its claim finds a device: the claim is allocated, guarded and reserved before the pod is bound', () =>
  rig(async ({ client, pass, nodeOf, claimed }) => {
    await client.create(resourceSlices, slice('b', ['g0']))
    await client.create(resourceClaims, claim('c'))
    const { metadata } = await client.create(pods, user('p', 'c'))
    await pass(10)
    assert.equal(nodeOf('p'), 'b')
    const { metadata: meta, status } = claimed('c')
    assert.deepEqual(meta.finalizers, ['resource.kubernetes.io/delete-protection'])
    assert.deepEqual(status, {
      allocation: {
        devices: { results: [{ request: 'one', driver, pool: 'b', device: 'g0' }] },
        nodeSelector: {
          nodeSelectorTerms: [{ matchFields: [{ key: 'metadata.name', operator: 'In', values: ['b'] }] }],
        },
      },
      reservedFor: [{ resource: 'pods', name: 'p', uid: metadata.uid }],
    })
    const order = client.writes
      .filter(({ name }) => name === 'c' || name === 'p')
      .map(({ verb, subresource }) => `${verb} ${subresource ?? ''}`)
    assert.deepEqual(order.slice(-3), ['update ', 'update status', 'create binding'])
  }))

test('one device goes to one of two pods, and to the other when the claim of the first is given back', () =>
  rig(async ({ client, pass, nodeOf, claimed, told }) => {
    await client.create(resourceSlices, slice('a', ['g0']))
    for (const name of ['c', 'd']) {
      await client.create(resourceClaims, claim(name))
      await client.create(pods, user(`for-${name}`, name))
    }
    await pass(100)
    assert.deepEqual([nodeOf('for-c'), nodeOf('for-d')], ['a', ''])
    assert.match(told()[0]!, /^0\/2 nodes are available: 2 cannot allocate all claims\./)
    client.change(resourceClaims, 'default/c', (draft) => void delete draft.status)
    await pass(2000)
    assert.deepEqual([nodeOf('for-d'), deviceOf(claimed('d'))], ['a', 'g0'])
  }))

test('pods share a claim that is allocated, each reserved, on nodes that reach the device', () =>
  rig(async ({ client, pass, nodeOf, claimed }) => {
    await client.create(resourceSlices, slice('b', ['g0']))
    await client.create(resourceClaims, claim('c'))
    for (const name of ['p', 'q', 'r']) await client.create(pods, user(name, 'c'))
    await pass(3000)
    assert.deepEqual(['p', 'q', 'r'].map(nodeOf), ['b', 'b', 'b'])
    assert.deepEqual(
      claimed('c')
        .status!.reservedFor!.map(({ name }) => name)
        .toSorted(),
      ['p', 'q', 'r'],
    )
  }))

test('what is missing is said: the claim, its class, a device; each wakes the pod when it comes', () =>
  rig(async ({ client, pass, nodeOf, told }) => {
    await client.create(pods, user('p', 'c'))
    await pass(10)
    assert.match(told().at(-1)!, /^0\/2 nodes are available: resourceclaim\.resource\.k8s\.io "c" not found\./)
    await client.create(resourceClaims, claim('c', { requests: [exactly('one', { deviceClassName: 'rare' })] }))
    await pass(1500)
    assert.match(told().at(-1)!, /request one: device class rare does not exist/)
    await client.create(deviceClasses, deviceClass('rare'))
    await pass(2500)
    assert.match(told().at(-1)!, /2 cannot allocate all claims/)
    await client.create(resourceSlices, slice('a', ['g0']))
    await pass(5000)
    assert.equal(nodeOf('p'), 'a')
  }))

test('a pod whose claim is still to be made of a template waits in silence', () =>
  rig(async ({ client, pass, nodeOf, told }) => {
    await client.create(resourceSlices, slice('a', ['g0']))
    const { spec, ...rest } = user('p')
    const resourceClaims_ = [{ name: 'gpu', resourceClaimTemplateName: 't' }]
    const { metadata } = await client.create(pods, { ...rest, spec: { ...spec, resourceClaims: resourceClaims_ } })
    await pass(1000)
    assert.deepEqual([nodeOf('p'), told()], ['', []])
    const made = claim('p-gpu-x')
    const owner = { apiVersion: 'v1', kind: 'Pod', name: 'p', uid: metadata.uid!, controller: true }
    await client.create(resourceClaims, { ...made, metadata: { ...made.metadata, ownerReferences: [owner] } })
    client.change(pods, 'default/p', (draft) => {
      draft.status = { ...draft.status, resourceClaimStatuses: [{ name: 'gpu', resourceClaimName: 'p-gpu-x' }] }
    })
    await pass(2000)
    assert.equal(nodeOf('p'), 'a')
  }))

test('an expression that fails on a device is told of the node, and other nodes are tried', () =>
  rig(async ({ client, pass, nodeOf, told }) => {
    await client.create(resourceSlices, slice('a', ['g0']))
    const wish = exactly('one', picking(`device.attributes["${driver}"].model == "big"`))
    await client.create(resourceClaims, claim('c', { requests: [wish] }))
    await client.create(pods, user('p', 'c'))
    await pass(10)
    assert.match(
      told().at(-1)!,
      /1 cannot allocate all claims, 1 claim default\/c: selector #0: CEL runtime error: no such key: model/,
    )
    const big = { name: 'g0', attributes: { model: { string: 'big' } } }
    await client.create(resourceSlices, slice('b', [big]))
    await pass(3000)
    assert.equal(nodeOf('p'), 'b')
  }))

test('the first choice of a prioritized list decides between nodes', () =>
  rig(async ({ client, pass, nodeOf, claimed }) => {
    await client.create(resourceSlices, slice('a', [{ name: 'slow', attributes: { fast: { bool: false } } }]))
    await client.create(resourceSlices, slice('b', [{ name: 'fast', attributes: { fast: { bool: true } } }]))
    const one = (name: string, fast: boolean) => ({
      name,
      deviceClassName: 'gpu',
      allocationMode: 'ExactCount',
      count: 1,
      ...picking(`device.attributes["${driver}"].fast == ${fast}`),
    })
    const requests = [{ name: 'any', firstAvailable: [one('fast', true), one('slow', false)] }]
    await client.create(resourceClaims, claim('c', { requests }))
    await client.create(pods, user('p', 'c'))
    await pass(10)
    assert.equal(nodeOf('p'), 'b')
    assert.equal(claimed('c').status!.allocation!.devices!.results![0]!.request, 'any/fast')
  }))

test('a pod that is not bound gives its reservation back, and gets its device at the next try', () => {
  let refusals = 1
  return rig(
    async ({ client, pass, nodeOf, claimed }) => {
      await client.create(resourceSlices, slice('a', ['g0']))
      await client.create(resourceClaims, claim('c'))
      await client.create(pods, user('p', 'c'))
      await pass(20)
      assert.equal(nodeOf('p'), '')
      assert.equal(deviceOf(claimed('c')), 'g0')
      assert.equal(claimed('c').status!.reservedFor, undefined)
      await pass(5000)
      assert.equal(nodeOf('p'), 'a')
      assert.equal(claimed('c').status!.reservedFor!.length, 1)
    },
    {
      before({ subresource }) {
        if (subresource === 'binding' && refusals-- > 0) throw new Error('no binding today')
      },
    },
  )
})

test('a device whose claim could not be written is free for others', () => {
  let isBroken = true
  return rig(
    async ({ client, pass, nodeOf }) => {
      await client.create(resourceSlices, slice('a', ['g0']))
      for (const name of ['c', 'd']) {
        await client.create(resourceClaims, claim(name))
        await client.create(pods, user(`for-${name}`, name))
      }
      await pass(200)
      assert.deepEqual([nodeOf('for-c'), nodeOf('for-d')], ['', ''])
      await client.delete(pods, { namespace: 'default', name: 'for-c' })
      isBroken = false
      await pass(15_000)
      assert.equal(nodeOf('for-d'), 'a')
    },
    {
      before({ type, verb }) {
        if (isBroken && verb === 'update' && type.plural === 'resourceclaims') throw new Error('the disk is full')
      },
    },
  )
})

test('devices that were allocated where the pod cannot be are given back for it', () =>
  rig(async ({ client, pass, nodeOf, claimed }) => {
    for (const name of ['a', 'b']) await client.create(resourceSlices, slice(name, [`on-${name}`]))
    await client.create(resourceClaims, claim('c'))
    const results = [{ request: 'one', driver, pool: 'a', device: 'on-a' }]
    const terms = [{ matchFields: [{ key: 'metadata.name', operator: 'In', values: ['a'] }] }]
    client.change(resourceClaims, 'default/c', (draft) => {
      draft.status = { allocation: { devices: { results }, nodeSelector: { nodeSelectorTerms: terms } } } as never
    })
    client.change(nodes, 'a', (draft) => void (draft.spec.unschedulable = true))
    await client.create(pods, user('p', 'c'))
    await pass(10_000)
    assert.deepEqual([nodeOf('p'), deviceOf(claimed('c'))], ['b', 'on-b'])
  }))

test('a pod is bound when its devices say that they are ready, and tried anew without them when they fail', () =>
  rig(async ({ client, pass, nodeOf, claimed }) => {
    const device = { name: 'g0', bindingConditions: ['ready'], bindingFailureConditions: ['burnt'] }
    await client.create(resourceSlices, slice('a', [device]))
    await client.create(resourceClaims, claim('c'))
    await client.create(pods, user('p', 'c'))
    await pass(100)
    assert.deepEqual([nodeOf('p'), deviceOf(claimed('c'))], ['', 'g0'])
    assert.ok(claimed('c').status!.allocation!.allocationTimestamp !== undefined)
    const tells = (type: string): void =>
      void client.change(resourceClaims, 'default/c', (draft) => {
        const conditions = [
          { type, status: 'True', reason: 'x', message: '', lastTransitionTime: '2026-01-01T00:00:00Z' },
        ]
        draft.status!.devices = [{ driver, pool: 'a', device: 'g0', conditions }] as never
      })
    tells('burnt')
    await pass(10)
    assert.equal(claimed('c').status!.allocation, undefined)
    await pass(5000)
    assert.deepEqual([nodeOf('p'), deviceOf(claimed('c'))], ['', 'g0'])
    tells('ready')
    await pass(10)
    assert.equal(nodeOf('p'), 'a')
  }))

test('a rule taints devices that no driver tainted, and a pod gets one when the rule goes', () =>
  rig(
    async ({ client, pass, nodeOf, told }) => {
      await client.create(resourceSlices, slice('a', ['g0']))
      const taint = { key: 'maintenance', effect: 'NoSchedule' }
      await client.create(deviceTaintRules, {
        metadata: { name: 'rule' },
        spec: { deviceSelector: { pool: 'a' }, taint },
      })
      await client.create(resourceClaims, claim('c'))
      await client.create(pods, user('p', 'c'))
      await pass(10)
      assert.match(told().at(-1)!, /2 cannot allocate all claims/)
      await client.delete(deviceTaintRules, { name: 'rule' })
      await pass(3000)
      assert.equal(nodeOf('p'), 'a')
    },
    { deviceTaintRules },
  ))

test('explain() tells for a pod with a claim what each node answers', () =>
  rig(async ({ client, pass, scheduler }) => {
    await client.create(resourceSlices, slice('a', ['g0']))
    await client.create(resourceClaims, claim('c'))
    await client.create(pods, user('p', 'c'))
    await pass(10)
    assert.deepEqual(
      scheduler.explain('default/p')!.nodes.map(({ node, fits, reasons }) => ({ node, fits, reasons })),
      [
        { node: 'a', fits: true, reasons: [] },
        { node: 'b', fits: false, reasons: ['resourceclaim not available on the node'] },
      ],
    )
  }))
