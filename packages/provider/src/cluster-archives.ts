// What an engine may offer beside running clusters: a whole cluster in one file, another cluster made of such a file, and a copy of
// one that runs. Objects, uids and resource versions are kept; keys, certificates and addresses are new.

import type { Scope } from '@aksel/base/scope'
import type { ControlPlaneSpec, ControlPlaneStatus } from './cluster-engine.ts'

export interface WrittenArchive {
  readonly objects: number
  /** The resource version that all of it stands at. */
  readonly revision: number
  readonly sizeBytes: number
}

/** What a file says of the cluster it was made of. */
export interface ArchiveFacts extends WrittenArchive {
  readonly cluster: Pick<ControlPlaneSpec, 'name' | 'kubernetesVersion' | 'serviceCidr' | 'dnsServiceIp'> | undefined
}

export interface ForkOptions {
  /** How far the fork's clock is ahead of ours. Default 0. */
  readonly clockOffsetMs?: number
}

export interface ClusterArchives {
  /** Writes the cluster as it is at one moment, while it goes on; the file is complete or absent. */
  snapshot(scope: Scope, id: string, path: string): Promise<WrittenArchive>
  /** Reads the file to its last byte. Rejects with a StoreError `Corrupt` when it is damaged. */
  readArchive(path: string): Promise<ArchiveFacts>
  /**
   * A new cluster with the objects of the file, but for the nodes: its machines are others. Rejects when the file is damaged, or
   * the id is taken.
   */
  restore(scope: Scope, spec: ControlPlaneSpec, path: string): Promise<ControlPlaneStatus>
  /**
   * A new cluster as the other is now. Its webhooks are taken out and it calls nothing outside, it drives no disk and no load
   * balancer, and its nodes are marked as simulated.
   */
  fork(scope: Scope, id: string, spec: ControlPlaneSpec, options?: ForkOptions): Promise<ControlPlaneStatus>
}
