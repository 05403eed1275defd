// How a host that joins a cluster sets its node up: written by the server, read by the host.

import type { Overlay } from './overlay.ts'

/** A ConfigMap in kube-system; its key `settings` holds the settings as JSON. */
export const joinSettingsName = 'aksel-node-settings'

/** Of nodes that are hosts of their own. */
export const JOINED_LABEL = 'aksel.dev/joined'

export interface JoinSettings {
  /** `100.65.0.1:8132`, where agents dial for the tunnel. Absent: the cluster has no way in for other hosts. */
  readonly tunnelAddress?: string
  readonly clusterDns: string
  readonly clusterDomain: string
  readonly serviceCidr: string
  /** The range that nodes get theirs from. Absent: pods have addresses of a subnet, which no other host can give them. */
  readonly podCidr?: string
  readonly networkPolicy?: string
  /** How its pods and the VNet's find each other; absent where they do not. */
  readonly overlay?: Overlay
}
