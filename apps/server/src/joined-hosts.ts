// Leads packets of the cluster's VNet to the pods of nodes that are other hosts: those are known by their label, and are no machines.

import { isDeepStrictEqual } from 'node:util'
import { nodes } from '@aksel/api/resources'
import type { Node } from '@aksel/api/types/core-v1'
import { isAddress, readRange } from '@aksel/base/ipv4'
import { sleep } from '@aksel/base/clock'
import type { Scope } from '@aksel/base/scope'
import type { Fabric } from '@aksel/provider/fabric'
import type { OverlayHost } from '@aksel/provider/overlay'
import { JOINED_LABEL } from '@aksel/provider/join-settings'
import type { Caches } from '@aksel/runtime/controller'

export interface LeadOptions {
  readonly caches: Caches
  readonly fabric: Pick<Fabric, 'joinHosts'>
  /** The VNet of the cluster's nodes, once it is known. */
  readonly virtualNetworkId: () => string | undefined
  /** What the API server has in that VNet. */
  readonly hostAddress: string
}

const AGAIN_MS = 5_000

/** Until the scope's signal. What cannot be put in force is tried again. */
export async function leadToJoinedHosts(scope: Scope, options: LeadOptions): Promise<void> {
  const known = options.caches.of(nodes)
  await known.synced(scope.signal).catch(() => {})
  let changed = Promise.withResolvers<void>()
  using _watching = known.subscribe((now, before) => {
    if (isJoined(now) || isJoined(before)) changed.resolve()
  })
  const ended = aborted(scope.signal)
  let standing: readonly OverlayHost[] | undefined
  // One may have left while nobody looked.
  changed.resolve()
  while (!scope.signal.aborted) {
    await Promise.race([changed.promise, ended])
    changed = Promise.withResolvers()
    const hosts = joinedHosts(known.list())
    const virtualNetworkId = options.virtualNetworkId()
    if (scope.signal.aborted || isDeepStrictEqual(hosts, standing)) continue
    if (virtualNetworkId === undefined && hosts.length === 0) continue
    try {
      if (virtualNetworkId === undefined) throw new Error('the VNet of the cluster is not known yet')
      await options.fabric.joinHosts(scope, { virtualNetworkId, hostAddress: options.hostAddress, hosts })
      standing = hosts
    } catch (error) {
      scope.log.warn('no way was laid to the pods of hosts that joined', { error })
      await sleep(scope.clock, AGAIN_MS, scope.signal).catch(() => {})
      changed.resolve()
    }
  }
}

/** Those that have a range and an address; in the order of their names. A machine of a pool has a provider, whatever its labels say. */
export function joinedHosts(all: readonly Node[]): readonly OverlayHost[] {
  return all
    .filter(isJoined)
    .toSorted((left, right) => (left.metadata.name < right.metadata.name ? -1 : 1))
    .flatMap(({ spec, status }) => {
      const podCidr = spec?.podCIDR ?? ''
      const address = status?.addresses?.find(({ type }) => type === 'InternalIP')?.address ?? ''
      return isAddress(address) && readRange(podCidr) !== undefined ? [{ address, podCidr }] : []
    })
}

function isJoined(node: Node | undefined): boolean {
  return node?.metadata.labels?.[JOINED_LABEL] === 'true' && (node.spec?.providerID ?? '') === ''
}

function aborted(signal: AbortSignal): Promise<void> {
  if (signal.aborted) return Promise.resolve()
  return new Promise((resolve) => signal.addEventListener('abort', () => resolve(), { once: true }))
}
