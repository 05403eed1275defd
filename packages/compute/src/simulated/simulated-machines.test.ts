// Simulated machines against the suite of every provider.

import assert from 'node:assert/strict'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { machineProviderContract } from '@aksel/provider/machine-provider-contract'
import type { MachineSpec } from '@aksel/provider/machine-provider'
import { FakeClient } from '@aksel/testing/fake-client'
import { testScope } from '@aksel/testing/test-scope'
import { PodAddresses } from './pod-addresses.ts'
import { openSimulatedMachines } from './simulated-machines.ts'

const specOf = (clusterId: string, name: string): MachineSpec => ({
  name,
  clusterId,
  vmSize: 'Standard_D2s_v5',
  vcpus: 2,
  memoryBytes: 8 * 1024 ** 3,
  nodeImage: 'AKSUbuntu-2404',
  maxPods: 110,
  labels: {},
  taints: [],
  subnetId: 'net/subnets/a',
  boot: {
    kubernetesVersion: '1.35.7',
    nodeUrl: '',
    tunnelSocket: '',
    clusterDns: '10.0.0.10',
    clusterDomain: 'cluster.local',
    serviceCidr: '10.0.0.0/16',
    podCidr: '10.244.0.0/24',
  },
})

machineProviderContract('simulated', async () => {
  const directory = await mkdtemp(join(tmpdir(), 'aksel-simulated-'))
  const scope = testScope()
  const clients = new Map<string, FakeClient>()
  const clientFor = (clusterId: string): FakeClient => {
    const client = clients.get(clusterId) ?? new FakeClient(scope)
    clients.set(clusterId, client)
    return client
  }
  const machines = await openSimulatedMachines(scope, { directory, clientFor, watchClientFor: clientFor })
  return {
    scope,
    machines,
    spec: specOf,
    credentialsFor: async () => ({ kubeconfig: '' }),
    async [Symbol.asyncDispose]() {
      for (const { clusterId, name } of machines.list()) await machines.delete(scope, clusterId, name)
      scope.abort()
      await rm(directory, { recursive: true, force: true })
    },
  }
})

test('PodAddresses gives each pod its own address, keeps it, and gives it to another once it is free', () => {
  const addresses = new PodAddresses('10.244.7.0/29')
  assert.deepEqual(
    [addresses.of('a', undefined), addresses.of('b', undefined), addresses.of('a', undefined)],
    ['10.244.7.2', '10.244.7.3', '10.244.7.2'],
  )
  addresses.release('a')
  assert.equal(addresses.of('c', undefined), '10.244.7.2')
  for (const pod of ['d', 'e', 'f']) addresses.of(pod, undefined)
  assert.throws(() => addresses.of('g', undefined), /No address is left/)
})
