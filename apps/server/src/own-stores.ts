// Clusters that were restored or forked have a log of their own, made from an archive, so that their revisions stay what they were.

import { rm } from 'node:fs/promises'
import { join } from 'node:path'
import type { Scope } from '@aksel/base/scope'
import { restoreArchive } from '@aksel/store/archive'
import { openLogStore } from '@aksel/store/log-store'
import { nodeDisk } from '@aksel/store/node-disk'
import type { Delete, Guard, Put, Store } from '@aksel/store/store'

export class OwnStores {
  readonly #scope: Scope
  readonly #dataDir: string
  readonly #open = new Map<string, Promise<Store>>()

  constructor(scope: Scope, dataDir: string) {
    this.#scope = scope
    this.#dataDir = dataDir
  }

  #directory(key: string): string {
    return join(this.#dataDir, 'stores', key)
  }

  open(key: string): Promise<Store> {
    let store = this.#open.get(key)
    if (store === undefined) {
      store = openLogStore(this.#scope, { disk: nodeDisk(), directory: this.#directory(key) })
      this.#open.set(key, store)
      store.catch(() => this.#open.delete(key))
    }
    return store
  }

  async close(key: string): Promise<void> {
    const store = this.#open.get(key)
    this.#open.delete(key)
    await (await store)?.[Symbol.asyncDispose]()
  }

  /** Throws `Corrupt` before anything is made of a damaged archive. What stood there is replaced. */
  async restore(key: string, path: string): Promise<void> {
    await this.remove(key)
    await restoreArchive({ disk: nodeDisk(), path, directory: this.#directory(key), random: this.#scope.random })
  }

  async remove(key: string): Promise<void> {
    await this.close(key)
    await rm(this.#directory(key), { recursive: true, force: true })
  }
}

const webhooks = ['validatingwebhookconfigurations/', 'mutatingwebhookconfigurations/']
const NODES = 'minions/'
const SIMULATED = 'aksel.dev/simulated'

interface StoredNode {
  readonly metadata: { readonly labels?: Readonly<Record<string, string>> }
}

/** Cuts a fork off from what its original drives: nothing outside is called, and no node is taken for a real one. */
export async function detach(store: Store, prefix: string): Promise<void> {
  const writes: (Put | Delete)[] = []
  for (const webhook of webhooks) {
    const { items } = await store.range({ prefix: `${prefix}${webhook}` })
    for (const { key } of items) writes.push({ kind: 'delete', key })
  }
  const { items } = await store.range({ prefix: `${prefix}${NODES}` })
  for (const { key, value } of items) {
    const node = JSON.parse(Buffer.from(value).toString()) as StoredNode
    const labels = { ...node.metadata.labels, [SIMULATED]: 'true' }
    const marked = { ...node, metadata: { ...node.metadata, labels } }
    writes.push({ kind: 'put', key, value: Buffer.from(JSON.stringify(marked)) })
  }
  await commit(store, writes)
}

/** Objects that are of one node, by the place of their keys. */
const ofNodes = [NODES, 'csinodes/', 'leases/kube-node-lease/', 'volumeattachments/']

/** A cluster that comes to life elsewhere has other machines: its nodes are gone, and pods on them go the way of such pods. */
export async function leaveNodes(store: Store, prefix: string): Promise<void> {
  const writes: Delete[] = []
  for (const place of ofNodes) {
    const { items } = await store.range({ prefix: `${prefix}${place}` })
    for (const { key } of items) writes.push({ kind: 'delete', key })
  }
  await commit(store, writes)
}

async function commit(store: Store, writes: readonly (Put | Delete)[]): Promise<void> {
  for (let at = 0; at < writes.length; at += 100)
    await store.transact({ guards: [], writes: writes.slice(at, at + 100) })
}

/** etcd takes 128 changes at once. */
const DELETE_BATCH = 100

/** A control plane that is gone leaves no key behind. Rejects where a guard does not hold: what stands there is another's by now. */
export async function removeObjects(store: Store, prefix: string, guards: readonly Guard[] = []): Promise<void> {
  for (;;) {
    const { items } = await store.range({ prefix, limit: DELETE_BATCH })
    if (items.length === 0) return
    const { committed } = await store.transact({ guards, writes: items.map(({ key }) => ({ kind: 'delete', key })) })
    if (!committed) throw new Error(`Nothing below "${prefix}" is removed: another server made it anew`)
  }
}
