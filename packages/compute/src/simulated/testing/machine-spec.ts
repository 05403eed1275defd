// A small machine that simulated nodes stand for, in tests.

import type { MachineSpec } from '@aksel/provider/machine-provider'

export function machineSpec(index: number): MachineSpec {
  return {
    name: `n${index}`,
    clusterId: 'c',
    vmSize: 'Standard_D2s_v5',
    vcpus: 2,
    memoryBytes: 8 * 1024 ** 3,
    nodeImage: 'image',
    maxPods: 110,
    labels: {},
    taints: [],
    subnetId: 's',
    boot: {
      kubernetesVersion: '1.35.7',
      nodeUrl: '',
      tunnelSocket: '',
      clusterDns: '10.0.0.10',
      clusterDomain: 'cluster.local',
      serviceCidr: '10.0.0.0/16',
      podCidr: `10.244.${index}.0/24`,
    },
  }
}
