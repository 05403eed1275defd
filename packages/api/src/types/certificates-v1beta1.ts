// The part of certificates.k8s.io/v1beta1 that clients here use.

import type { KubernetesObject } from '../resource.ts'

export interface ClusterTrustBundle extends KubernetesObject {
  readonly spec: {
    readonly signerName?: string
    /** PEM. */
    readonly trustBundle: string
  }
}

export interface PodCertificateRequest extends KubernetesObject {
  readonly spec: {
    readonly signerName: string
    readonly podName: string
    readonly podUID: string
    readonly serviceAccountName: string
    readonly serviceAccountUID: string
    readonly nodeName: string
    readonly nodeUID: string
    readonly maxExpirationSeconds?: number
    /** Base64 of PKIX, DER; with `proofOfPossession` until 1.35. */
    readonly pkixPublicKey?: string
    readonly proofOfPossession?: string
    /** Base64 of PKCS #10, DER; since 1.36. */
    readonly stubPKCS10Request?: string
    readonly unverifiedUserAnnotations?: Readonly<Record<string, string>>
  }
  readonly status?: {
    readonly conditions?: readonly {
      readonly type: string
      readonly status: string
      readonly reason: string
      readonly message: string
      readonly lastTransitionTime: string
    }[]
    /** PEM. */
    readonly certificateChain?: string
    readonly notBefore?: string
    readonly beginRefreshAt?: string
    readonly notAfter?: string
  }
}
