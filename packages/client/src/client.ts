// Typed calls on the Kubernetes API. Everything but the API server itself reaches objects through this interface.

import type { KubernetesList, KubernetesObject, ObjectRef, ResourceType } from '@aksel/api/resource'
import type { ApiRequest, ApiResponse } from './transport.ts'

export interface ListOptions {
  /** All namespaces when absent. */
  readonly namespace?: string
  readonly labelSelector?: string
  readonly fieldSelector?: string
  readonly limit?: number
  readonly continue?: string
  readonly resourceVersion?: string
  readonly resourceVersionMatch?: 'Exact' | 'NotOlderThan'
  readonly signal?: AbortSignal
}

export interface WatchOptions extends ListOptions {
  readonly allowBookmarks?: boolean
  readonly sendInitialEvents?: boolean
  readonly timeoutSeconds?: number
}

export interface WriteOptions {
  readonly subresource?: string
  readonly dryRun?: boolean
  readonly fieldManager?: string
  readonly signal?: AbortSignal
}

export interface DeleteOptions {
  readonly gracePeriodSeconds?: number
  readonly propagationPolicy?: 'Orphan' | 'Background' | 'Foreground'
  readonly preconditions?: { readonly uid?: string; readonly resourceVersion?: string }
  readonly signal?: AbortSignal
}

/** `merge` RFC 7396, `json` RFC 6902, `strategic` Kubernetes' own, `apply` server-side apply. */
export type Patch =
  | { readonly kind: 'merge' | 'strategic'; readonly body: unknown }
  | { readonly kind: 'json'; readonly body: readonly unknown[] }
  | { readonly kind: 'apply'; readonly body: unknown; readonly fieldManager: string; readonly force?: boolean }

export type WatchEvent<T> =
  | { readonly type: 'ADDED' | 'MODIFIED' | 'DELETED'; readonly object: T }
  /** Only `metadata.resourceVersion` means anything. */
  | { readonly type: 'BOOKMARK'; readonly object: T }

/** Each call rejects with an ApiError that carries the server's reason. */
export interface Client {
  get<T extends KubernetesObject>(type: ResourceType<T>, ref: ObjectRef): Promise<T>
  list<T extends KubernetesObject>(type: ResourceType<T>, options?: ListOptions): Promise<KubernetesList<T>>
  /** The namespace is the object's own. */
  create<T extends KubernetesObject>(type: ResourceType<T>, object: T, options?: WriteOptions): Promise<T>
  update<T extends KubernetesObject>(type: ResourceType<T>, object: T, options?: WriteOptions): Promise<T>
  patch<T extends KubernetesObject>(
    type: ResourceType<T>,
    ref: ObjectRef,
    patch: Patch,
    options?: WriteOptions,
  ): Promise<T>
  delete(type: ResourceType, ref: ObjectRef, options?: DeleteOptions): Promise<void>
  deleteCollection(type: ResourceType, options?: ListOptions & DeleteOptions): Promise<void>
  /** POST to a subresource such as `binding`, `token` or `eviction`; returns the answer's body. */
  createSubresource<R>(type: ResourceType, ref: ObjectRef, subresource: string, body: unknown): Promise<R>
  /** Ends when the server ends it; throws an ApiError (`Expired` when the resourceVersion is too old). */
  watch<T extends KubernetesObject>(type: ResourceType<T>, options?: WatchOptions): AsyncIterable<WatchEvent<T>>
  /** Any other path. */
  send(request: Partial<ApiRequest> & { readonly path: string }): Promise<ApiResponse>
}
