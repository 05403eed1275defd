// Tells by a Lease that this API server is there, and removes the leases of servers that are not any more.

import { createHash } from 'node:crypto'
import { leases } from '@aksel/api/resources'
import type { Lease } from '@aksel/api/types/coordination-v1'
import { formatMicroTime } from '@aksel/base/clock'
import { ignoreReason, isReason } from '@aksel/base/errors'
import { fraction, uuid } from '@aksel/base/ids'
import type { Scope } from '@aksel/base/scope'
import type { Client } from '@aksel/client/client'
import type { Hooks } from '../hooks.ts'

const namespace = 'kube-system'
const label = 'apiserver.kubernetes.io/identity'
const component = 'kube-apiserver'
/** Upstream's, both. */
const LEASE_SECONDS = 3600
const RENEW_EVERY_MS = 10_000
/** Upstream's, too: the renewals of many clusters that begin together would stay together, and hold everybody up at once. */
const JITTER = 0.04
const RETRY_MS = 10_000
const COLLECT_EVERY_MS = 3_600_000

const keepHook = 'start-kube-apiserver-identity-lease-controller'
const collectHook = 'start-kube-apiserver-identity-lease-garbage-collector'
export const identityHooks = [keepHook, collectHook] as const

/** `apiserver-` and 26 letters and digits, the same for every start on a host. */
export function identityOf(hostName: string): string {
  const alphabet = 'abcdefghijklmnopqrstuvwxyz234567'
  const bits = [...createHash('sha256').update(hostName).digest().subarray(0, 16)]
    .map((byte) => byte.toString(2).padStart(8, '0'))
    .join('')
  const text = (bits.match(/.{1,5}/g) ?? []).map((five) => alphabet[Number.parseInt(five.padEnd(5, '0'), 2)]!).join('')
  return `apiserver-${text}`
}

/** Runs until the scope's signal. Without a name the server stands for nobody, and both hooks have nothing to do. */
export function keepIdentity(scope: Scope, client: Client, hooks: Hooks, hostName: string | undefined): void {
  if (hostName === undefined) return identityHooks.forEach((hook) => hooks.succeeded(hook))
  const holder = `${identityOf(hostName)}_${uuid(scope.random)}`
  repeat(scope, hooks, keepHook, { everyMs: RENEW_EVERY_MS, work: () => renew(scope, client, { hostName, holder }) })
  repeat(scope, hooks, collectHook, {
    everyMs: COLLECT_EVERY_MS,
    work: () => collect(scope, client, identityOf(hostName)),
  })
}

function repeat(
  scope: Scope,
  hooks: Hooks,
  hook: string,
  { everyMs, work }: { readonly everyMs: number; readonly work: () => Promise<void> },
): void {
  const once = async (): Promise<void> => {
    let nextMs = everyMs * (1 + JITTER * fraction(scope.random))
    try {
      await hooks.run(hook, work)
    } catch (error) {
      if (scope.signal.aborted) return
      scope.log.warn('the identity leases of API servers could not be seen to', { hook, error })
      nextMs = RETRY_MS
    }
    if (scope.signal.aborted) return
    const timer = scope.clock.after(nextMs, () => {
      scope.signal.removeEventListener('abort', stop)
      void once()
    })
    const stop = (): void => timer[Symbol.dispose]()
    scope.signal.addEventListener('abort', stop, { once: true })
  }
  void once()
}

async function renew(
  scope: Scope,
  client: Client,
  { hostName, holder }: { readonly hostName: string; readonly holder: string },
): Promise<void> {
  const name = identityOf(hostName)
  const renewTime = formatMicroTime(scope.clock.now())
  const known = await ignoreReason('NotFound', client.get(leases, { namespace, name }))
  const spec = { holderIdentity: holder, leaseDurationSeconds: LEASE_SECONDS, renewTime }
  const labels = { [label]: component, 'kubernetes.io/hostname': hostName }
  if (known === undefined) await client.create(leases, { metadata: { namespace, name, labels }, spec })
  else
    await client.update(leases, {
      ...known,
      metadata: { ...known.metadata, labels: { ...known.metadata.labels, ...labels } },
      spec: { ...known.spec, ...spec },
    })
}

/** Its own it is about to renew. */
async function collect(scope: Scope, client: Client, own: string): Promise<void> {
  const { items } = await client.list(leases, { namespace, labelSelector: `${label}=${component}` })
  for (const lease of items) {
    if (lease.metadata.name === own || !isExpired(lease, scope.clock.now())) continue
    const { name, uid, resourceVersion } = lease.metadata
    try {
      // One that was renewed meanwhile stays.
      await client.delete(
        leases,
        { namespace, name },
        { preconditions: { uid: uid!, resourceVersion: resourceVersion! } },
      )
    } catch (error) {
      if (!isReason(error, 'NotFound') && !isReason(error, 'Conflict')) throw error
    }
  }
}

/** One that does not say for how long counts as expired, as upstream has it. */
export function isExpired({ spec }: Lease, nowMs: number): boolean {
  const renewedMs = Date.parse(spec?.renewTime ?? '')
  const seconds = spec?.leaseDurationSeconds
  return Number.isNaN(renewedMs) || seconds === undefined || renewedMs + seconds * 1000 < nowMs
}
