// Everything made on a host stands here before it is made, so that a purge or a recovery finds it without guessing names.

/** What can be made on a host, and what undoing it needs to know. */
export type HostObject =
  | {
      readonly kind: 'process'
      readonly pid: number
      /** Field 22 of /proc/PID/stat: tells the process from a later one of the same number. */ readonly startTicks: string
    }
  /** A network namespace bound at /run/netns/NAME; its links, routes and nftables rules go with it. */
  | { readonly kind: 'network-namespace'; readonly name: string }
  /** A link in the host's own namespace. */
  | { readonly kind: 'link'; readonly name: string }
  /** An nftables table in the host's own namespace. */
  | { readonly kind: 'nft-table'; readonly family: 'ip' | 'ip6' | 'inet'; readonly name: string }
  /** A route in the host's own namespace. */
  | { readonly kind: 'route'; readonly destination: string }
  /** An address in the host's own namespace: `10.0.0.10/32` on `lo`. */
  | { readonly kind: 'address'; readonly address: string; readonly device: string }
  /** Every mount at or below the path. */
  | { readonly kind: 'mounts'; readonly path: string }
  /** Every loop device whose backing file lies at or below the path. */
  | { readonly kind: 'loop-devices'; readonly path: string }
  /** What the containerd with this state folder keeps in folders that all of a host's share: shims' sockets, results of CNI. */
  | { readonly kind: 'containerd-files'; readonly path: string }
  /** A cgroup of this path under every mounted hierarchy; what runs in it or below is killed. */
  | { readonly kind: 'cgroup'; readonly path: string }
  /** A file or a folder with all it holds; only below a path that Aksel made or documents. */
  | { readonly kind: 'path'; readonly path: string }
  /** A folder that others may use as well: it goes when it is empty. */
  | { readonly kind: 'empty-folder'; readonly path: string }
  /** A sysctl of the host's own namespace that was changed, with its old value, and by whose wish when others may share it. */
  | { readonly kind: 'sysctl'; readonly name: string; readonly before: string; readonly holder?: string }

export interface LedgerEntry {
  readonly id: number
  /** Who made it, so that one owner can be undone alone: `machine/aks-nodepool1-0`. */
  readonly owner: string
  readonly object: HostObject
}

export interface Ledger extends AsyncDisposable {
  /** Durable when it resolves; only then may the object be made. */
  record(owner: string, object: HostObject): Promise<LedgerEntry>
  /** The object is gone. */
  strike(entry: LedgerEntry): Promise<void>
  /** Newest first, the order in which they are undone. */
  entries(owner?: string): readonly LedgerEntry[]
}
