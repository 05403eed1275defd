// The kinds whose objects own or are owned, and what must be told when the list changes.

import * as builtIn from '@aksel/api/resources'
import { groupVersionOf } from '@aksel/api/resource'
import type { ResourceType } from '@aksel/api/resource'

/** Further kinds: those of custom resources. */
export interface KindSource {
  list(): readonly ResourceType[]
  subscribe(onChange: () => void): Disposable
}

/** Events pass by themselves and own nothing; nobody waits for them. */
const notCollected: ReadonlySet<string> = new Set(['events'])

export function builtInKinds(): readonly ResourceType[] {
  return Object.values(builtIn)
    .filter((value): value is ResourceType => typeof value === 'object' && 'plural' in value)
    .filter(({ plural }) => !notCollected.has(plural))
}

/** `apps/v1/replicasets`. */
export function kindKey(type: ResourceType): string {
  return `${groupVersionOf(type)}/${type.plural}`
}
