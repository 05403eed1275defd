// The volumes of one running pod over time: what is mounted stays, what shows objects of the API is refreshed.

import type { Pod } from '@aksel/api/types/core-v1'
import type { Scope } from '@aksel/base/scope'
import type { PodObjects } from '../object-watches.ts'
import { makePodFolders, mountPodVolumes } from '../volumes/pod-volumes.ts'
import type { MountedVolume } from '../volumes/volume.ts'
import { hostIpsOf, podFolders } from './pod-host.ts'
import type { PodHost } from './pod-host.ts'

export class PodVolumesState {
  readonly #host: PodHost
  #mounted: ReadonlyMap<string, MountedVolume> | undefined
  #stale = true

  constructor(host: PodHost) {
    this.#host = host
  }

  get mounted(): ReadonlyMap<string, MountedVolume> {
    return this.#mounted ?? new Map()
  }

  /** An object that a volume may show has changed. */
  invalidate(): void {
    this.#stale = true
  }

  /** When to call `bring` again without a change. */
  get refreshAtMs(): number | undefined {
    const times = [...this.mounted.values()].flatMap(({ refreshAtMs }) => refreshAtMs ?? [])
    return times.length === 0 ? undefined : Math.min(...times)
  }

  /** Mounts what is missing and refreshes what is old. Rejects with a VolumeError. */
  async bring(
    scope: Scope,
    pod: Pod,
    facts: { readonly objects: PodObjects; readonly podIps: () => readonly string[]; readonly signal: AbortSignal },
  ): Promise<void> {
    const due = this.refreshAtMs
    if (!this.#stale && (due === undefined || scope.clock.now() < due)) return
    this.#stale = false
    try {
      const folders = podFolders(this.#host, pod.metadata.uid ?? '')
      await makePodFolders(folders)
      await facts.objects.synced(facts.signal)
      const first = this.#mounted === undefined
      const volumes = first ? pod : onlyShown(pod, this.mounted)
      const addresses = (): { podIps: readonly string[]; hostIps: readonly string[] } => ({
        podIps: pod.spec.hostNetwork === true ? hostIpsOf(this.#host) : facts.podIps(),
        hostIps: hostIpsOf(this.#host),
      })
      const mounted = await mountPodVolumes(scope, this.#host.volumes, {
        pod: volumes,
        folders,
        objects: facts.objects,
        addresses,
        known: this.mounted,
      })
      this.#mounted = new Map([...this.mounted, ...mounted])
    } catch (error) {
      this.#stale = true
      throw error
    }
  }
}

/** The pod with those volumes alone that show objects of the API, or that are to be mounted anew in time. */
function onlyShown(pod: Pod, mounted: ReadonlyMap<string, MountedVolume>): Pod {
  const volumes = (pod.spec.volumes ?? []).filter(
    ({ name, configMap, secret, downwardAPI, projected }) =>
      (configMap ?? secret ?? downwardAPI ?? projected ?? mounted.get(name)?.refreshAtMs) !== undefined,
  )
  return { ...pod, spec: { ...pod.spec, volumes } }
}
