// Keeps a route to every node's pod ranges, and tells nodes whether their pods can be reached.

import { nodes } from '@aksel/api/resources'
import type { Node } from '@aksel/api/types/core-v1'
import { formatTime } from '@aksel/base/clock'
import { ignoreReason } from '@aksel/base/errors'
import type { Scope } from '@aksel/base/scope'
import { again, done } from '@aksel/runtime/controller'
import type { Cache, Controller, Outcome, Source } from '@aksel/runtime/controller'
import { isSame } from '../canonical.ts'
import { withCondition, type LoopParts } from '../parts.ts'
import { tell } from '../pod-control.ts'
import type { Route, Routes } from './routes.ts'

export interface RouteParts extends LoopParts {
  readonly routes: Routes
  /** The cluster's pod ranges: routes elsewhere are not ours. */
  readonly isPodCidr: (cidr: string) => boolean
}

/** As upstream's default `--route-reconciliation-period`: what others changed in the network is put right. */
const CHECK_EVERY_MS = 10_000
const TYPE = 'NetworkUnavailable'

/** One key stands for all routes: the network tells them all at once. */
export function routeController(parts: RouteParts): Controller {
  const own: Source<Node> = {
    type: nodes,
    keysOf: (now, before) => (isSame(factsOf(now), factsOf(before)) ? [] : ['all']),
  }
  return { name: 'route', sources: [own], reconcile: (scope) => reconcile(scope, parts) }
}

function factsOf(node: Node | undefined): unknown {
  if (node === undefined) return undefined
  const condition = node.status?.conditions?.find(({ type }) => type === TYPE)
  return [cidrsOf(node), addressesOf(node), condition?.status]
}

function cidrsOf({ spec }: Node): readonly string[] {
  return spec?.podCIDRs ?? (spec?.podCIDR === undefined ? [] : [spec.podCIDR])
}

function addressesOf({ status }: Node): readonly string[] {
  return (status?.addresses ?? []).flatMap(({ type, address }) => (type === 'InternalIP' ? [address] : []))
}

async function reconcile(scope: Scope, parts: RouteParts): Promise<Outcome> {
  const { routes, isPodCidr, caches } = parts
  const known: Cache<Node> = caches.of(nodes)
  const present = await routes.list(scope)
  for (const route of present) {
    const node = known.get(route.nodeName)
    if (isPodCidr(route.destinationCidr) && !(node !== undefined && cidrsOf(node).includes(route.destinationCidr)))
      await routes.remove(scope, route)
  }
  for (const node of known.list()) await routeTo(scope, parts, node, present)
  return known.list().length === 0 ? done : again(CHECK_EVERY_MS)
}

async function routeTo(scope: Scope, parts: RouteParts, node: Node, present: readonly Route[]): Promise<void> {
  const { name } = node.metadata
  const cidrs = cidrsOf(node)
  const addresses = addressesOf(node)
  if (cidrs.length === 0) return
  try {
    for (const destinationCidr of cidrs) {
      const isThere = present.some((each) => each.nodeName === name && each.destinationCidr === destinationCidr)
      if (isThere) continue
      if (addresses.length === 0) throw new Error(`node ${name} has no internal address`)
      await parts.routes.ensure(scope, { nodeName: name, destinationCidr, addresses })
    }
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error)
    const owner = { type: nodes, object: node, source: 'route_controller' }
    tell(
      scope,
      parts.client,
      owner,
      'Warning',
      'FailedToCreateRoute',
      `Could not create route for node ${name}: ${why}`,
    )
    await say(scope, parts, node, {
      status: 'True',
      reason: 'NoRouteCreated',
      message: 'RouteController failed to create a route',
    })
    return
  }
  await say(scope, parts, node, { status: 'False', reason: 'RouteCreated', message: 'RouteController created a route' })
}

async function say(
  scope: Scope,
  { client }: RouteParts,
  { metadata, status }: Node,
  what: { readonly status: 'True' | 'False'; readonly reason: string; readonly message: string },
): Promise<void> {
  const present = status?.conditions?.find(({ type }) => type === TYPE)
  if (present?.status === what.status && present.reason === what.reason) return
  const nowText = formatTime(scope.clock.now())
  const condition = { type: TYPE, ...what, lastTransitionTime: nowText, lastHeartbeatTime: nowText }
  const conditions = withCondition(status?.conditions, condition)
  const body = { metadata: { uid: metadata.uid }, status: { conditions } }
  await ignoreReason('NotFound', client.patch(nodes, metadata, { kind: 'strategic', body }, { subresource: 'status' }))
}
