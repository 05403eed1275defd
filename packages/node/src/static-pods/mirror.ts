// Shows a static pod in the API: its picture there is made, kept true, and made again when somebody deletes it. The pod
// itself does not wait for any of it.

import { isDeepStrictEqual } from 'node:util'
import { nodes, pods } from '@aksel/api/resources'
import type { Pod, PodStatus } from '@aksel/api/types/core-v1'
import { ignoreReason } from '@aksel/base/errors'
import type { Scope } from '@aksel/base/scope'
import type { Client } from '@aksel/client/client'
import { mirrorAnnotation } from '../pod/critical.ts'
import { configHashAnnotation } from './manifest.ts'

export interface MirrorWorld {
  readonly client: Client
  readonly nodeName: string
  /** What stands in the API under the static pod's name. */
  mirrorOf(pod: Pod): Pod | undefined
}

/** Stands in for the status writer of pods that the API sent. */
export class MirrorWriter {
  readonly #scope: Scope
  readonly #world: MirrorWorld
  readonly #onFailure: () => void
  #sent: PodStatus | undefined
  #stored: PodStatus | undefined

  /** `onFailure`: the API could not be told; call `write` again later. */
  constructor(scope: Scope, world: MirrorWorld, onFailure: () => void) {
    this.#scope = scope
    this.#world = world
    this.#onFailure = onFailure
  }

  /** The static pod with the status as it is now, whether or not the API could be told. */
  async write(pod: Pod, make: (pod: Pod) => PodStatus): Promise<Pod> {
    const seen = this.#world.mirrorOf(pod)
    const isFirst = pod.status?.startTime === undefined && seen?.status?.startTime !== undefined
    const status = make(isFirst && isMirrorOf(seen, pod) ? { ...pod, status: seen.status } : pod)
    try {
      await this.#show(pod, seen, status)
    } catch (error) {
      this.#scope.log.debug('the mirror of a static pod was not written', { error })
      this.#onFailure()
    }
    return { ...pod, status }
  }

  /** Every change of a mirror wakes its pod, whose next status is compared with what stands there. */
  isOverruled(): boolean {
    return false
  }

  async #show(pod: Pod, seen: Pod | undefined, status: PodStatus): Promise<void> {
    const isSound = isMirrorOf(seen, pod) && seen.metadata.deletionTimestamp === undefined
    if (isSound && isDeepStrictEqual(this.#sent, status) && isDeepStrictEqual(this.#stored, seen.status)) return
    const mirror = isSound ? seen : await this.#make(pod, seen)
    const { client } = this.#world
    const written = await client.update(pods, { ...mirror, status }, { subresource: 'status' })
    this.#sent = status
    this.#stored = written.status
  }

  async #make(pod: Pod, seen: Pod | undefined): Promise<Pod> {
    const { client, nodeName } = this.#world
    if (seen !== undefined) await deleteMirror(client, seen)
    const node = await client.get(nodes, { name: nodeName })
    const hash = pod.metadata.annotations?.[configHashAnnotation] ?? ''
    const { uid: _uid, ...metadata } = pod.metadata
    return client.create(pods, {
      ...pod,
      metadata: {
        ...metadata,
        annotations: { ...metadata.annotations, [mirrorAnnotation]: hash },
        ownerReferences: [
          { apiVersion: 'v1', kind: 'Node', name: nodeName, uid: node.metadata.uid ?? '', controller: true },
        ],
      },
      status: {},
    })
  }
}

export function isMirrorOf(mirror: Pod | undefined, pod: Pod): mirror is Pod {
  return mirror?.metadata.annotations?.[mirrorAnnotation] === pod.metadata.annotations?.[configHashAnnotation]
}

/** At once: nothing of it runs. */
export async function deleteMirror(client: Client, { metadata }: Pod): Promise<void> {
  const { name, namespace = 'default', uid } = metadata
  const options = { gracePeriodSeconds: 0, ...(uid === undefined ? {} : { preconditions: { uid } }) }
  await ignoreReason('NotFound', ignoreReason('Conflict', client.delete(pods, { name, namespace }, options)))
}
