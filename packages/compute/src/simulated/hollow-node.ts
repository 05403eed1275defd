// One simulated node: it registers, renews its lease and takes its pods through their stages, through the API alone.

import { keyOf } from '@aksel/api/resource'
import { leases, nodes, pods } from '@aksel/api/resources'
import type { Lease } from '@aksel/api/types/coordination-v1'
import type { Node, Pod } from '@aksel/api/types/core-v1'
import { formatMicroTime, formatTime, sleep } from '@aksel/base/clock'
import { ignoreReason, isReason } from '@aksel/base/errors'
import { childScope, type Scope } from '@aksel/base/scope'
import type { Client } from '@aksel/client/client'
import type { MachineSpec } from '@aksel/provider/machine-provider'
import { nextStage } from './stages.ts'

const LEASE_NAMESPACE = 'kube-node-lease'
const LEASE_SECONDS = 40
const RENEW_MS = 10_000
const RETRY_MS = 1000

export interface HollowNodeOptions {
  readonly client: Client
  readonly spec: MachineSpec
  readonly address: string
}

/** Runs until the signal; ends without an error then. */
export async function runHollowNode(scope: Scope, options: HollowNodeOptions): Promise<void> {
  const own = childScope(scope, { node: options.spec.name })
  const addresses = new PodAddresses(options.spec.boot.podCidr)
  await untilStopped(own, 'registration failed', () => register(own, options))
  await Promise.all([renewLease(own, options), followPods(own, options, addresses)])
}

async function untilStopped(scope: Scope, what: string, work: () => Promise<void>): Promise<void> {
  while (!scope.signal.aborted) {
    try {
      return await work()
    } catch (error) {
      if (scope.signal.aborted) return
      scope.log.warn(what, { error })
      await pause(scope, RETRY_MS)
    }
  }
}

/** Sleeps, and simply returns when the scope ends. */
async function pause(scope: Scope, delayMs: number): Promise<void> {
  try {
    await sleep(scope.clock, delayMs, scope.signal)
  } catch (error) {
    if (!scope.signal.aborted) throw error
  }
}

async function register(scope: Scope, { client, spec, address }: HollowNodeOptions): Promise<void> {
  const name = spec.name
  const fresh = {
    apiVersion: 'v1',
    kind: 'Node',
    metadata: {
      name,
      labels: { ...spec.labels, 'aksel.dev/simulated': 'true' },
      annotations: { 'aksel.dev/simulated': 'no container runs on this node' },
    },
    spec: {
      podCIDR: spec.boot.podCidr,
      podCIDRs: [spec.boot.podCidr],
      providerID: `azure://${spec.clusterId}/machines/${name}`,
      ...(spec.taints.length === 0 ? {} : { taints: spec.taints }),
    },
  } satisfies Node
  const known = await ignoreReason('NotFound', client.get(nodes, { name }))
  if (known === undefined) await client.create(nodes, fresh)
  await client.patch(
    nodes,
    { name },
    { kind: 'strategic', body: { status: statusOf(scope, spec, address) } },
    { subresource: 'status' },
  )
}

function statusOf(scope: Scope, spec: MachineSpec, address: string): Node['status'] & object {
  const time = formatTime(scope.clock.now())
  const condition = (type: string, status: string, reason: string, message: string) => ({
    type,
    status,
    reason,
    message,
    lastHeartbeatTime: time,
    lastTransitionTime: time,
  })
  const amounts = {
    cpu: String(spec.vcpus),
    memory: `${Math.floor(spec.memoryBytes / 1024)}Ki`,
    pods: String(spec.maxPods),
    'ephemeral-storage': '129886128Ki',
  }
  return {
    capacity: amounts,
    allocatable: amounts,
    addresses: [
      { type: 'InternalIP', address },
      { type: 'Hostname', address: spec.name },
    ],
    conditions: [
      condition('MemoryPressure', 'False', 'KubeletHasSufficientMemory', 'kubelet has sufficient memory available'),
      condition('DiskPressure', 'False', 'KubeletHasNoDiskPressure', 'kubelet has no disk pressure'),
      condition('PIDPressure', 'False', 'KubeletHasSufficientPID', 'kubelet has sufficient PID available'),
      condition('Ready', 'True', 'KubeletReady', 'simulated node is posting ready status'),
    ],
    nodeInfo: {
      machineID: '',
      systemUUID: '',
      bootID: '',
      kernelVersion: 'simulated',
      osImage: 'Aksel simulated node',
      containerRuntimeVersion: 'simulated://1',
      kubeletVersion: `v${spec.boot.kubernetesVersion}`,
      kubeProxyVersion: `v${spec.boot.kubernetesVersion}`,
      operatingSystem: 'linux',
      architecture: 'amd64',
    },
  }
}

