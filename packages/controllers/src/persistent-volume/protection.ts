// Keeps claims that pods use, volumes that are bound and classes that volumes have from vanishing: the finalizers that
// admission sets are taken off here.

import { keyOf } from '@aksel/api/resource'
import type { KubernetesObject, ResourceType } from '@aksel/api/resource'
import { persistentVolumeClaims, persistentVolumes, pods, volumeAttributesClasses } from '@aksel/api/resources'
import type { PersistentVolume, PersistentVolumeClaim, Pod } from '@aksel/api/types/core-v1'
import type { VolumeAttributesClass } from '@aksel/api/types/storage-v1'
import { isReason } from '@aksel/base/errors'
import type { Client } from '@aksel/client/client'
import { done } from '@aksel/runtime/controller'
import type { Controller, Source } from '@aksel/runtime/controller'
import type { LoopParts } from '../parts.ts'
import { isTerminal } from '../pod-facts.ts'

const claimFinalizer = 'kubernetes.io/pvc-protection'
const volumeFinalizer = 'kubernetes.io/pv-protection'
const classFinalizer = 'kubernetes.io/vac-protection'
const podsByClaim = 'claim-protection/claim'

/** Keys of the claims that a pod uses, those of its ephemeral volumes too. */
export function claimKeysOf({ metadata, spec }: Pod): readonly string[] {
  return (spec.volumes ?? []).flatMap(({ name, persistentVolumeClaim, ephemeral }) => {
    if (persistentVolumeClaim !== undefined) return [`${metadata.namespace}/${persistentVolumeClaim.claimName}`]
    return ephemeral === undefined ? [] : [`${metadata.namespace}/${metadata.name}-${name}`]
  })
}

/** A pod that no node has seen, or that has ended, holds no claim. */
function holdsClaims(pod: Pod): boolean {
  return pod.spec.nodeName !== undefined && !isTerminal(pod)
}

export function claimProtectionController({ client, caches }: LoopParts): Controller {
  const claims = caches.of(persistentVolumeClaims)
  const users = caches.of(pods)
  users.addIndex(podsByClaim, claimKeysOf)
  const own: Source<PersistentVolumeClaim> = {
    type: persistentVolumeClaims,
    keysOf: (now) => (now === undefined ? [] : [keyOf(now)]),
  }
  const ends: Source<Pod> = {
    type: pods,
    keysOf: (now, before) => (now !== undefined && !isTerminal(now) ? [] : claimKeysOf((now ?? before)!)),
  }
  return {
    name: 'claim-protection',
    sources: [own, ends],
    async reconcile(_scope, key) {
      const claim = claims.get(key)
      if (claim === undefined) return done
      if (claim.metadata.deletionTimestamp === undefined) {
        await addFinalizer(client, persistentVolumeClaims, claim, claimFinalizer)
        return done
      }
      if (users.byIndex(podsByClaim, key).some(holdsClaims)) return done
      // A pod may have come that the cache does not show: the server is asked before the last guard goes.
      if (hasFinalizer(claim, claimFinalizer)) {
        const live = await client.list(pods, { namespace: claim.metadata.namespace! })
        if (live.items.some((pod) => holdsClaims(pod) && claimKeysOf(pod).includes(key))) return done
      }
      await removeFinalizer(client, persistentVolumeClaims, claim, claimFinalizer)
      return done
    },
  }
}

export function volumeProtectionController({ client, caches }: LoopParts): Controller {
  const volumes = caches.of(persistentVolumes)
  const own: Source<PersistentVolume> = {
    type: persistentVolumes,
    keysOf: (now) => (now === undefined ? [] : [keyOf(now)]),
  }
  return {
    name: 'volume-protection',
    sources: [own],
    async reconcile(_scope, key) {
      const volume = volumes.get(key)
      if (volume === undefined) return done
      const isDying = volume.metadata.deletionTimestamp !== undefined
      if (!isDying) await addFinalizer(client, persistentVolumes, volume, volumeFinalizer)
      else if (volume.status?.phase !== 'Bound')
        await removeFinalizer(client, persistentVolumes, volume, volumeFinalizer)
      return done
    },
  }
}

/** Names of the attributes classes that a claim has, had or is on its way to; a stored object may lack its spec. */
function classesOfClaim({ spec, status }: Partial<PersistentVolumeClaim>): readonly string[] {
  const { targetVolumeAttributesClassName } = status?.modifyVolumeStatus ?? {}
  const all = [
    spec?.volumeAttributesClassName,
    status?.currentVolumeAttributesClassName,
    targetVolumeAttributesClassName,
  ]
  return all.filter((name) => name !== undefined)
}

function classesOfVolume({ spec }: Partial<PersistentVolume>): readonly string[] {
  const name = spec?.volumeAttributesClassName
  return name === undefined ? [] : [name]
}

export function attributesClassProtectionController({ client, caches }: LoopParts): Controller {
  const classes = caches.of(volumeAttributesClasses)
  const own: Source<VolumeAttributesClass> = {
    type: volumeAttributesClasses,
    keysOf: (now) => (now === undefined ? [] : [keyOf(now)]),
  }
  const claims: Source<PersistentVolumeClaim> = {
    type: persistentVolumeClaims,
    keysOf: (_now, before) => (before === undefined ? [] : classesOfClaim(before)),
  }
  const volumes: Source<PersistentVolume> = {
    type: persistentVolumes,
    keysOf: (_now, before) => (before === undefined ? [] : classesOfVolume(before)),
  }
  return {
    name: 'attributes-class-protection',
    sources: [own, claims, volumes],
    async reconcile(_scope, key) {
      const found = classes.get(key)
      if (found === undefined) return done
      if (found.metadata.deletionTimestamp === undefined) {
        await addFinalizer(client, volumeAttributesClasses, found, classFinalizer)
        return done
      }
      if (!hasFinalizer(found, classFinalizer)) return done
      // Users may have come that no cache shows: the server is asked.
      const { name } = found.metadata
      const [liveClaims, liveVolumes] = await Promise.all([
        client.list(persistentVolumeClaims),
        client.list(persistentVolumes),
      ])
      const isUsed =
        liveClaims.items.some((claim) => classesOfClaim(claim).includes(name)) ||
        liveVolumes.items.some((volume) => classesOfVolume(volume).includes(name))
      if (!isUsed) await removeFinalizer(client, volumeAttributesClasses, found, classFinalizer)
      return done
    },
  }
}

function hasFinalizer({ metadata }: KubernetesObject, name: string): boolean {
  return (metadata.finalizers ?? []).includes(name)
}

async function addFinalizer<T extends KubernetesObject>(
  client: Client,
  type: ResourceType<T>,
  object: T,
  name: string,
): Promise<void> {
  if (!hasFinalizer(object, name))
    await setFinalizers(client, type, object, [...(object.metadata.finalizers ?? []), name])
}

async function removeFinalizer<T extends KubernetesObject>(
  client: Client,
  type: ResourceType<T>,
  object: T,
  name: string,
): Promise<void> {
  if (!hasFinalizer(object, name)) return
  const rest = (object.metadata.finalizers ?? []).filter((each) => each !== name)
  await setFinalizers(client, type, object, rest)
}

async function setFinalizers<T extends KubernetesObject>(
  client: Client,
  type: ResourceType<T>,
  object: T,
  finalizers: readonly string[],
): Promise<void> {
  try {
    // An update, for which the loops have a rule; their roles hold none for patches.
    await client.update(type, { ...object, metadata: { ...object.metadata, finalizers } })
  } catch (error) {
    if (!isReason(error, 'NotFound')) throw error
  }
}
