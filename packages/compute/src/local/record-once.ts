// Things of a machine that are made again at each start stand in the ledger once.

import type { HostObject, Ledger } from '@aksel/host/ledger'

export async function recordOnce(
  ledger: Ledger,
  owner: string,
  object: Extract<HostObject, { readonly kind: 'mounts' | 'containerd-files' | 'loop-devices' | 'empty-folder' }>,
): Promise<void> {
  const known = ledger
    .entries(owner)
    .some((entry) => entry.object.kind === object.kind && entry.object.path === object.path)
  if (!known) await ledger.record(owner, object)
}
