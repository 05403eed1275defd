// What drivers are asked for, and when not.

import assert from 'node:assert/strict'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import type { Pod } from '@aksel/api/types/core-v1'
import type { ResourceClaim } from '@aksel/api/types/resource-v1'
import type { Client } from '@aksel/client/client'
import type { GrpcClient } from '../containerd/grpc.ts'
import { DraManager } from './dra-manager.ts'

const podOf = (name: string): Pod => ({
  metadata: { name, namespace: 'ns', uid: `uid-${name}` },
  spec: {
    resourceClaims: [{ name: 'light', resourceClaimName: 'lamp' }],
    containers: [
      { name: 'all', image: 'i', resources: { claims: [{ name: 'light' }] } },
      { name: 'two', image: 'i', resources: { claims: [{ name: 'light', request: 'two' }] } },
      { name: 'none', image: 'i' },
    ],
  },
})

const results = [
  { request: 'one', driver: 'a.example', pool: 'p', device: 'd1' },
  { request: 'two/small', driver: 'b.example', pool: 'p', device: 'd2' },
]

interface Bench {
  readonly calls: string[]
  readonly failing: Set<string>
  readonly manager: DraManager
  /** As an agent that starts. */
  readonly again: () => Promise<DraManager>
}

async function withManager(work: (bench: Bench) => Promise<void>, reserved = ['uid-a', 'uid-b']): Promise<void> {
  const rootDirectory = mkdtempSync(join(tmpdir(), 'aksel-dra-'))
  const claim: ResourceClaim = {
    metadata: { name: 'lamp', namespace: 'ns', uid: 'uid-lamp' },
    spec: { devices: { requests: [] } },
    status: {
      allocation: { devices: { results } },
      reservedFor: reserved.map((uid) => ({ resource: 'pods', name: uid, uid })),
    },
  }
  const calls: string[] = []
  const failing = new Set<string>()
  const drivers = {
    get: (driver: string) => {
      if (failing.has(`${driver} away`)) throw new Error(`DRA driver ${driver} is not registered`)
      return {
        unary: async (method: string) => {
          calls.push(`${driver} ${method}`)
          const error = failing.has(`${driver} ${method}`) ? 'broken' : ''
          const own = results.filter((each) => each.driver === driver)
          const devices = own.map(({ request, pool, device }) => ({
            requestNames: [request],
            poolName: pool,
            deviceName: device,
            cdiDeviceIds: [`x/${device}`],
          }))
          return { claims: { 'uid-lamp': { devices, error } } }
        },
      } as unknown as GrpcClient
    },
  }
  const client = { get: () => Promise.resolve(claim) } as unknown as Client
  const start = async (): Promise<DraManager> => {
    const manager = new DraManager({ client, drivers, rootDirectory })
    await manager.load()
    return manager
  }
  try {
    await work({ calls, failing, manager: await start(), again: start })
  } finally {
    rmSync(rootDirectory, { recursive: true })
  }
}

test('a claim is prepared once for all its pods and given back with the last, whoever restarts in between', () =>
  withManager(async ({ calls, manager, again }) => {
    await manager.prepare(podOf('a'))
    const later = await again()
    await later.prepare(podOf('a'))
    await later.prepare(podOf('b'))
    assert.deepEqual(calls, ['a.example NodePrepareResources', 'b.example NodePrepareResources'])
    const [all, two, none] = podOf('a').spec.containers.map((container) => later.cdiDevices(podOf('a'), container))
    assert.deepEqual([all, two, none], [['x/d1', 'x/d2'], ['x/d2'], []])
    await later.release('uid-a')
    assert.equal(calls.length, 2)
    const last = await again()
    await last.release('uid-b')
    await last.release('uid-b')
    assert.deepEqual(calls.slice(2), ['a.example NodeUnprepareResources', 'b.example NodeUnprepareResources'])
    assert.deepEqual((await again()).claims, [])
  }))

test('a driver that fails is asked again, and one that is away keeps all others from being asked', () =>
  withManager(async ({ calls, failing, manager }) => {
    failing.add('b.example away')
    await assert.rejects(manager.prepare(podOf('a')), /^Error: DRA driver b.example is not registered$/)
    assert.deepEqual([calls, manager.claims], [[], []])
    failing.clear()
    failing.add('b.example NodePrepareResources')
    await assert.rejects(manager.prepare(podOf('a')), /NodePrepareResources failed for ResourceClaim lamp: broken/)
    // It may have made something: its pod does not go before it was asked to take it back.
    failing.add('b.example NodeUnprepareResources')
    await assert.rejects(manager.release('uid-a'), /NodeUnprepareResources failed for ResourceClaim lamp: broken/)
    failing.clear()
    await manager.prepare(podOf('a'))
    assert.deepEqual(manager.claims[0]?.isPrepared, true)
    await manager.release('uid-a')
    assert.deepEqual(manager.claims, [])
  }))

test('a claim that is reserved for others is refused', () =>
  withManager(
    ({ manager }) =>
      assert.rejects(
        manager.prepare(podOf('a')),
        /^Error: pod a \(uid-a\) is not allowed to use resource claim lamp \(uid-lamp\)$/,
      ),
    ['uid-b'],
  ))
