// A node of both address families, as the API sees it.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { hostIpsOf } from '../pod/pod-host.ts'
import { newNode, nodeStatus, type NodeDescription } from './node-object.ts'

const description: NodeDescription = {
  name: 'n1',
  address: '10.224.0.4',
  ipv6Address: 'fd00:a:e0::4',
  labels: {},
  taints: [],
  podCidr: '10.244.0.0/24',
  ipv6PodCidr: 'fd12:3456:789a::/80',
  capacity: { cpuMilli: 1000, memoryBytes: 2 ** 30, ephemeralStorageBytes: 2 ** 30, maxPods: 30 },
  reserved: { cpuMilli: 0, memoryBytes: 0, ephemeralStorageBytes: 0 },
  kubernetesVersion: '1.35.0',
  osImage: 'Debian',
  machine: { machineId: 'm', systemUuid: 's', bootId: 'b', kernelVersion: 'k' },
  kubeletPort: 10250,
}
const facts = {
  nowMs: 0,
  runtime: undefined,
  runtimeConditions: [],
  images: [],
  pressure: new Set(),
  before: undefined,
}

test('should have ipv4 and ipv6 internal node ip', () => {
  assert.deepEqual(nodeStatus(description, facts as never).addresses, [
    { type: 'InternalIP', address: '10.224.0.4' },
    { type: 'InternalIP', address: 'fd00:a:e0::4' },
    { type: 'Hostname', address: 'n1' },
  ])
  assert.deepEqual(newNode(description).spec, {
    podCIDR: '10.244.0.0/24',
    podCIDRs: ['10.244.0.0/24', 'fd12:3456:789a::/80'],
  })
})

test("a node of one family is as it was; a pod's host has all of the node's addresses", () => {
  const { ipv6Address: _, ipv6PodCidr: __, ...single } = description
  assert.equal(nodeStatus(single, facts as never).addresses!.length, 2)
  assert.deepEqual(newNode(single).spec, { podCIDR: '10.244.0.0/24', podCIDRs: ['10.244.0.0/24'] })
  assert.deepEqual(hostIpsOf({ nodeAddress: '10.224.0.4' }), ['10.224.0.4'])
  assert.deepEqual(hostIpsOf({ nodeAddress: '10.224.0.4', nodeIpv6Address: 'fd00::4' }), ['10.224.0.4', 'fd00::4'])
})
