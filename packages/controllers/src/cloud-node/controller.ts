// The cloud's side of a node: says once what its machine is, which frees it for pods, and later whether the machine is off.
// The work of AKS's cloud-node-manager, and of the lifecycle loop in its cloud controller manager.

import { nodes } from '@aksel/api/resources'
import type { Node } from '@aksel/api/types/core-v1'
import { ignoreReason } from '@aksel/base/errors'
import type { Scope } from '@aksel/base/scope'
import { again, done } from '@aksel/runtime/controller'
import type { Cache, Controller, Outcome, Source } from '@aksel/runtime/controller'
import type { LoopParts } from '../parts.ts'
import { tell } from '../pod-control.ts'
import type { CloudInstances } from './instances.ts'
import { initialized, isUninitialized, judgePower } from './judge.ts'

export interface CloudNodeParts extends LoopParts {
  readonly instances: CloudInstances
}

/** How often a silent node's machine is looked at, as upstream's `--node-monitor-period`. */
const MONITOR_MS = 5_000
/** A machine that is not known yet may be in the making. */
const UNKNOWN_MS = 1_000

export function cloudNodeController(parts: CloudNodeParts): Controller {
  const known = parts.caches.of(nodes)
  const own: Source<Node> = {
    type: nodes,
    keysOf: (now) => (now === undefined ? [] : [now.metadata.name]),
  }
  return {
    name: 'cloud-node',
    sources: [own],
    workers: 4,
    reconcile: (scope, key) => reconcile(scope, parts, known, key),
  }
}

async function reconcile(scope: Scope, parts: CloudNodeParts, known: Cache<Node>, key: string): Promise<Outcome> {
  const node = known.get(key)
  if (node === undefined) return done
  return isUninitialized(node) ? initialize(scope, parts, node) : followPower(parts, node)
}

async function initialize(scope: Scope, parts: CloudNodeParts, node: Node): Promise<Outcome> {
  const { name, uid, resourceVersion } = node.metadata
  const instance = parts.instances.find(name)
  if (instance === undefined) return again(UNKNOWN_MS)
  const { labels, providerID, taints } = initialized(node, instance)
  const spec = { taints: taints.length === 0 ? null : taints, ...(providerID === undefined ? {} : { providerID }) }
  const body = { metadata: { uid, resourceVersion, labels }, spec }
  await ignoreReason('NotFound', parts.client.patch(nodes, { name }, { kind: 'merge', body }))
  const about = { type: nodes, object: node, source: 'cloud-node-controller' }
  tell(scope, parts.client, about, 'Normal', 'Synced', 'Node synced successfully')
  return done
}

async function followPower(parts: CloudNodeParts, node: Node): Promise<Outcome> {
  const { name, uid, resourceVersion } = node.metadata
  const { taints, isWatched } = judgePower(node, parts.instances.find(name))
  if (taints !== undefined) {
    const body = { metadata: { uid, resourceVersion }, spec: { taints: taints.length === 0 ? null : taints } }
    await ignoreReason('NotFound', parts.client.patch(nodes, { name }, { kind: 'merge', body }))
  }
  return isWatched ? again(MONITOR_MS) : done
}
