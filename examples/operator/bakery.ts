// The operator's own kind, as TypeScript sees its two versions.

import type { KubernetesObject } from '@kubernetes/client-node'

export const group = 'example.com'
export const plural = 'bakeries'

/** The version that is stored, and that the operator works with. */
export interface Bakery extends KubernetesObject {
  readonly spec: {
    readonly replicas: number
    readonly image: { readonly name: string; readonly tag: string }
  }
  readonly status?: BakeryStatus
}

export interface OldBakery extends KubernetesObject {
  readonly spec: { readonly ovens: number; readonly image: string }
  readonly status?: BakeryStatus
}

export interface BakeryStatus {
  readonly replicas: number
  readonly readyReplicas: number
  /** Of its pods, as text: the autoscaler finds them by it. */
  readonly selector: string
}