async function renewLease(scope: Scope, { client, spec }: HollowNodeOptions): Promise<void> {
  while (!scope.signal.aborted) {
    await untilStopped(scope, 'lease not renewed', async () => {
      const ref = { namespace: LEASE_NAMESPACE, name: spec.name }
      const leaseSpec = {
        holderIdentity: spec.name,
        leaseDurationSeconds: LEASE_SECONDS,
        renewTime: formatMicroTime(scope.clock.now()),
      }
      const known = await ignoreReason('NotFound', client.get(leases, ref))
      const lease: Lease = {
        apiVersion: 'coordination.k8s.io/v1',
        kind: 'Lease',
        metadata: known?.metadata ?? ref,
        spec: leaseSpec,
      }
      if (known === undefined) await client.create(leases, lease)
      else await client.update(leases, lease)
    })
    await pause(scope, RENEW_MS)
  }
}

async function followPods(scope: Scope, options: HollowNodeOptions, addresses: PodAddresses): Promise<void> {
  const selection = { fieldSelector: `spec.nodeName=${options.spec.name}`, signal: scope.signal }
  while (!scope.signal.aborted) {
    try {
      const list = await options.client.list(pods, selection)
      for (const pod of list.items) await advance(scope, options, addresses, pod)
      const from = list.metadata.resourceVersion ?? '0'
      for await (const event of options.client.watch(pods, {
        ...selection,
        resourceVersion: from,
        allowBookmarks: true,
      })) {
        if (event.type === 'DELETED') addresses.release(keyOf(event.object))
        else if (event.type !== 'BOOKMARK') await advance(scope, options, addresses, event.object)
      }
    } catch (error) {
      if (scope.signal.aborted) return
      if (!isReason(error, 'Expired', 'Gone')) scope.log.warn('pod watch ended', { error })
      await pause(scope, RETRY_MS)
    }
  }
}

async function advance(
  scope: Scope,
  { client, address }: HollowNodeOptions,
  addresses: PodAddresses,
  pod: Pod,
): Promise<void> {
  const ref = { name: pod.metadata.name, namespace: pod.metadata.namespace ?? '' }
  const stage = nextStage(pod, {
    nowMs: scope.clock.now(),
    podAddress: addresses.of(keyOf(pod), pod.status?.podIP),
    nodeAddress: address,
  })
  if (stage === undefined) return
  const { uid } = pod.metadata
  if (stage.kind === 'remove') {
    const preconditions = uid === undefined ? {} : { preconditions: { uid } }
    await ignoreReason('NotFound', client.delete(pods, ref, { gracePeriodSeconds: 0, ...preconditions }))
  } else {
    await ignoreReason(
      'NotFound',
      client.patch(
        pods,
        ref,
        { kind: 'strategic', body: { metadata: { uid }, status: stage.status } },
        { subresource: 'status' },
      ),
    )
  }
}

/** Addresses of the node's pod range, lowest free first; the first two belong to the network and its gateway. */
export class PodAddresses {
  readonly #base: number
  readonly #size: number
  readonly #byPod = new Map<string, string>()

  constructor(podCidr: string) {
    const [address, bits] = podCidr.split('/') as [string, string]
    this.#base = address.split('.').reduce((value, part) => value * 256 + Number(part), 0)
    this.#size = 2 ** (32 - Number(bits))
  }

  of(pod: string, known: string | undefined): string {
    const mine = this.#byPod.get(pod) ?? known
    if (mine !== undefined) {
      this.#byPod.set(pod, mine)
      return mine
    }
    const taken = new Set(this.#byPod.values())
    for (let offset = 2; offset < this.#size - 1; offset += 1) {
      const value = this.#base + offset
      const address = [24, 16, 8, 0].map((shift) => Math.floor(value / 2 ** shift) % 256).join('.')
      if (taken.has(address)) continue
      this.#byPod.set(pod, address)
      return address
    }
    throw new Error(`No address is left in the pod range for pod "${pod}"`)
  }

  release(pod: string): void {
    this.#byPod.delete(pod)
  }
}
