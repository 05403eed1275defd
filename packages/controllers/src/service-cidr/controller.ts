// Keeps ranges of service addresses from vanishing under services that live on them, and says which are ready.

import { ipAddresses, serviceCidrs } from '@aksel/api/resources'
import type { IPAddress, ServiceCIDR } from '@aksel/api/types/networking-v1'
import { formatTime } from '@aksel/base/clock'
import { ignoreReason } from '@aksel/base/errors'
import { parseIp, rangeHolds } from '@aksel/base/ip-range'
import type { Scope } from '@aksel/base/scope'
import { again, done } from '@aksel/runtime/controller'
import type { Controller, Outcome, Source } from '@aksel/runtime/controller'
import { withCondition, writeStatus, type LoopParts } from '../parts.ts'
import { mayGo, rangesOf } from './judge.ts'

export const serviceCidrFinalizer = 'networking.k8s.io/service-cidr-finalizer'

/** Until every allocator has heard that a range goes: upstream's. */
const GRACE_MS = 10_000

const ready = { type: 'Ready', status: 'True', reason: '', message: 'Kubernetes Service CIDR is ready' } as const
const leaving = {
  type: 'Ready',
  status: 'False',
  reason: 'Terminating',
  message: 'There are still IPAddresses referencing the ServiceCIDR, please remove them or create a new ServiceCIDR',
} as const

export function serviceCidrController({ client, caches }: LoopParts): Controller {
  const ranges = caches.of(serviceCidrs)
  const addresses = caches.of(ipAddresses)
  const own: Source<ServiceCIDR> = {
    type: serviceCidrs,
    // Another range that comes, grows or goes may be what one that leaves waits for.
    keysOf: (now) => [
      ...(now === undefined ? [] : [now.metadata.name]),
      ...ranges.list().flatMap((range) => (isLeaving(range) ? [range.metadata.name] : [])),
    ],
  }
  const held: Source<IPAddress> = {
    type: ipAddresses,
    keysOf: (now, before) => {
      const address = now === undefined ? parseIp(before!.metadata.name) : undefined
      if (address === undefined) return []
      return ranges
        .list()
        .filter((range) => isLeaving(range) && rangesOf(range).some((one) => rangeHolds(one, address)))
        .map(({ metadata }) => metadata.name)
    },
  }
  const setFinalizers = (range: ServiceCIDR, finalizers: readonly string[]): Promise<unknown> => {
    const { uid, resourceVersion } = range.metadata
    const body = { metadata: { uid, resourceVersion, finalizers: finalizers.length === 0 ? null : finalizers } }
    return ignoreReason('NotFound', client.patch(serviceCidrs, range.metadata, { kind: 'merge', body }))
  }
  const say = async (scope: Scope, range: ServiceCIDR, what: typeof ready | typeof leaving): Promise<void> => {
    const known = range.status?.conditions ?? []
    const found = known.find(({ type }) => type === 'Ready')
    if (found?.status === what.status && (found.reason ?? '') === what.reason && found.message === what.message) return
    const lastTransitionTime = formatTime(scope.clock.now())
    const conditions = withCondition(known, { ...what, lastTransitionTime })
    await ignoreReason('NotFound', writeStatus(client, serviceCidrs, range, { ...range.status, conditions }))
  }
  const letGo = async (scope: Scope, range: ServiceCIDR): Promise<Outcome> => {
    const finalizers = range.metadata.finalizers ?? []
    if (!finalizers.includes(serviceCidrFinalizer)) return done
    if (!mayGo(range, ranges.list(), addresses.list())) {
      await say(scope, range, leaving)
      return done
    }
    const sinceMs = Date.parse(range.metadata.deletionTimestamp!)
    const leftMs = sinceMs + GRACE_MS - scope.clock.now()
    if (leftMs > 0) return again(leftMs)
    await setFinalizers(
      range,
      finalizers.filter((name) => name !== serviceCidrFinalizer),
    )
    return done
  }
  return {
    name: 'service-cidr',
    sources: [own, held] as unknown as readonly Source[],
    async reconcile(scope, key) {
      const range = ranges.get(key)
      if (range === undefined) return done
      if (isLeaving(range)) return letGo(scope, range)
      const finalizers = range.metadata.finalizers ?? []
      // The finalizer first: a range that is ready is one that does not vanish. What it changes comes back by the watch.
      if (!finalizers.includes(serviceCidrFinalizer)) await setFinalizers(range, [...finalizers, serviceCidrFinalizer])
      else await say(scope, range, ready)
      return done
    },
  }
}

function isLeaving({ metadata }: ServiceCIDR): boolean {
  return metadata.deletionTimestamp !== undefined
}
