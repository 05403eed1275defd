// What the cloud loops ask of a cloud. Whoever runs machines answers.

export interface CloudInstance {
  /** `azure:///subscriptions/…` */
  readonly providerId: string
  readonly instanceType: string
  readonly region: string
  readonly zone: string
  /** True where it was switched off. */
  readonly isShutDown: boolean
}

export interface CloudInstances {
  /** Undefined for a node whose machine is none of this cloud's, or not known yet. */
  find(nodeName: string): CloudInstance | undefined
}

/** A kubelet with an external cloud gives it to its node; who knows the node's machine takes it away. */
export const uninitializedTaint = 'node.cloudprovider.kubernetes.io/uninitialized'
export const shutdownTaint = 'node.cloudprovider.kubernetes.io/shutdown'
