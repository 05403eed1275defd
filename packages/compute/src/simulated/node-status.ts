// What a simulated node says of itself: sizes of its machine, conditions, and that no container runs on it.

import type { Node } from '@aksel/api/types/core-v1'
import { formatTime } from '@aksel/base/clock'
import { registrationTaints } from '@aksel/provider/cloud-instance'
import type { MachineSpec } from '@aksel/provider/machine-provider'

export function freshNode(spec: MachineSpec): Node {
  const { name } = spec
  const taints = registrationTaints(spec)
  return {
    apiVersion: 'v1',
    kind: 'Node',
    metadata: {
      name,
      labels: {
        // What a kubelet says of itself.
        'kubernetes.io/hostname': name,
        'kubernetes.io/os': 'linux',
        'kubernetes.io/arch': 'amd64',
        'beta.kubernetes.io/os': 'linux',
        'beta.kubernetes.io/arch': 'amd64',
        ...spec.labels,
        'aksel.dev/simulated': 'true',
      },
      annotations: {
        'aksel.dev/simulated': 'no container runs on this node',
        ...(spec.devices === undefined
          ? {}
          : { 'aksel.dev/simulated-devices': `neither device nor plug-in: ${Object.keys(spec.devices).join(', ')}` }),
      },
    },
    spec: {
      podCIDR: spec.boot.podCidr,
      podCIDRs: [spec.boot.podCidr],
      ...(taints.length === 0 ? {} : { taints }),
    },
  }
}

export interface StatusFacts {
  readonly spec: MachineSpec
  readonly address: string
  readonly nowMs: number
  readonly diskFull: boolean
  /** What was said before: a condition that says the same keeps its transition time. */
  readonly before?: Node | undefined
}

export function nodeStatus(facts: StatusFacts): Node['status'] & object {
  const { spec, address } = facts
  const amounts = {
    cpu: String(spec.vcpus),
    memory: `${Math.floor(spec.memoryBytes / 1024)}Ki`,
    pods: String(spec.maxPods),
    'ephemeral-storage': '129886128Ki',
    ...Object.fromEntries(Object.entries(spec.devices ?? {}).map(([name, count]) => [name, String(count)])),
  }
  return {
    capacity: amounts,
    allocatable: amounts,
    addresses: [
      { type: 'InternalIP', address },
      { type: 'Hostname', address: spec.name },
    ],
    conditions: nodeConditions(facts),
    nodeInfo: {
      machineID: '',
      systemUUID: '',
      bootID: '',
      kernelVersion: 'simulated',
      osImage: osOf(spec) === 'windows' ? 'Windows Server (Aksel simulated node)' : 'Aksel simulated node',
      containerRuntimeVersion: 'simulated://1',
      kubeletVersion: `v${spec.boot.kubernetesVersion}`,
      kubeProxyVersion: `v${spec.boot.kubernetesVersion}`,
      operatingSystem: osOf(spec),
      architecture: 'amd64',
    },
  }
}

function osOf({ labels }: MachineSpec): string {
  return labels['kubernetes.io/os'] ?? 'linux'
}

export function nodeConditions({
  nowMs,
  diskFull,
  before,
}: StatusFacts): NonNullable<Node['status']>['conditions'] & object {
  const time = formatTime(nowMs)
  const disk = diskFull
    ? (['True', 'KubeletHasDiskPressure', 'kubelet has disk pressure'] as const)
    : (['False', 'KubeletHasNoDiskPressure', 'kubelet has no disk pressure'] as const)
  const rows: readonly (readonly [string, string, string, string])[] = [
    ['MemoryPressure', 'False', 'KubeletHasSufficientMemory', 'kubelet has sufficient memory available'],
    ['DiskPressure', ...disk],
    ['PIDPressure', 'False', 'KubeletHasSufficientPID', 'kubelet has sufficient PID available'],
    ['Ready', 'True', 'KubeletReady', 'simulated node is posting ready status'],
  ]
  return rows.map(([type, status, reason, message]) => {
    const known = before?.status?.conditions?.find((condition) => condition.type === type)
    const since = known?.status === status ? known.lastTransitionTime : undefined
    return { type, status, reason, message, lastHeartbeatTime: time, lastTransitionTime: since ?? time }
  })
}
