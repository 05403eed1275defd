// The Node object that this agent keeps: what it is at registration, and its status at a moment. Pure.

import { arch } from 'node:process'
import type { Node, NodeCondition, NodeStatus } from '@aksel/api/types/core-v1'
import { formatTime } from '@aksel/base/clock'
import { pressureConditions } from '../eviction/pressure.ts'
import type { PressureCondition } from '../eviction/pressure.ts'
import type { DeviceAmounts } from '../devices/device-manager.ts'
import type { ImageEntry, RuntimeCondition, RuntimeVersion } from '../cri/types.ts'

export interface NodeDescription {
  readonly name: string
  readonly address: string
  /** On nodes of both families. */
  readonly ipv6Address?: string
  readonly labels: Readonly<Record<string, string>>
  readonly taints: readonly { readonly key: string; readonly value?: string; readonly effect: string }[]
  /** Absent where the node's cloud tells it. */
  readonly providerId?: string
  readonly podCidr: string
  readonly ipv6PodCidr?: string
  readonly capacity: {
    readonly cpuMilli: number
    readonly memoryBytes: number
    readonly ephemeralStorageBytes: number
    readonly maxPods: number
  }
  /** What the node keeps for itself. */
  readonly reserved: { readonly cpuMilli: number; readonly memoryBytes: number; readonly ephemeralStorageBytes: number }
  /** Without the leading v: `1.35.7`. */
  readonly kubernetesVersion: string
  readonly osImage: string
  readonly machine: MachineIds
  /** Where the node's own endpoint answers, through the tunnel. */
  readonly kubeletPort: number
}

/** Of the host's kernel, and of this machine alone. */
export interface MachineIds {
  readonly machineId: string
  readonly systemUuid: string
  readonly bootId: string
  readonly kernelVersion: string
}

export function newNode(node: NodeDescription): Node {
  return {
    metadata: {
      name: node.name,
      labels: labelsOf(node),
      annotations: { 'volumes.kubernetes.io/controller-managed-attach-detach': 'true' },
    },
    spec: {
      ...(node.providerId === undefined ? {} : { providerID: node.providerId }),
      ...(node.podCidr === '' ? {} : { podCIDR: node.podCidr, podCIDRs: podCidrsOf(node) }),
      ...(node.taints.length === 0 ? {} : { taints: node.taints }),
    },
  }
}

function podCidrsOf({ podCidr, ipv6PodCidr }: NodeDescription): readonly string[] {
  return [podCidr, ...(ipv6PodCidr === undefined ? [] : [ipv6PodCidr])]
}

export function labelsOf(node: Pick<NodeDescription, 'name' | 'labels'>): Readonly<Record<string, string>> {
  const architecture = architectureName()
  return {
    'beta.kubernetes.io/arch': architecture,
    'beta.kubernetes.io/os': 'linux',
    'kubernetes.io/arch': architecture,
    'kubernetes.io/hostname': node.name,
    'kubernetes.io/os': 'linux',
    ...node.labels,
  }
}

function architectureName(): string {
  return arch === 'x64' ? 'amd64' : arch
}

export interface NodeFacts {
  readonly nowMs: number
  readonly runtime: RuntimeVersion | undefined
  /** Empty while the runtime does not answer. */
  readonly runtimeConditions: readonly RuntimeCondition[]
  readonly images: readonly ImageEntry[]
  readonly pressure: ReadonlySet<PressureCondition>
  readonly isShuttingDown?: boolean
  readonly devices?: DeviceAmounts
  /** What stands in the API now. */
  readonly before: NodeStatus | undefined
}

const IMAGES_MAX = 50

export function nodeStatus(node: NodeDescription, facts: NodeFacts): NodeStatus {
  const { capacity, reserved, machine } = node
  return {
    ...facts.before,
    addresses: [
      { type: 'InternalIP', address: node.address },
      ...(node.ipv6Address === undefined ? [] : [{ type: 'InternalIP', address: node.ipv6Address }]),
      { type: 'Hostname', address: node.name },
    ],
    capacity: { ...extended(facts, 'capacity'), ...quantities(capacity) },
    allocatable: {
      ...extended(facts, 'allocatable'),
      ...quantities({
        cpuMilli: capacity.cpuMilli - reserved.cpuMilli,
        memoryBytes: capacity.memoryBytes - reserved.memoryBytes,
        ephemeralStorageBytes: capacity.ephemeralStorageBytes - reserved.ephemeralStorageBytes,
        maxPods: capacity.maxPods,
      }),
    },
    conditions: conditionsOf(facts),
    daemonEndpoints: { kubeletEndpoint: { Port: node.kubeletPort } },
    nodeInfo: {
      machineID: machine.machineId,
      systemUUID: machine.systemUuid,
      bootID: machine.bootId,
      kernelVersion: machine.kernelVersion,
      osImage: node.osImage,
      containerRuntimeVersion:
        facts.runtime === undefined
          ? (facts.before?.nodeInfo?.containerRuntimeVersion ?? 'containerd://')
          : `${facts.runtime.runtimeName}://${facts.runtime.runtimeVersion}`,
      kubeletVersion: `v${node.kubernetesVersion}`,
      kubeProxyVersion: '',
      operatingSystem: 'linux',
      architecture: architectureName(),
    },
    images: facts.images
      .map(({ repoDigests, repoTags, size }) => ({ names: [...repoDigests, ...repoTags], sizeBytes: size }))
      .filter(({ names }) => names.length > 0)
      .toSorted((left, right) => right.sizeBytes - left.sizeBytes)
      .slice(0, IMAGES_MAX),
  }
}

