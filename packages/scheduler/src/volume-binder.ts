// Claims that wait for the pod's node: bind them to the volumes that were chosen, or tell the provisioner which node it
// is, and wait until all stand.

import { keyOf } from '@aksel/api/resource'
import { persistentVolumeClaims, persistentVolumes } from '@aksel/api/resources'
import type { PersistentVolume, PersistentVolumeClaim } from '@aksel/api/types/core-v1'
import type { Scope } from '@aksel/base/scope'
import type { Client } from '@aksel/client/client'
import type { Caches } from '@aksel/runtime/controller'
import { isBound, SELECTED_NODE } from './volumes.ts'
import type { VolumePlan } from './volume-plan.ts'

export interface BindRequest {
  readonly client: Client
  readonly caches: Caches
  readonly plan: Extract<VolumePlan, { kind: 'possible' }>
  readonly nodeName: string
  readonly timeoutMs: number
}

/** Resolves when all claims are bound. Rejects when a claim vanishes, when the provisioner asks for another node, or after the time-out. */
export async function bindVolumes(scope: Scope, request: BindRequest): Promise<void> {
  const { client, plan, nodeName } = request
  for (const { claim, volume } of plan.bind) await client.update(persistentVolumes, claimedBy(volume, claim))
  for (const claim of plan.provision) {
    if (claim.metadata.annotations?.[SELECTED_NODE] === nodeName) continue
    const { resourceVersion } = claim.metadata
    const body = { metadata: { resourceVersion, annotations: { [SELECTED_NODE]: nodeName } } }
    await client.patch(persistentVolumeClaims, claim.metadata, { kind: 'merge', body })
  }
  const all = [...plan.bind.map(({ claim }) => claim), ...plan.provision]
  await Promise.all(all.map((claim) => bound(scope, request, keyOf(claim))))
}

function claimedBy(volume: PersistentVolume, claim: PersistentVolumeClaim): PersistentVolume {
  const { name, namespace, uid, resourceVersion } = claim.metadata
  const claimRef = {
    apiVersion: 'v1',
    kind: 'PersistentVolumeClaim',
    name,
    ...(namespace === undefined ? {} : { namespace }),
    ...(uid === undefined ? {} : { uid }),
    ...(resourceVersion === undefined ? {} : { resourceVersion }),
  }
  const annotations = { ...volume.metadata.annotations, 'pv.kubernetes.io/bound-by-controller': 'yes' }
  return { ...volume, metadata: { ...volume.metadata, annotations }, spec: { ...volume.spec, claimRef } }
}

function bound(scope: Scope, request: BindRequest, key: string): Promise<void> {
  const cache = request.caches.of(persistentVolumeClaims)
  const provisioned = request.plan.provision.some((claim) => keyOf(claim) === key)
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
      if (!provisioned) return
      const node = claim.metadata.annotations?.[SELECTED_NODE]
      selected ||= node === request.nodeName
      if (selected && node !== request.nodeName)
        settle(new Error(`provisioning of persistentvolumeclaim "${key}" asks for another node`))
    }
    const late = `persistentvolumeclaim "${key}" was not bound within ${request.timeoutMs / 1000} seconds`
    resources.use(scope.clock.after(request.timeoutMs, () => settle(new Error(late))))
    const onAbort = (): void => settle(scope.signal.reason as Error)
    scope.signal.addEventListener('abort', onAbort, { once: true })
    resources.defer(() => scope.signal.removeEventListener('abort', onAbort))
    resources.use(cache.subscribe((now, before) => (keyOf((now ?? before)!) === key ? judge(now) : undefined)))
  })
}
