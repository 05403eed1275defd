// Nodes of a cluster as its pools see them: ready or not, labelled, drained, gone.

import { nodes, pods } from '@aksel/api/resources'
import type { Node, Pod, Taint } from '@aksel/api/types/core-v1'
import { anySignal } from '@aksel/base/any-signal'
import { sleep } from '@aksel/base/clock'
import { ignoreReason, isReason } from '@aksel/base/errors'
import type { Scope } from '@aksel/base/scope'
import type { Client } from '@aksel/client/client'
import { uninitializedTaint } from '@aksel/provider/cloud-instance'
import { parseTaint } from '../../machine-spec.ts'
import type { MachineRecord, PoolRecord } from '../../records.ts'
import { waitUntil } from './observe.ts'

export function isReady(node: Node): boolean {
  return node.status?.conditions?.some(({ type, status }) => type === 'Ready' && status === 'True') === true
}

/** Its cloud has said what it is: until then no pod comes to it. */
function isInitialized(node: Node): boolean {
  return !(node.spec?.taints ?? []).some(({ key }) => key === uninitializedTaint.key)
}

/** Resolves when all of these nodes are Ready, and pods may come to them; rejects with the signal's reason. */
export async function waitForReady(
  scope: Scope,
  client: Client,
  wait: {
    readonly names: readonly string[]
    readonly signal: AbortSignal
    readonly missing: (names: readonly string[]) => void
    /** It is enough that they have registered. */
    readonly registered?: boolean
  },
): Promise<void> {
  if (wait.names.length === 0) return
  await waitUntil<Node>(scope, client, {
    type: nodes,
    list: {},
    signal: wait.signal,
    satisfied: (known) => {
      const missing = wait.names.filter((name) => {
        const node = known.get(name)
        if (node === undefined) return true
        return wait.registered !== true && (!isReady(node) || !isInitialized(node))
      })
      wait.missing(missing)
      return missing.length === 0
    },
  })
}

/** Brings the pool's labels and taints to a node that was given others; true when something was changed. */
export async function syncNode(client: Client, pool: PoolRecord, machine: MachineRecord): Promise<boolean> {
  const wantedLabels = pool.properties.nodeLabels ?? {}
  const wantedTaints = pool.properties.nodeTaints ?? []
  if (same(wantedLabels, machine.labels) && same(wantedTaints, machine.taints)) return false
  const node = await ignoreReason('NotFound', client.get(nodes, { name: machine.name }))
  if (node === undefined) return true
  const removed = Object.keys(machine.labels).filter((name) => wantedLabels[name] === undefined)
  const old = machine.taints.map(parseTaint)
  const kept = (node.spec.taints ?? []).filter((taint) => !old.some((other) => sameTaint(taint, other)))
  await client.patch(
    nodes,
    { name: machine.name },
    {
      kind: 'merge',
      body: {
        metadata: {
          resourceVersion: node.metadata.resourceVersion,
          labels: { ...Object.fromEntries(removed.map((name) => [name, null])), ...wantedLabels },
        },
        spec: { taints: [...kept, ...wantedTaints.map(parseTaint)] },
      },
    },
  )
  return true
}

function sameTaint(left: Pick<Taint, 'key' | 'effect'>, right: Pick<Taint, 'key' | 'effect'>): boolean {
  return left.key === right.key && left.effect === right.effect
}

function same(left: unknown, right: unknown): boolean {
  return JSON.stringify(sorted(left)) === JSON.stringify(sorted(right))
}

function sorted(value: unknown): unknown {
  return Array.isArray(value) ? value : Object.entries(value as object).toSorted(([a], [b]) => (a < b ? -1 : 1))
}

export interface DrainOptions {
  readonly node: string
  /** Aborts when the time for a gentle drain is over, or the pass is. */
  readonly signal: AbortSignal
  readonly ignoreDisruptionBudgets: boolean
  /** How long load balancers have for forgetting it, even where it has no pods: milliseconds. */
  readonly leaveMs?: number
  /** Told of every pod whose eviction was refused, and why. */
  readonly refused?: (pod: string, why: string) => void
}

