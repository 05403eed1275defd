// What a control plane must remember beside its objects: its specification, its addresses and its keys.

import { createHash } from 'node:crypto'
import { readdir, rm } from 'node:fs/promises'
import { join } from 'node:path'
import type { RetiredKey } from '@aksel/apiserver/authentication/tokens'
import { newFrontProxy, type FrontProxy } from '@aksel/apiserver/aggregation/front-proxy'
import type { AuthenticationConfiguration } from '@aksel/api/authentication-configuration'
import type { Scope } from '@aksel/base/scope'
import type { ApiSwitches } from './api-switches.ts'
import type { EntraProfile } from '@aksel/provider/entra'
import type { ApiAccess, ControlPlaneSpec, ControlPlaneState, KeyRotations } from '@aksel/provider/cluster-engine'
import { createAuthority, createServiceAccountKey, issue, type KeyPair, type SigningKey } from '@aksel/runtime/pki'
import { readJson, writeDurableFile } from '@aksel/host/durable-file'
import type { Guard, KeyValue, Store } from '@aksel/store/store'

export interface ClusterRecord {
  /** Short and safe in paths: 12 hex digits of the id's SHA-256. */
  readonly key: string
  /** Makes addresses unique on this host. */
  readonly index: number
  readonly spec: ControlPlaneSpec
  readonly state: ControlPlaneState
  readonly authority: KeyPair
  readonly serving: KeyPair
  readonly admin: KeyPair
  readonly user: KeyPair
  readonly signingKey: SigningKey
  /** Signed before it, and is believed for a while. */
  readonly retiredKeys?: readonly RetiredKey[]
  /** Absent: everybody. */
  readonly access?: ApiAccess
  /** Absent: identities of the directory are not believed. */
  readonly entra?: EntraProfile
  /** Absent: none yet. */
  readonly rotations?: KeyRotations
  /** Who the API server is to API servers behind an APIService. Records of older versions lack it. */
  readonly frontProxy?: FrontProxy
  /** Whose tokens are believed besides the cluster's own. */
  readonly authentication?: AuthenticationConfiguration
  /** The VNet of its nodes, once that is known: load balancers are made in it. */
  readonly virtualNetworkId?: string
  /** It has a log of its own: it was made from an archive. */
  readonly ownStore?: boolean
  /** Betas and alphas that differ from its minor's defaults. */
  readonly switches?: ApiSwitches
  /** It is a copy of another cluster: it reaches nothing outside itself, and its clock is its own. */
  readonly fork?: { readonly of: string; readonly clockOffsetMs: number }
  /** The server that made it, where several share a store: its machines and its fabric are there. */
  readonly madeBy?: string
}

export function clusterKey(id: string): string {
  return createHash('sha256').update(id).digest('hex').slice(0, 12)
}

/** `127.7.0.1` and on: every cluster has a loopback address of its own. */
export function loopbackAddress(index: number): string {
  return `127.7.${Math.floor(index / 250)}.${(index % 250) + 1}`
}

export function firstServiceAddress(serviceCidr: string): string {
  const parts = serviceCidr.split('/')[0]!.split('.').map(Number)
  const value = ((parts[0]! << 24) | (parts[1]! << 16) | (parts[2]! << 8) | parts[3]!) + 1
  return [24, 16, 8, 0].map((shift) => (value >>> shift) & 255).join('.')
}

const CERTIFICATE_DAYS = 730

/** New keys for a new control plane. */
export async function newClusterRecord(
  scope: Scope,
  request: {
    readonly spec: ControlPlaneSpec
    readonly index: number
    readonly madeBy?: string | undefined
    readonly switches?: ApiSwitches | undefined
  },
): Promise<ClusterRecord> {
  const { spec, index, madeBy, switches } = request
  const keys = await newKeys(scope, spec, index)
  const maker = madeBy === undefined ? {} : { madeBy }
  const switched = switches === undefined ? {} : { switches }
  return { key: clusterKey(spec.id), index, spec, state: 'Running', ...keys, ...maker, ...switched }
}

export type ClusterKeys = Required<
  Pick<ClusterRecord, 'authority' | 'serving' | 'admin' | 'user' | 'signingKey' | 'frontProxy'>
>

