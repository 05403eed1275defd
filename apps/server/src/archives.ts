// Whole clusters in files, and the stores that are made of them: what `snapshot`, `restore` and `fork` do to keys and values.

import { rm } from 'node:fs/promises'
import type { Scope } from '@aksel/base/scope'
import { openedStore } from '@aksel/apiserver/encryption/opened-store'
import type { ArchiveFacts, WrittenArchive } from '@aksel/provider/cluster-archives'
import { copyInto, readArchive, writeArchive } from '@aksel/store/archive'
import { nodeDisk } from '@aksel/store/node-disk'
import type { Guard, KeyValue, Store } from '@aksel/store/store'
import type { ApiServerFiles } from './api-server-files.ts'
import type { ClusterRecord } from './cluster-record.ts'
import { detach, leaveNodes, removeObjects, type OwnStores } from './own-stores.ts'
import type { Keyspace } from './running-planes.ts'

/** Says in the archive what a cluster that is made of it must have in common with the first. */
const FACTS_KEY = 'aksel.dev/cluster'

export interface ArchivesOptions {
  readonly store: Store
  readonly sharedAs?: string
  readonly files?: Pick<ApiServerFiles, 'encryption'>
}

export class Archives {
  readonly #own: OwnStores
  readonly #options: ArchivesOptions

  constructor(own: OwnStores, options: ArchivesOptions) {
    this.#own = own
    this.#options = options
  }

  async write(scope: Scope, record: ClusterRecord, keyspace: Keyspace, path: string): Promise<WrittenArchive> {
    const { store, keyPrefix } = keyspace
    await sayFacts(keyspace, record)
    const { keys, revision, sizeBytes } = await writeArchive({
      disk: nodeDisk(),
      path,
      store,
      prefix: keyPrefix,
      random: scope.random,
    })
    return { objects: keys, revision, sizeBytes }
  }

  async read(path: string): Promise<ArchiveFacts> {
    let cluster: ArchiveFacts['cluster']
    const { keys, revision, sizeBytes } = await readArchive(nodeDisk(), path, ({ key, value }) => {
      if (key === FACTS_KEY) cluster = JSON.parse(Buffer.from(value).toString()) as ArchiveFacts['cluster']
    })
    return { objects: keys, revision, sizeBytes, cluster }
  }

  /** Fills the store of the new cluster; its record, as it is to be written. */
  async restore(record: ClusterRecord, path: string): Promise<ClusterRecord> {
    const filled = await this.#fill(record, path)
    const { store, keyPrefix } = await this.#keyspace(filled)
    await leaveNodes(store, keyPrefix)
    return filled
  }

  async fork(
    scope: Scope,
    parts: {
      readonly of: ClusterRecord
      readonly keyspace: Keyspace
      readonly record: ClusterRecord
      readonly path: string
    },
  ): Promise<ClusterRecord> {
    const { of, keyspace, record, path } = parts
    await this.write(scope, of, keyspace, path)
    try {
      const filled = await this.#fill(record, path)
      const { store, keyPrefix } = await this.#keyspace(filled)
      const { kubernetesVersion } = record.spec
      const encryption = this.#options.files?.encryption?.current
      const { random, clock } = scope
      await detach(await openedStore({ store, keyPrefix, kubernetesVersion, random, clock, encryption }), keyPrefix)
      return filled
    } finally {
      await rm(path, { force: true })
    }
  }

  /** All that a cluster has stored, wherever it is. Idempotent. */
  async remove(record: ClusterRecord, guards: readonly Guard[] = []): Promise<void> {
    await this.#own.remove(record.key)
    if (record.ownStore !== true) await removeObjects(this.#options.store, `clusters/${record.key}/`, guards)
  }

  async #fill(record: ClusterRecord, path: string): Promise<ClusterRecord> {
    if (this.#options.sharedAs === undefined) {
      await this.#own.restore(record.key, path)
      return { ...record, ownStore: true }
    }
    const items: KeyValue[] = []
    await readArchive(nodeDisk(), path, (item) => void items.push(item))
    await copyInto(this.#options.store, `clusters/${record.key}/`, items)
    return record
  }

  async #keyspace(record: ClusterRecord): Promise<Keyspace> {
    if (record.ownStore === true) return { store: await this.#own.open(record.key), keyPrefix: '' }
    return { store: this.#options.store, keyPrefix: `clusters/${record.key}/` }
  }
}

async function sayFacts({ store, keyPrefix }: Keyspace, { spec }: ClusterRecord): Promise<void> {
  const { name, kubernetesVersion, serviceCidr, dnsServiceIp } = spec
  const value = Buffer.from(JSON.stringify({ name, kubernetesVersion, serviceCidr, dnsServiceIp }))
  const key = `${keyPrefix}${FACTS_KEY}`
  const found = await store.get(key)
  if (found !== undefined && Buffer.compare(found.value, value) === 0) return
  await store.transact({ guards: [], writes: [{ kind: 'put', key, value }] })
}
