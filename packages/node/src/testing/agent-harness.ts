// An agent on a real containerd, with the API in memory: for tests of what happens to pods on a node.

import { join } from 'node:path'
import type { KubernetesObject, ResourceType } from '@aksel/api/resource'
import { pods } from '@aksel/api/resources'
import type { Pod } from '@aksel/api/types/core-v1'
import type { Scope } from '@aksel/base/scope'
import { childScope } from '@aksel/base/scope'
import { FakeClient } from '@aksel/testing/fake-client'
import { runAgent } from '../agent.ts'
import type { RunningAgent } from '../agent.ts'
import { createSnapshots } from '../containerd/snapshots.ts'
import { createTasks } from '../containerd/tasks.ts'
import { readKubeletConfig } from '../kubelet-config.ts'
import type { KubeletConfig } from '../kubelet-config.ts'
import type { HostMemoryNode } from '../memory-manager/memory-nodes.ts'
import type { DiskMounter } from '../volumes/disk-mounter.ts'
import type { ContainerdHarness } from './containerd-harness.ts'

export interface AgentHarness extends AsyncDisposable {
  readonly client: FakeClient
  readonly agent: RunningAgent
  /** The next state of the pod that fits; rejects after the deadline with the state it has. */
  podWhen(name: string, fits: (pod: Pod | undefined) => boolean): Promise<Pod | undefined>
}

const DEADLINE_MS = 30_000

/** `refuseDisks` rejects every disk; tests of disks bring their own. */
const refuseDisks: DiskMounter = {
  mount: () => Promise.reject(new Error('this test has no disks')),
  grow: () => Promise.reject(new Error('this test has no disks')),
  unmount: () => Promise.resolve(),
}

/** The host's disk may be fuller than a node's should: only tests of it mind. */
const quietKubelet: Partial<KubeletConfig> = { evictionHard: {}, imageGCHighThresholdPercent: 100 }

export async function startAgent(
  scope: Scope,
  containerd: ContainerdHarness,
  options: {
    readonly client?: FakeClient
    readonly disks?: DiskMounter
    readonly kubelet?: Partial<KubeletConfig>
    readonly memoryBytes?: number
    readonly memoryNodes?: readonly HostMemoryNode[]
    readonly kubernetesVersion?: string
  } = {},
): Promise<AgentHarness> {
  const stop = new AbortController()
  const own = childScope(scope, {}, stop.signal)
  const client = options.client ?? new FakeClient({ clock: scope.clock, random: scope.random })
  const tasks = await createTasks(own, { socketPath: containerd.socketPath, directory: containerd.directory })
  const snapshots = await createSnapshots(own, { socketPath: containerd.socketPath })
  const agent = await runAgent(own, {
    client,
    runtime: containerd.runtime,
    taskEvents: (signal) => tasks.events(signal, ['exit', 'oom']),
    endTask: (id) => tasks.end(id),
    ledger: containerd.ledger,
    disks: options.disks ?? refuseDisks,
    snapshots,
    nodeName: 'n1',
    nodeAddress: '10.224.0.4',
    labels: { 'kubernetes.azure.com/agentpool': 'nodepool1' },
    taints: [],
    maxPods: 30,
    capacity: { cpuMilli: 2000, memoryBytes: options.memoryBytes ?? 8 * 2 ** 30, ephemeralStorageBytes: 100 * 2 ** 30 },
    ...(options.memoryNodes === undefined ? {} : { memoryNodes: options.memoryNodes }),
    kubernetesVersion: options.kubernetesVersion ?? '1.35.7',
    osImage: 'Ubuntu 22.04.5 LTS',
    providerId: 'azure:///n1',
    podCidr: containerd.podCidr,
    clusterDns: '10.0.0.10',
    clusterDomain: 'cluster.local',
    rootDirectory: join(containerd.directory, 'kubelet'),
    podLogsDirectory: join(containerd.directory, 'pod-logs'),
    cgroupRoot: containerd.cgroupRoot,
    owner: 'test',
    settings: readKubeletConfig({ ...quietKubelet, ...options.kubelet }),
  })
  await agent.registered
  return {
    client,
    agent,
    podWhen: (name, fits) => when(scope, client, pods, `default/${name}`, fits),
    async [Symbol.asyncDispose]() {
      stop.abort(new Error('the agent is stopped'))
      await agent.ended
      tasks[Symbol.dispose]()
      snapshots[Symbol.dispose]()
    },
  }
}

/** Waits on a watch, not on time. */
export async function when<T extends KubernetesObject>(
  scope: Scope,
  client: FakeClient,
  type: ResourceType<T>,
  key: string,
  fits: (object: T | undefined) => boolean,
): Promise<T | undefined> {
  const end = new AbortController()
  const timer = scope.clock.after(DEADLINE_MS, () => end.abort())
  const keep = setInterval(() => {}, 1000)
  try {
    const list = await client.list(type)
    if (fits(client.peek(type, key))) return client.peek(type, key)
    const resourceVersion = list.metadata.resourceVersion ?? '0'
    for await (const _ of client.watch(type, { resourceVersion, signal: end.signal })) {
      const now = client.peek(type, key)
      if (fits(now)) return now
    }
  } finally {
    clearInterval(keep)
    timer[Symbol.dispose]()
  }
  throw new Error(
    `${key} did not come to the state waited for: ${JSON.stringify(client.peek(type, key), undefined, 1)}`,
  )
}

/** A pod of one busybox container on the test's node, with what the API server would have defaulted. */
export function busyboxPod(name: string, command: readonly string[], more: Partial<Pod['spec']> = {}): Pod {
  return {
    metadata: { name, namespace: 'default' },
    spec: {
      nodeName: 'n1',
      restartPolicy: 'Always',
      terminationGracePeriodSeconds: 5,
      dnsPolicy: 'ClusterFirst',
      containers: [{ name: 'main', image: 'busybox:1.36', imagePullPolicy: 'IfNotPresent', command }],
      ...more,
    },
    status: { phase: 'Pending' },
  }
}
