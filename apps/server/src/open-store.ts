// Which store a server runs on: `log`, in its data folder, or an etcd by its URL.

import { createHash } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { hostname } from 'node:os'
import { join } from 'node:path'
import { writeDurableFile } from '@aksel/host/durable-file'
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
  options: { readonly store: string; readonly dataDir: string; readonly historyMs?: number | undefined },
): Promise<Store> {
  const limits = options.historyMs === undefined ? {} : { limits: { historyMs: options.historyMs } }
  if (!isShared(options.store)) {
    return await openLogStore(scope, { disk: nodeDisk(), directory: storeDirectory(options.dataDir), ...limits })
  }
  // gRPC costs tens of megabytes, which a server on its own log should not pay.
  const { openEtcdStore } = await import('@aksel/store/etcd/etcd-store')
  return await openEtcdStore(scope, { address: await withEtcdUser(options.store), ...limits })
}

const recordFile = (dataDir: string): string => join(dataDir, 'server', 'store')

/** The store that this data folder's clusters live in; `log` where none was chosen yet. */
export function recordedStore(dataDir: string): string {
  try {
    return readFileSync(recordFile(dataDir), 'utf8').trim()
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return 'log'
    throw error
  }
}

export async function recordStore(dataDir: string, store: string): Promise<void> {
  await writeDurableFile(recordFile(dataDir), `${store}\n`)
}

/**
 * The store to open: what the folder's clusters live in. `log`, the default, asks for nothing else; another etcd than the
 * recorded one is refused, since its clusters would seem to be gone.
 */
export async function chosenStore(dataDir: string, wanted: string, hasClusters: boolean): Promise<string> {
  const recorded = recordedStore(dataDir)
  if (wanted === recorded) return wanted
  if (wanted === 'log') return recorded
  if (recorded !== 'log' || hasClusters) {
    throw new Error(
      `The clusters of ${dataDir} live in the store "${recorded}". Move them with: aksel store move --to '${wanted}'`,
    )
  }
  await recordStore(dataDir, wanted)
  return wanted
}

/** This server among those that share a store: its host and its data folder. */
export function hostName(dataDir: string): string {
  return `${hostname()}_${createHash('sha256').update(dataDir).digest('hex').slice(0, 8)}`
}