export async function newKeys(scope: Scope, spec: ControlPlaneSpec, index: number): Promise<ClusterKeys> {
  const authority = await createAuthority(scope, { commonName: 'ca', years: 30 })
  const addresses = [
    loopbackAddress(index),
    '127.0.0.1',
    firstServiceAddress(spec.serviceCidr),
    ...(spec.fabricAddress === undefined ? [] : [spec.fabricAddress]),
  ]
  const dnsNames = [
    'kubernetes',
    'kubernetes.default',
    'kubernetes.default.svc',
    'kubernetes.default.svc.cluster.local',
    spec.fqdn,
    ...(spec.aliases ?? []),
    'localhost',
  ]
  const [serving, admin, signingKey, frontProxy] = await Promise.all([
    issue(scope, authority, {
      commonName: 'apiserver',
      dnsNames,
      ipAddresses: addresses,
      usages: ['server', 'client'],
      days: CERTIFICATE_DAYS,
    }),
    issue(scope, authority, {
      commonName: 'masterclient',
      organizations: ['system:masters'],
      usages: ['client'],
      days: CERTIFICATE_DAYS,
    }),
    createServiceAccountKey(),
    newFrontProxy(scope),
  ])
  // As on AKS with local accounts: both credentials are those of one client.
  return { authority, serving, admin, user: admin, signingKey, frontProxy }
}

export function resourceGroupOf(id: string): string {
  return /\/resourcegroups\/([^/]+)/i.exec(id)?.[1] ?? 'aksel'
}

/** Where the records of control planes are kept. */
export interface ClusterRecords {
  readAll(): Promise<readonly ClusterRecord[]>
  write(record: ClusterRecord): Promise<void>
  remove(key: string): Promise<void>
}

/** On disk, one file per control plane: they belong to this host. */
export class FileRecords implements ClusterRecords {
  readonly #directory: string

  constructor(dataDir: string) {
    this.#directory = join(dataDir, 'server', 'clusters')
  }

  async readAll(): Promise<readonly ClusterRecord[]> {
    let names: readonly string[] = []
    try {
      names = await readdir(this.#directory)
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error
    }
    const records = await Promise.all(
      names
        .filter((name) => name.endsWith('.json'))
        .map((name) => readJson<ClusterRecord>(join(this.#directory, name))),
    )
    return records.filter((record) => record !== undefined)
  }

  async write(record: ClusterRecord): Promise<void> {
    await writeDurableFile(join(this.#directory, `${record.key}.json`), JSON.stringify(record))
  }

  async remove(key: string): Promise<void> {
    await rm(join(this.#directory, `${key}.json`), { force: true })
  }
}

/** Another server changed the record since it was read here. */
export class RecordChangedError extends Error {
  constructor(record: ClusterRecord) {
    super(`The control plane of "${record.spec.id}" was changed by another server meanwhile`)
    this.name = 'RecordChangedError'
  }
}

/** In the store that several servers share, so that each of them serves every cluster. What one has not seen it does not overwrite. */
export class StoreRecords implements ClusterRecords {
  static readonly prefix = 'hub/control-planes/'
  readonly #store: Store
  /** Where each stood when it was last seen. */
  readonly #revisions = new Map<string, number>()

  constructor(store: Store) {
    this.#store = store
  }

  async readAll(): Promise<readonly ClusterRecord[]> {
    const { items } = await this.#store.range({ prefix: StoreRecords.prefix })
    return items.map((item) => this.seen(item))
  }

  /** What others wrote. */
  seen({ value, modRevision }: Pick<KeyValue, 'value' | 'modRevision'>): ClusterRecord {
    const record = JSON.parse(Buffer.from(value).toString()) as ClusterRecord
    this.#revisions.set(record.key, Math.max(modRevision, this.#revisions.get(record.key) ?? 0))
    return record
  }

  /** It was removed by another. */
  gone(key: string): void {
    this.#revisions.delete(key)
  }

  /** Holds while the record is as it was last seen here, or absent. */
  guardOf(key: string): Guard {
    return { kind: 'revision', key: `${StoreRecords.prefix}${key}`, modRevision: this.#revisions.get(key) ?? 0 }
  }

  /** Rejects with a RecordChangedError where what stands is not what was last seen here. */
  async write(record: ClusterRecord): Promise<void> {
    const key = `${StoreRecords.prefix}${record.key}`
    const result = await this.#store.transact({
      guards: [this.guardOf(record.key)],
      writes: [{ kind: 'put', key, value: Buffer.from(JSON.stringify(record)) }],
    })
    if (!result.committed) throw new RecordChangedError(record)
    this.#revisions.set(record.key, Math.max(result.revision, this.#revisions.get(record.key) ?? 0))
  }

  async remove(key: string): Promise<void> {
    await this.#store.transact({ guards: [], writes: [{ kind: 'delete', key: `${StoreRecords.prefix}${key}` }] })
    this.#revisions.delete(key)
  }
}
