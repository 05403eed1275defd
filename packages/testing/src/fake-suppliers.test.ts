// The fakes keep the contracts of what they stand for.

import { clusterEngineContract } from '@aksel/provider/cluster-engine-contract'
import { machineProviderContract } from '@aksel/provider/machine-provider-contract'
import { FakeClusterEngine } from './fake-cluster-engine.ts'
import { FakeMachines } from './fake-machines.ts'
import { testScope } from './test-scope.ts'

clusterEngineContract('fake', async () => {
  const scope = testScope()
  return { scope, engine: new FakeClusterEngine(scope), [Symbol.asyncDispose]: async () => scope.abort() }
})

for (const kind of ['local', 'simulated'] as const) {
  machineProviderContract(`fake ${kind}`, async () => {
    const scope = testScope()
    return {
      scope,
      machines: new FakeMachines({ kind }),
      spec: (clusterId, name) => ({
        name,
        clusterId,
        vmSize: 'Standard_D2s_v5',
        vcpus: 2,
        memoryBytes: 8 * 1024 ** 3,
        nodeImage: 'AKSUbuntu-2404gen2containerd-202611.01.0',
        maxPods: 250,
        labels: {},
        taints: [],
        subnetId: 'subnet',
        boot: {
          kubernetesVersion: '1.35.7',
          nodeUrl: 'https://100.64.0.10:443',
          tunnelSocket: '/run/fake.sock',
          clusterDns: '10.0.0.10',
          clusterDomain: 'cluster.local',
          serviceCidr: '10.0.0.0/16',
          podCidr: '10.244.0.0/24',
        },
      }),
      credentialsFor: async () => ({ kubeconfig: '' }),
      [Symbol.asyncDispose]: async () => scope.abort(),
    }
  })
}
