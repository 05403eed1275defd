// Which store a server runs on: `log`, in its data folder, or an etcd by its URL.

import { join } from 'node:path'
import type { Scope } from '@aksel/base/scope'
import { parseEtcdAddress, withEtcdUser } from '@aksel/store/etcd/etcd-address'
import { openLogStore } from '@aksel/store/log-store'
import { nodeDisk } from '@aksel/store/node-disk'
import type { Store } from '@aksel/store/store'

export function storeDirectory(dataDir: string): string {
  return join(dataDir, 'store')
}

/** Throws an Error in words for the user when the text names no store. */
export function checkStoreName(text: string): string {
  if (text === 'log') return text
  if (!text.startsWith('etcd:')) throw new Error(`Unknown store "${text}"; this version knows "log" and "etcd://…"`)
  parseEtcdAddress(text)
  return text
}

export function isShared(store: string): boolean {
  return store !== 'log'
}

/** Rejects with a StoreError when it is in use, damaged, or nobody answers. */
export async function openStore(
  scope: Scope,
  options: { readonly store: string; readonly dataDir: string },
): Promise<Store> {
  if (!isShared(options.store)) {
    return await openLogStore(scope, { disk: nodeDisk(), directory: storeDirectory(options.dataDir) })
  }
  // gRPC costs tens of megabytes, which a server on its own log should not pay.
  const { openEtcdStore } = await import('@aksel/store/etcd/etcd-store')
  return await openEtcdStore(scope, { address: await withEtcdUser(options.store) })
}