/** How long to wait before asking again for an eviction that a disruption budget refused; kubectl waits as long. */
const refusedAgainMs = 5_000

/** Load balancers send nobody to a node that has it. */
export const excludeLabel = 'node.kubernetes.io/exclude-from-external-load-balancers'

/** Cordons the node and evicts its pods; resolves when none of them is left. A node that does not exist is drained. */
export async function drain(scope: Scope, client: Client, options: DrainOptions): Promise<void> {
  const patch = {
    kind: 'merge',
    body: { metadata: { labels: { [excludeLabel]: 'true' } }, spec: { unschedulable: true } },
  } as const
  const node = await ignoreReason('NotFound', client.patch(nodes, { name: options.node }, patch))
  if (node === undefined) return
  await Promise.all([evicted(scope, client, options), sleep(scope.clock, options.leaveMs ?? 0, options.signal)])
}

async function evicted(scope: Scope, client: Client, options: DrainOptions): Promise<void> {
  while (true) {
    const refused = await evictAll(client, options)
    const again = new AbortController()
    using timer = refused ? scope.clock.after(refusedAgainMs, () => again.abort()) : undefined
    try {
      await waitUntil<Pod>(scope, client, {
        type: pods,
        list: { fieldSelector: `spec.nodeName=${options.node}` },
        signal: anySignal([options.signal, again.signal]),
        satisfied: (known) => ![...known.values()].some(mustLeave),
      })
      return
    } catch (error) {
      if (!again.signal.aborted || options.signal.aborted) throw error
    } finally {
      timer?.[Symbol.dispose]()
    }
  }
}

/** Asks for the eviction of every pod that must leave; true where one was refused. */
async function evictAll(client: Client, options: DrainOptions): Promise<boolean> {
  const { items } = await client.list(pods, { fieldSelector: `spec.nodeName=${options.node}` })
  let refused = false
  for (const pod of items.filter(mustLeave)) {
    if (pod.metadata.deletionTimestamp !== undefined) continue
    if (!(await evict(client, pod, options))) refused = true
  }
  return refused
}

async function evict(client: Client, pod: Pod, options: DrainOptions): Promise<boolean> {
  const ref = { name: pod.metadata.name, namespace: pod.metadata.namespace ?? 'default' }
  try {
    if (options.ignoreDisruptionBudgets) await client.delete(pods, ref)
    else {
      const body = { apiVersion: 'policy/v1', kind: 'Eviction', metadata: ref }
      await client.createSubresource(pods, ref, 'eviction', body)
    }
    return true
  } catch (error) {
    if (isReason(error, 'NotFound')) return true
    if (!isReason(error, 'TooManyRequests')) throw error
    options.refused?.(`${ref.namespace}/${ref.name}`, error instanceof Error ? error.message : String(error))
    return false
  }
}

/** Pods of daemon sets and static pods belong to the node and go with it. */
function mustLeave(pod: Pod): boolean {
  if (pod.metadata.annotations?.['kubernetes.io/config.mirror'] !== undefined) return false
  if (pod.metadata.ownerReferences?.some(({ kind, controller }) => kind === 'DaemonSet' && controller === true))
    return false
  return pod.status?.phase !== 'Succeeded' && pod.status?.phase !== 'Failed'
}

/** Removes the node and what is left on it: its machine is gone. */
export async function removeNode(client: Client, name: string): Promise<void> {
  const left = await client.list(pods, { fieldSelector: `spec.nodeName=${name}` })
  for (const pod of left.items) {
    const ref = { name: pod.metadata.name, namespace: pod.metadata.namespace ?? 'default' }
    await ignoreReason('NotFound', client.delete(pods, ref, { gracePeriodSeconds: 0 }))
  }
  await ignoreReason('NotFound', client.delete(nodes, { name }))
}
