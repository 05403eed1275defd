// Simulated machines against the suite of every provider, and the stages that their pods pass.

import assert from 'node:assert/strict'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import type { Pod } from '@aksel/api/types/core-v1'
import { machineProviderContract } from '@aksel/provider/machine-provider-contract'
import type { MachineSpec } from '@aksel/provider/machine-provider'
import { FakeClient } from '@aksel/testing/fake-client'
import { testScope } from '@aksel/testing/test-scope'
import { PodAddresses } from './hollow-node.ts'
import { openSimulatedMachines } from './simulated-machines.ts'
import { nextStage } from './stages.ts'

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
  const machines = await openSimulatedMachines(scope, {
    directory,
    clientFor: (clusterId) => {
      const client = clients.get(clusterId) ?? new FakeClient(scope)
      clients.set(clusterId, client)
      return client
    },
  })
  return {
    scope,
    machines,
    spec: specOf,
    credentialsFor: async () => ({ kubeconfig: '', servingCertificate: '', servingKey: '' }),
    async [Symbol.asyncDispose]() {
      for (const { clusterId, name } of machines.list()) await machines.delete(scope, clusterId, name)
      scope.abort()
      await rm(directory, { recursive: true, force: true })
    },
  }
})

const pod: Pod = {
  metadata: { name: 'p', namespace: 'n', uid: 'u' },
  spec: { containers: [{ name: 'c', image: 'i', resources: {} }] },
}
const facts = { nowMs: 0, podAddress: '10.244.0.2', nodeAddress: '198.18.0.1' }

test('nextStage() runs a new pod, leaves a running one and removes one that is to go', () => {
  const started = nextStage(pod, facts)
  assert.equal(started?.kind === 'status' && started.status.phase, 'Running')
  assert.equal(nextStage({ ...pod, status: { phase: 'Running' } }, facts), undefined)
  assert.deepEqual(
    nextStage({ ...pod, metadata: { ...pod.metadata, deletionTimestamp: '2026-01-01T00:00:00Z' } }, facts),
    { kind: 'remove' },
  )
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
