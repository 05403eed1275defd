// The part of certificates.k8s.io/v1beta1 that clients here use.

import type { KubernetesObject } from '../resource.ts'

export interface ClusterTrustBundle extends KubernetesObject {
  readonly spec: {
    readonly signerName?: string
    /** PEM. */
    readonly trustBundle: string
  }
}
