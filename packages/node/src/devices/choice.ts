// Which devices a container gets: first those that an init container of its pod had, then free ones that are well. Pure.

import type { Container, Pod } from '@aksel/api/types/core-v1'
import { quantityUnits } from '@aksel/base/quantity'
import { isSidecar } from '../pod/names.ts'

export interface ChoiceFacts {
  readonly resource: string
  readonly needed: number
  /** Of the plug-in, in its order. */
  readonly healthy: readonly string[]
  readonly unhealthy: number
  /** Of containers of pods that are not over. */
  readonly inUse: ReadonlySet<string>
  /** An init container of the pod had them, and has ended when this container starts. */
  readonly reusable: readonly string[]
  readonly isKnown: boolean
}

export interface Choice {
  /** Certain. */
  readonly chosen: readonly string[]
  /** So many more, of these. */
  readonly missing: number
  readonly free: readonly string[]
}

/** Throws in upstream's words where there are not enough. */
export function chooseDevices(facts: ChoiceFacts): Choice {
  const { resource, needed, healthy, unhealthy, inUse, reusable, isKnown } = facts
  if (!isKnown || (healthy.length === 0 && unhealthy === 0)) {
    throw new Error(`cannot allocate unregistered device ${resource}`)
  }
  if (healthy.length === 0) throw new Error(`no healthy devices present; cannot allocate unhealthy devices ${resource}`)
  const kept = reusable.filter((id) => healthy.includes(id)).slice(0, needed)
  const free = healthy.filter((id) => !inUse.has(id) && !kept.includes(id))
  const missing = needed - kept.length
  if (missing > free.length) {
    throw new Error(
      `requested number of devices unavailable for ${resource}. Requested: ${missing}, Available: ${free.length}`,
    )
  }
  return { chosen: kept, missing, free }
}

/** How many devices of each resource a container wants: what has a domain and is counted in whole numbers. */
export function deviceRequests(
  container: Container,
  isDevice: (resource: string) => boolean,
): ReadonlyMap<string, number> {
  const wanted = new Map<string, number>()
  for (const [name, amount] of Object.entries(container.resources?.limits ?? {})) {
    if (isDevice(name)) wanted.set(name, quantityUnits(amount))
  }
  return wanted
}

export interface ContainerNeed {
  readonly container: Container
  /** Its devices pass on to the containers after it. */
  readonly passesOn: boolean
}

/** In the order of their starts. */
export function needsOf(pod: Pod): readonly ContainerNeed[] {
  return [
    ...(pod.spec.initContainers ?? []).map((container) => ({ container, passesOn: !isSidecar(container) })),
    ...pod.spec.containers.map((container) => ({ container, passesOn: false })),
  ]
}
