// Brings claims and volumes together, and keeps the phases of both true.

import { keyOf } from '@aksel/api/resource'
import { persistentVolumeClaims, persistentVolumes, storageClasses } from '@aksel/api/resources'
import type { PersistentVolume, PersistentVolumeClaim } from '@aksel/api/types/core-v1'
import type { StorageClass } from '@aksel/api/types/storage-v1'
import { ignoreReason } from '@aksel/base/errors'
import type { Scope } from '@aksel/base/scope'
import { done } from '@aksel/runtime/controller'
import type { Cache, Controller, Outcome, Source } from '@aksel/runtime/controller'
import { writeStatus } from '../parts.ts'
import type { LoopParts } from '../parts.ts'
import { tell } from '../pod-control.ts'
import { bind, setVolumePhase, unbind } from './bind.ts'
import { judgeClaim } from './judge-claim.ts'
import type { ClaimEvent } from './judge-claim.ts'
import { judgeVolume } from './judge-volume.ts'
import { annotations, classOfClaim, isReservedFor } from './match.ts'

const defaultClassAnnotation = 'storageclass.kubernetes.io/is-default-class'

export function persistentVolumeController(parts: LoopParts): Controller {
  const loop = new BinderLoop(parts)
  const claims: Source<PersistentVolumeClaim> = {
    type: persistentVolumeClaims,
    keysOf: (now, before) => loop.keysOfClaim(now, before),
  }
  const volumes: Source<PersistentVolume> = {
    type: persistentVolumes,
    keysOf: (now, before) => loop.keysOfVolume(now, before),
  }
  const classes: Source<StorageClass> = { type: storageClasses, keysOf: () => loop.keysOfUnbound() }
  // One key at a time over claims and volumes alike: two claims never reach for one volume at once.
  return {
    name: 'persistent-volume',
    sources: [claims, volumes, classes],
    reconcile: (scope, key) => loop.reconcile(scope, key),
  }
}

class BinderLoop {
  readonly #parts: LoopParts
  readonly #claims: Cache<PersistentVolumeClaim>
  readonly #volumes: Cache<PersistentVolume>
  readonly #classes: Cache<StorageClass>

  constructor(parts: LoopParts) {
    this.#parts = parts
    this.#claims = parts.caches.of(persistentVolumeClaims)
    this.#volumes = parts.caches.of(persistentVolumes)
    this.#classes = parts.caches.of(storageClasses)
  }

  keysOfClaim(now: PersistentVolumeClaim | undefined, before: PersistentVolumeClaim | undefined): readonly string[] {
    const volume = (now ?? before)!.spec?.volumeName ?? ''
    return [...(now === undefined ? [] : [`claim/${keyOf(now)}`]), ...(volume === '' ? [] : [`volume/${volume}`])]
  }

  keysOfVolume(now: PersistentVolume | undefined, before: PersistentVolume | undefined): readonly string[] {
    const volume = (now ?? before)!
    const ref = volume.spec?.claimRef
    const own = now === undefined ? [] : [`volume/${volume.metadata.name}`]
    if (ref !== undefined) return [...own, `claim/${ref.namespace}/${ref.name}`]
    const naming = this.#claims.list().filter(({ spec }) => spec.volumeName === volume.metadata.name)
    const becameFree = now?.status?.phase === 'Available' && before?.status?.phase !== 'Available'
    return [...own, ...naming.map((claim) => `claim/${keyOf(claim)}`), ...(becameFree ? this.keysOfUnbound() : [])]
  }

  keysOfUnbound(): readonly string[] {
    return this.#claims
      .list()
      .filter(isWaiting)
      .map((claim) => `claim/${keyOf(claim)}`)
  }

  async reconcile(scope: Scope, key: string): Promise<Outcome> {
    const slash = key.indexOf('/')
    const name = key.slice(slash + 1)
    if (key.slice(0, slash) === 'claim') await this.#syncClaim(scope, name)
    else await this.#syncVolume(scope, name)
    return done
  }

