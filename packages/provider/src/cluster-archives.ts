// What an engine may offer beside running clusters: a whole cluster in one file, another cluster made of such a file, and a copy of
// one that runs. Objects, uids and resource versions are kept; keys, certificates and addresses are new.

import type { Scope } from '@aksel/base/scope'
import type { ControlPlaneSpec, ControlPlaneStatus } from './cluster-engine.ts'

export interface ClusterArchives {
  /** Writes the cluster as it is at one moment, while it goes on; the file is complete or absent. */
  snapshot(scope: Scope, id: string, path: string): Promise<{ readonly objects: number }>
  /** A new cluster with the objects of the file. Rejects when the file is damaged, or the id is taken. */
  restore(scope: Scope, spec: ControlPlaneSpec, path: string): Promise<ControlPlaneStatus>
  /** A new cluster as the other is now: its webhooks are taken out, and its nodes are marked as simulated. */
  fork(scope: Scope, id: string, spec: ControlPlaneSpec): Promise<ControlPlaneStatus>
}
