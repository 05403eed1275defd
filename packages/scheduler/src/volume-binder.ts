// Claims that wait for the pod's node: tell the provisioner which node it is, and wait until the volume stands.

import { keyOf } from '@aksel/api/resource'
import { persistentVolumeClaims } from '@aksel/api/resources'
import type { PersistentVolumeClaim } from '@aksel/api/types/core-v1'
import type { Scope } from '@aksel/base/scope'
import type { Client } from '@aksel/client/client'
import type { Caches } from '@aksel/runtime/controller'
import { isBound } from './plugins/volumes.ts'

const SELECTED_NODE = 'volume.kubernetes.io/selected-node'
/** Upstream's bind time-out. */
const BIND_TIMEOUT_MS = 10 * 60_000

/** Resolves when all claims are bound. Rejects when a claim vanishes, when the provisioner asks for another node, or after ten minutes. */
export async function bindVolumes(
  scope: Scope,
  request: {
    readonly client: Client
    readonly caches: Caches
    readonly claims: readonly PersistentVolumeClaim[]
    readonly nodeName: string
  },
): Promise<void> {
  for (const claim of request.claims) {
    if (claim.metadata.annotations?.[SELECTED_NODE] === request.nodeName) continue
    const body = {
      metadata: { resourceVersion: claim.metadata.resourceVersion, annotations: { [SELECTED_NODE]: request.nodeName } },
    }
    await request.client.patch(persistentVolumeClaims, claim.metadata, { kind: 'merge', body })
  }
  await Promise.all(request.claims.map((claim) => bound(scope, request, keyOf(claim))))
}

function bound(
  scope: Scope,
  request: { readonly caches: Caches; readonly nodeName: string },
  key: string,
): Promise<void> {
  const cache = request.caches.of(persistentVolumeClaims)
  return new Promise((resolve, reject) => {
    const resources = new DisposableStack()
    let selected = false
    const settle = (failure?: Error): void => {
      // The first call-back may come while subscribing, before the subscription is in the stack.
      queueMicrotask(() => resources.dispose())
      if (failure === undefined) resolve()
      else reject(failure)
    }
    const judge = (claim: PersistentVolumeClaim | undefined): void => {
      if (claim === undefined)
        return settle(new Error(`persistentvolumeclaim "${key}" was deleted while it was being bound`))
      if (isBound(claim)) return settle()
      const node = claim.metadata.annotations?.[SELECTED_NODE]
      selected ||= node === request.nodeName
      if (selected && node !== request.nodeName)
        settle(new Error(`provisioning of persistentvolumeclaim "${key}" asks for another node`))
    }
    resources.use(
      scope.clock.after(BIND_TIMEOUT_MS, () =>
        settle(new Error(`persistentvolumeclaim "${key}" was not bound within ten minutes`)),
      ),
    )
    const onAbort = (): void => settle(scope.signal.reason as Error)
    scope.signal.addEventListener('abort', onAbort, { once: true })
    resources.defer(() => scope.signal.removeEventListener('abort', onAbort))
    resources.use(cache.subscribe((now, before) => (keyOf((now ?? before)!) === key ? judge(now) : undefined)))
  })
}