/** What plug-ins offer, and what somebody wrote into the status by hand, as for extended resources without a plug-in. */
function extended({ before, devices }: NodeFacts, list: 'capacity' | 'allocatable'): Readonly<Record<string, string>> {
  const kept = Object.entries(before?.[list] ?? {}).filter(
    ([name]) => name.includes('/') && !devices?.removed.includes(name),
  )
  const offered = Object.entries(devices?.[list] ?? {})
  return Object.fromEntries([...kept, ...offered].map(([name, amount]) => [name, String(amount)]))
}

function quantities(amounts: NodeDescription['capacity']): Readonly<Record<string, string>> {
  const { cpuMilli, memoryBytes, ephemeralStorageBytes, maxPods } = amounts
  return {
    cpu: cpuMilli % 1000 === 0 ? String(cpuMilli / 1000) : `${cpuMilli}m`,
    'ephemeral-storage': `${Math.floor(ephemeralStorageBytes / 1024)}Ki`,
    'hugepages-1Gi': '0',
    'hugepages-2Mi': '0',
    memory: `${Math.floor(memoryBytes / 1024)}Ki`,
    pods: String(maxPods),
  }
}

interface Verdict {
  readonly status: 'True' | 'False'
  readonly reason: string
  readonly message: string
}

function conditionsOf(facts: NodeFacts): readonly NodeCondition[] {
  const owned: readonly (readonly [string, Verdict])[] = [
    ...pressureConditions.map((type) => [type, pressureVerdict(type, facts.pressure.has(type))] as const),
    ['Ready', readyVerdict(facts)],
  ]
  const names = new Set(owned.map(([type]) => type))
  const others = (facts.before?.conditions ?? []).filter(({ type }) => !names.has(type))
  return [...others, ...owned.map(([type, verdict]) => condition(facts, type, verdict))]
}

const pressureTexts = {
  MemoryPressure: [
    ['KubeletHasSufficientMemory', 'kubelet has sufficient memory available'],
    ['KubeletHasInsufficientMemory', 'kubelet has insufficient memory available'],
  ],
  DiskPressure: [
    ['KubeletHasNoDiskPressure', 'kubelet has no disk pressure'],
    ['KubeletHasDiskPressure', 'kubelet has disk pressure'],
  ],
  PIDPressure: [
    ['KubeletHasSufficientPID', 'kubelet has sufficient PID available'],
    ['KubeletHasInsufficientPID', 'kubelet has insufficient PID available'],
  ],
} as const

function pressureVerdict(type: PressureCondition, isHigh: boolean): Verdict {
  const [reason, message] = pressureTexts[type][isHigh ? 1 : 0]
  return { status: isHigh ? 'True' : 'False', reason, message }
}

function readyVerdict({ runtimeConditions, isShuttingDown }: NodeFacts): Verdict {
  const notReady = { status: 'False', reason: 'KubeletNotReady' } as const
  if (isShuttingDown === true) return { ...notReady, message: 'node is shutting down' }
  if (runtimeConditions.length === 0) return { ...notReady, message: 'container runtime is down' }
  const broken = runtimeConditions.find(({ status }) => !status)
  if (broken === undefined)
    return { status: 'True', reason: 'KubeletReady', message: 'kubelet is posting ready status' }
  const name = broken.type === 'NetworkReady' ? 'container runtime network' : 'container runtime'
  return {
    ...notReady,
    message: `${name} not ready: ${broken.type}=false reason:${broken.reason} message:${broken.message}`,
  }
}

/** What is told when a condition becomes true or false. */
const conditionNews: Readonly<Record<string, readonly [whenFalse: string, whenTrue: string]>> = {
  MemoryPressure: ['NodeHasSufficientMemory', 'NodeHasInsufficientMemory'],
  DiskPressure: ['NodeHasNoDiskPressure', 'NodeHasDiskPressure'],
  PIDPressure: ['NodeHasSufficientPID', 'NodeHasInsufficientPID'],
  Ready: ['NodeNotReady', 'NodeReady'],
}

/** Reasons of the events that tell how the conditions have changed. */
export function newsOf(before: NodeStatus | undefined, now: NodeStatus): readonly string[] {
  return (now.conditions ?? []).flatMap(({ type, status }) => {
    const words = conditionNews[type]
    const known = before?.conditions?.find((entry) => entry.type === type)
    if (words === undefined || known?.status === status) return []
    return [words[status === 'True' ? 1 : 0]]
  })
}

function condition({ before, nowMs }: NodeFacts, type: string, verdict: Verdict): NodeCondition {
  const known = before?.conditions?.find((entry) => entry.type === type)
  const now = formatTime(nowMs)
  return {
    type,
    ...verdict,
    lastHeartbeatTime: now,
    lastTransitionTime: known?.status === verdict.status ? (known.lastTransitionTime ?? now) : now,
  }
}
