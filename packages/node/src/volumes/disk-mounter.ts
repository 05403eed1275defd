// What the agent asks of whoever keeps disks: a file system of a disk at a path. Implemented by the storage package and
// handed in.

import type { Scope } from '@aksel/base/scope'

export interface DiskMounter {
  /**
   * Makes the disk's file system appear at `targetPath`, an existing empty folder; formats a disk that has none.
   * Idempotent. Rejects where the disk is held by another node.
   */
  mount(
    scope: Scope,
    request: {
      /** The disk's ARM resource id. */
      readonly volumeHandle: string
      /** `ext4` when empty. */
      readonly fsType: string
      readonly readOnly: boolean
      readonly targetPath: string
      /** The disk itself appears at `targetPath`, which is then an existing empty file. */
      readonly block?: boolean
      /** Who uses it, for the ledger: `machine/aks-nodepool1-0`. */
      readonly owner: string
    },
  ): Promise<void>
  /** The disk became larger while this node has it: its file system follows, now or when it is mounted next. Idempotent. */
  grow(
    scope: Scope,
    request: { readonly volumeHandle: string; readonly owner: string },
  ): Promise<'grown' | 'at-next-mount'>
  /** Idempotent; the last unmount on a node gives the disk back. */
  unmount(
    scope: Scope,
    request: { readonly volumeHandle: string; readonly targetPath: string; readonly owner: string },
  ): Promise<void>
}
