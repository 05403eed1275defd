// What a kind of volume must be able to do, and what it is told about the pod it does it for.

import type { Pod, Volume } from '@aksel/api/types/core-v1'
import type { Scope } from '@aksel/base/scope'
import type { Client } from '@aksel/client/client'
import type { Ledger } from '@aksel/host/ledger'
import type { CsiMounts } from '../csi/mounts.ts'
import type { Snapshots } from '../containerd/snapshots.ts'
import type { PodObjects } from '../object-watches.ts'
import type { Allocatable, PodAddresses } from '../pod/downward.ts'
import type { CertificateHost } from './pod-certificate.ts'
import type { DiskMounter } from './disk-mounter.ts'

/** What is the same for all volumes of a node. */
export interface VolumeHost {
  readonly client: Client
  readonly ledger: Ledger
  /** In the ledger: `machine/aks-nodepool1-0`. */
  readonly owner: string
  readonly disks: DiskMounter
  readonly snapshots: Snapshots
  readonly csi: Pick<CsiMounts, 'mount' | 'unmount'>
  /** What `/var/lib/kubelet` stands for on this node. */
  readonly rootDirectory: string
  readonly allocatable: Allocatable
  readonly certificates: CertificateHost
}

export interface VolumeRequest {
  readonly pod: Pod
  readonly volume: Volume
  /** The volume's folder, on disk. Kinds that keep secrets use `memoryDirectory`. */
  readonly directory: string
  /** The same on the node's memory file system. */
  readonly memoryDirectory: string
  readonly objects: PodObjects
  readonly addresses: () => PodAddresses
}

export interface MountedVolume {
  /** What is mounted into containers. */
  readonly hostPath: string
  /** The pod's fsGroup is to own what lies in it. */
  readonly ownedByGroup: boolean
  readonly readOnly: boolean
  /** `hostPath` is a block device, for `volumeDevices`. */
  readonly isBlock?: boolean
  /** Wall time at which `mount` must run again, such as for a token that ends. */
  readonly refreshAtMs?: number
}

/** Idempotent: mounting again refreshes what has changed. Rejects in upstream's words. */
export type MountVolume = (scope: Scope, host: VolumeHost, request: VolumeRequest) => Promise<MountedVolume>
