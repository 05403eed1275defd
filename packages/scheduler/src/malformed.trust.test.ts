// Objects that got past validation, with any field missing or senseless, beside sound ones: the scheduler goes on placing pods.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import {
  deviceClasses,
  deviceTaintRules,
  namespaces,
  nodes,
  persistentVolumeClaims,
  persistentVolumes,
  pods,
  resourceClaims,
  resourceSlices,
  storageClasses,
} from '@aksel/api/resources'
import { keyOf, type KubernetesObject, type ResourceType } from '@aksel/api/resource'
import type { Pod } from '@aksel/api/types/core-v1'
import { createCaches } from '@aksel/runtime/caches'
import { FakeClient } from '@aksel/testing/fake-client'
import { variantsOf } from '@aksel/testing/malformed'
import { testScope } from '@aksel/testing/test-scope'
import { lookedAt } from './api-objects.ts'
import { createScheduler } from './scheduler.ts'
import { claim, deviceClass, driver, slice } from './testing/devices.ts'
import { malformedRows } from './testing/malformed-rows.ts'

const rows = malformedRows as readonly (readonly [ResourceType, KubernetesObject])[]

test('every kind that the scheduler looks at has a row of senseless objects', () => {
  const rowed = new Set(rows.map(([type]) => type.kind))
  const missing = [nodes, pods, ...lookedAt].filter(({ kind }) => !rowed.has(kind))
  assert.deepEqual(
    missing.map(({ kind }) => kind),
    [],
  )
})

const soundNode = {
  metadata: { name: 'sound', labels: { zone: 'a', 'kubernetes.io/hostname': 'sound' } },
  spec: {},
  status: { allocatable: { cpu: '64', memory: '64Gi', pods: '2000' } },
}

function soundPod(name: string, spec: Partial<Pod['spec']> = {}): Pod {
  const containers = [{ name: 'main', image: 'web:1', resources: { requests: { cpu: '1m' } } }]
  return { metadata: { name, namespace: 'sound', uid: name, labels: { sound: name } }, spec: { containers, ...spec } }
}

/** Who has to look at the object of this name, of a kind that no decision looks at unasked. */
async function useOf(client: FakeClient, type: ResourceType, name: string): Promise<void> {
  const metadata = { name: `user-of-${name}`, namespace: 'shop' }
  const disk = { volumes: [{ name: 'd', persistentVolumeClaim: { claimName: metadata.name } }] }
  const newClaim = (storageClassName: string): Promise<unknown> =>
    client.create(persistentVolumeClaims, {
      metadata,
      spec: { storageClassName, accessModes: ['ReadWriteOnce'], resources: { requests: { storage: '1Gi' } } },
    })
  const uses = async (spec: Partial<Pod['spec']>): Promise<void> =>
    void (await client.create(pods, { ...soundPod(name, spec), metadata }))
  if (type === persistentVolumeClaims)
    return uses({ volumes: [{ name: 'd', persistentVolumeClaim: { claimName: name } }] })
  if (type === storageClasses || type === persistentVolumes) {
    await newClaim(type === storageClasses ? name : 'wait')
    return uses(disk)
  }
  if (type === resourceClaims) return uses({ resourceClaims: [{ name: 'r', resourceClaimName: name }] })
  if (type !== deviceClasses) return
  const devices = { requests: [{ name: 'r', exactly: { deviceClassName: name } }] }
  await client.create(resourceClaims, { metadata, spec: { devices } })
  return uses({ resourceClaims: [{ name: 'r', resourceClaimName: metadata.name }] })
}

/** Sound work of every sort, which must be done whatever stands beside it. */
async function order(client: FakeClient): Promise<readonly string[]> {
  await client.create(storageClasses, {
    metadata: { name: 'sound' },
    provisioner: 'kubernetes.io/no-provisioner',
    volumeBindingMode: 'WaitForFirstConsumer',
  })
  const storage = { storage: '1Gi' }
  const accessModes = ['ReadWriteOnce']
  client.put(persistentVolumes, {
    metadata: { name: 'sound' },
    spec: { storageClassName: 'sound', capacity: storage, accessModes, hostPath: { path: '/d' } },
    status: { phase: 'Available' },
  })
  await client.create(persistentVolumeClaims, {
    metadata: { name: 'disk', namespace: 'sound' },
    spec: { storageClassName: 'sound', accessModes, resources: { requests: storage } },
  })
  await client.create(
    deviceClasses,
    deviceClass('gpu', { selectors: [{ cel: { expression: `device.driver == "${driver}"` } }] }),
  )
  // More than senseless claims may take.
  const devices = Array.from({ length: 60 }, (_, index) => `device-${index}`)
  await client.create(resourceSlices, slice('sound', devices))
  await client.create(resourceClaims, { ...claim('card'), metadata: { name: 'card', namespace: 'sound', uid: 'card' } })
  const spread = {
    maxSkew: 1,
    topologyKey: 'zone',
    whenUnsatisfiable: 'DoNotSchedule',
    labelSelector: { matchLabels: { sound: 'spread' } },
  }
  const all = [
    soundPod('plain'),
    soundPod('spread', { topologySpreadConstraints: [spread] }),
    soundPod('disk', { volumes: [{ name: 'd', persistentVolumeClaim: { claimName: 'disk' } }] }),
    soundPod('card', { resourceClaims: [{ name: 'card', resourceClaimName: 'card' }] }),
  ]
  for (const pod of all) await client.create(pods, pod)
  return all.map(keyOf)
}

for (const [index, [type, object]] of rows.entries()) {
  test(`pods are placed beside a ${type.kind} with a field that is missing or makes no sense (row ${index})`, async () => {
    using scope = testScope()
    const client = new FakeClient(scope)
    for (const name of ['shop', 'sound'])
      await client.create(namespaces, { metadata: { name, labels: { app: 'web' } }, spec: {} })
    await client.create(nodes, soundNode)
    let count = 0
    for (const { metadata, ...rest } of variantsOf(object)) {
      count += 1
      client.put(type, { ...rest, metadata: { ...metadata, name: `x-${count}` } } as KubernetesObject)
    }
    assert.ok(count > 2, `only ${count} variants`)
    await using caches = createCaches(scope, client)
    const scheduler = createScheduler(scope, { client, caches, deviceTaintRules })
    const running = scheduler.run()
    running.catch(() => {})
    await scope.clock.run(1000)
    for (let at = 1; at <= count; at += 1) await useOf(client, type, `x-${at}`)
    const keys = await order(client)
    for (let second = 0; second < 20; second += 1) {
      await scope.clock.run(1000)
      // The volume loop's part.
      const disk = client.peek(persistentVolumes, 'sound')
      if (disk?.spec.claimRef !== undefined)
        client.change(persistentVolumeClaims, 'sound/disk', (draft) => {
          draft.spec.volumeName = 'sound'
          draft.metadata.annotations = { 'pv.kubernetes.io/bind-completed': 'yes' }
          draft.status = { phase: 'Bound' }
        })
    }
    const placed = keys.filter((key) => (client.peek(pods, key)?.spec.nodeName ?? '') !== '')
    assert.deepEqual(placed, keys)
    const broken = scope.lines.filter(({ level }) => level === 'error')
    assert.deepEqual(
      broken.map(({ message, fields }) => `${message}: ${(fields as { error?: Error }).error?.stack?.slice(0, 400)}`),
      [],
    )
    for (const pod of client.peekAll(pods)) assert.ok(scheduler.explain(keyOf(pod)) !== undefined)
  })
}
