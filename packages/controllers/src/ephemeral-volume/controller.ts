// Makes the claims of pods' generic ephemeral volumes: each belongs to its pod and goes with it.

import { keyOf } from '@aksel/api/resource'
import { persistentVolumeClaims, pods } from '@aksel/api/resources'
import type { PersistentVolumeClaim, Pod } from '@aksel/api/types/core-v1'
import { ignoreReason } from '@aksel/base/errors'
import { done } from '@aksel/runtime/controller'
import type { Controller, Source } from '@aksel/runtime/controller'
import { controllerReference, isControlledBy } from '../owners.ts'
import type { LoopParts } from '../parts.ts'
import { tell } from '../pod-control.ts'
import { isTerminating } from '../pod-facts.ts'

/** The claims that a pod's ephemeral volumes ask for. */
export function claimsOf(pod: Pod): readonly PersistentVolumeClaim[] {
  const { name, namespace } = pod.metadata
  return (pod.spec?.volumes ?? []).flatMap(({ name: volume, ephemeral }) => {
    const template = ephemeral?.volumeClaimTemplate
    if (template === undefined) return []
    const { labels, annotations } = template.metadata ?? {}
    const metadata = {
      name: `${name}-${volume}`,
      namespace: namespace!,
      ...(labels === undefined ? {} : { labels }),
      ...(annotations === undefined ? {} : { annotations }),
      ownerReferences: [controllerReference(pods, pod)],
    }
    return [{ metadata, spec: template.spec }]
  })
}

export function ephemeralVolumeController({ client, caches }: LoopParts): Controller {
  const known = caches.of(pods)
  const claims = caches.of(persistentVolumeClaims)
  const own: Source<Pod> = {
    type: pods,
    keysOf: (now, before) =>
      now === undefined || before !== undefined || claimsOf(now).length === 0 ? [] : [keyOf(now)],
  }
  // A claim that was deleted while its pod is there is made again.
  const lost: Source<PersistentVolumeClaim> = {
    type: persistentVolumeClaims,
    keysOf: (now, before) => {
      const owner = before?.metadata.ownerReferences?.find(
        ({ kind, controller }) => kind === 'Pod' && controller === true,
      )
      return now !== undefined || owner === undefined ? [] : [`${before!.metadata.namespace}/${owner.name}`]
    },
  }
  return {
    name: 'ephemeral-volume',
    sources: [own, lost] as unknown as readonly Source[],
    workers: 2,
    async reconcile(scope, key) {
      const pod = known.get(key)
      if (pod === undefined || isTerminating(pod)) return done
      for (const wanted of claimsOf(pod)) {
        const { namespace, name } = wanted.metadata
        const found =
          claims.get(`${namespace}/${name}`) ??
          (await ignoreReason('AlreadyExists', client.create(persistentVolumeClaims, wanted))) ??
          (await client.get(persistentVolumeClaims, wanted.metadata))
        if (isControlledBy(found, pod)) continue
        const what = `PVC "${namespace}/${name}" was not created for pod "${namespace}/${pod.metadata.name}" (pod is not owner)`
        const owner = { type: pods, object: pod, source: 'ephemeral_volume' }
        tell(scope, client, owner, 'Warning', 'EphemeralVolumeCreationFailed', `ephemeral volume ${name}: ${what}`)
        throw new Error(what)
      }
      return done
    },
  }
}
