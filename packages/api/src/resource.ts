// Names of a served resource: what a client needs to build a path and what discovery lists.

import type { ListMeta, NamedObjectMeta } from './types/meta-v1.ts'

/** What every stored object has. */
export interface KubernetesObject {
  readonly apiVersion?: string
  readonly kind?: string
  readonly metadata: NamedObjectMeta
}

export interface KubernetesList<T> {
  readonly apiVersion?: string
  readonly kind?: string
  readonly metadata: ListMeta
  readonly items: readonly T[]
}

/** A resource as a client addresses it; `T` is the type of its objects. */
export interface ResourceType<T extends KubernetesObject = KubernetesObject> {
  /** '' for the core group. */
  readonly group: string
  readonly version: string
  readonly kind: string
  readonly plural: string
  readonly namespaced: boolean
  /** Never present: ties the type parameter to the value. */
  readonly example?: T
}

export interface ObjectRef {
  readonly name: string
  /** Absent for cluster-scoped objects. */
  readonly namespace?: string
}

/** `apps/v1`, or `v1` for the core group. */
export function groupVersionOf(type: Pick<ResourceType, 'group' | 'version'>): string {
  return type.group === '' ? type.version : `${type.group}/${type.version}`
}

/** `deployments.apps`, or `pods` for the core group: how errors name a resource. */
export function qualifiedName(type: Pick<ResourceType, 'group' | 'plural'>): string {
  return type.group === '' ? type.plural : `${type.plural}.${type.group}`
}

/** The path of a resource, an object in it, or a subresource of that. */
export function pathOf(
  type: ResourceType,
  ref: { readonly namespace?: string; readonly name?: string; readonly subresource?: string } = {},
): string {
  const parts = [type.group === '' ? `/api/${type.version}` : `/apis/${type.group}/${type.version}`]
  if (type.namespaced && ref.namespace !== undefined) parts.push('namespaces', encodeURIComponent(ref.namespace))
  parts.push(type.plural)
  if (ref.name !== undefined) parts.push(encodeURIComponent(ref.name))
  if (ref.subresource !== undefined) parts.push(ref.subresource)
  return parts.join('/')
}

/** `namespace/name`, or the name alone: the key that work queues and caches use. */
export function keyOf(object: { readonly metadata: { readonly name: string; readonly namespace?: string } }): string {
  return object.metadata.namespace === undefined
    ? object.metadata.name
    : `${object.metadata.namespace}/${object.metadata.name}`
}

export function refOfKey(key: string): ObjectRef {
  const slash = key.indexOf('/')
  return slash < 0 ? { name: key } : { namespace: key.slice(0, slash), name: key.slice(slash + 1) }
}