  async #syncClaim(scope: Scope, key: string): Promise<void> {
    const cached = this.#claims.get(key)
    // One without a spec asks for nothing.
    if (cached?.spec === undefined) return
    const claim = await this.#withDefaultClass(cached)
    const storageClass = this.#classes.get(classOfClaim(claim))
    const verdict = judgeClaim({ claim, volumes: this.#volumes.list(), storageClass })
    switch (verdict.kind) {
      case 'bind':
        return bind(scope, this.#parts.client, verdict.volume, claim)
      case 'wait':
        return this.#tellWaiting(scope, claim, 'Pending', verdict.event)
      case 'lost':
        if (claim.status?.phase === 'Lost') return undefined
        return this.#tellWaiting(scope, claim, 'Lost', verdict.event)
      case 'provision':
        return this.#tellWaiting(scope, await this.#ask(claim, verdict.provisioner), 'Pending', verdict.event)
      default:
        return verdict satisfies never
    }
  }

  /** A claim that was made before there was a default class gets it now. */
  async #withDefaultClass(claim: PersistentVolumeClaim): Promise<PersistentVolumeClaim> {
    const isOpen =
      claim.spec.storageClassName === undefined && claim.metadata.annotations?.[annotations.betaClass] === undefined
    if (!isOpen || !isWaiting(claim)) return claim
    const byAge = this.#classes
      .list()
      .filter(({ metadata }) => metadata.annotations?.[defaultClassAnnotation] === 'true')
      .toSorted((left, right) => (createdAt(left) < createdAt(right) ? 1 : -1))
    const [found] = byAge
    if (found === undefined) return claim
    const spec = { ...claim.spec, storageClassName: found.metadata.name }
    return this.#parts.client.update(persistentVolumeClaims, { ...claim, spec })
  }

  #ask(claim: PersistentVolumeClaim, provisioner: string): Promise<PersistentVolumeClaim> {
    const known = claim.metadata.annotations ?? {}
    if (known[annotations.provisioner] === provisioner) return Promise.resolve(claim)
    const notes = { ...known, [annotations.provisioner]: provisioner, [annotations.betaProvisioner]: provisioner }
    return this.#parts.client.update(persistentVolumeClaims, {
      ...claim,
      metadata: { ...claim.metadata, annotations: notes },
    })
  }

  async #tellWaiting(
    scope: Scope,
    claim: PersistentVolumeClaim,
    phase: 'Pending' | 'Lost',
    event: ClaimEvent | undefined,
  ): Promise<void> {
    const { accessModes: _, capacity: __, ...rest } = claim.status ?? {}
    const status = phase === 'Pending' ? { ...rest, phase } : { ...claim.status, phase }
    await writeStatus(this.#parts.client, persistentVolumeClaims, claim, status)
    if (event === undefined) return
    const owner = { type: persistentVolumeClaims, object: claim, source: 'persistentvolume-controller' }
    tell(scope, this.#parts.client, owner, event.type, event.reason, event.message)
  }

  async #syncVolume(scope: Scope, name: string): Promise<void> {
    const { client } = this.#parts
    const volume = this.#volumes.get(name)
    if (volume === undefined) return
    const verdict = judgeVolume(volume, await this.#claimOf(volume))
    switch (verdict.kind) {
      case 'phase':
        await setVolumePhase(scope, client, volume, verdict.phase)
        return
      case 'unbind':
        await setVolumePhase(scope, client, await unbind(client, volume, verdict.whole), 'Available')
        return
      case 'wake-claim': {
        const fresh = verdict.phase === undefined ? volume : await setVolumePhase(scope, client, volume, verdict.phase)
        const { namespace, name: claimName } = fresh.spec!.claimRef!
        const claim = this.#claims.get(`${namespace}/${claimName}`)
        if (claim !== undefined && isReservedFor(fresh, claim)) await this.#syncClaim(scope, keyOf(claim))
        return
      }
      default:
        return verdict satisfies never
    }
  }

  /** Before a volume is released the server is asked: the cache may not show a new claim yet. */
  async #claimOf({ spec, status }: PersistentVolume): Promise<PersistentVolumeClaim | undefined> {
    const ref = spec?.claimRef
    if (ref === undefined) return undefined
    const cached = this.#claims.get(`${ref.namespace}/${ref.name}`)
    const isKnown = cached !== undefined && (ref.uid === undefined || cached.metadata.uid === ref.uid)
    if (isKnown || status?.phase === 'Released') return cached
    const place = { namespace: ref.namespace!, name: ref.name! }
    return ignoreReason('NotFound', this.#parts.client.get(persistentVolumeClaims, place))
  }
}

function isWaiting({ metadata, spec }: PersistentVolumeClaim): boolean {
  return (spec.volumeName ?? '') === '' && metadata.annotations?.[annotations.bindCompleted] === undefined
}

function createdAt({ metadata }: StorageClass): string {
  return `${metadata.creationTimestamp ?? ''}/${metadata.name}`
}
