// Which nodes are other hosts, and that the fabric leads there as they come and go.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { setImmediate } from 'node:timers/promises'
import { nodes } from '@aksel/api/resources'
import type { Node } from '@aksel/api/types/core-v1'
import { MemoryCaches } from '@aksel/network/testing/memory-caches'
import { overlayNeighbour, overlayNumber, type OverlayHost } from '@aksel/provider/overlay'
import { testScope } from '@aksel/testing/test-scope'
import { joinedHosts, leadToJoinedHosts } from './joined-hosts.ts'

const node = (name: string, podCIDR: string, address: string, more: object = {}): Node => ({
  metadata: { name, labels: { 'aksel.dev/joined': 'true' } },
  spec: { podCIDR, ...more },
  status: { addresses: [{ type: 'InternalIP', address }] },
})

test('joinedHosts() names other hosts alone, in order, once they have range and address', () => {
  const machine: Node = { ...node('m', '10.244.0.0/24', '10.224.0.4'), metadata: { name: 'm' } }
  const claims = node('a', '10.244.1.0/24', '192.0.2.1', { providerID: 'azure:///subscriptions/s' })
  const all = [
    node('z', '10.244.9.0/24', '192.168.0.9'),
    node('b', '10.244.8.0/24', '192.168.0.8'),
    node('c', '', '192.168.0.7'),
    node('d', '10.244.7.0/24', 'fd00::7'),
    machine,
    claims,
  ]
  assert.deepEqual(joinedHosts(all), [
    { address: '192.168.0.8', podCidr: '10.244.8.0/24' },
    { address: '192.168.0.9', podCidr: '10.244.9.0/24' },
  ])
})

test('the fabric is told of hosts as they come and go, and again after it failed', async () => {
  const caches = new MemoryCaches()
  const stop = new AbortController()
  const calls: (readonly OverlayHost[])[] = []
  let next = Promise.withResolvers<void>()
  let fails = true
  const fabric = {
    async joinHosts(_scope: unknown, { hosts }: { readonly hosts: readonly OverlayHost[] }): Promise<void> {
      calls.push(hosts)
      next.resolve()
      if (fails) throw new Error('the router is not there yet')
    },
  }
  const told = async (): Promise<readonly OverlayHost[]> => {
    await next.promise
    next = Promise.withResolvers()
    return calls.at(-1)!
  }
  const scope = testScope()
  caches.of(nodes).put(node('b', '10.244.8.0/24', '192.168.0.8'))
  const options = { caches, fabric, virtualNetworkId: () => '/vnets/v', hostAddress: '100.65.0.1' }
  const leading = leadToJoinedHosts({ ...scope, signal: stop.signal }, options)
  const first = [{ address: '192.168.0.8', podCidr: '10.244.8.0/24' }]
  assert.deepEqual(await told(), first)
  fails = false
  await setImmediate()
  scope.clock.advance(5_000)
  assert.deepEqual(await told(), first)
  caches.of(nodes).delete('b')
  assert.deepEqual(await told(), [])
  stop.abort()
  await leading
})

test('networks and neighbours of an overlay follow from addresses, so that both ends name the same', () => {
  assert.notEqual(overlayNumber('100.65.0.1'), overlayNumber('100.65.1.0'))
  assert.equal(overlayNumber('100.65.0.1').toString(16), '10001')
  assert.deepEqual(overlayNeighbour('10.244.7.0/24'), { address: '10.244.7.0', mac: '0a:58:0a:f4:07:00' })
})
