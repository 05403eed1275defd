// The control planes that should run: started once, whoever asks; one that cannot start says why, and is tried again while the
// others go on.

import type { Server } from 'node:net'
import { isDeepStrictEqual } from 'node:util'
import { shiftedClock } from '@aksel/base/clock'
import { childScope, type Scope } from '@aksel/base/scope'
import { openAccess } from '@aksel/provider/cluster-engine'
import type { Store } from '@aksel/store/store'
import type { ClusterRecord } from './cluster-record.ts'
import { startControlPlane, type ControlPlane, type ControlPlaneParts } from './control-plane.ts'
import { hostName } from './open-store.ts'
import { anyPlace, type Place, type Places } from './places.ts'

export interface PlaneOptions extends ControlPlaneParts {
  readonly dataDir: string
  /** Set where other servers use the same store: this server's name among them. Then all of them serve every cluster. */
  readonly sharedAs?: string
}

export interface Keyspace {
  readonly store: Store
  readonly keyPrefix: string
}

export interface PlaneRecords {
  /** The record as it is now; undefined where the cluster is gone. */
  readonly current: (id: string) => ClusterRecord | undefined
  readonly keyspace: (record: ClusterRecord) => Promise<Keyspace>
  readonly closeKeyspace: (record: ClusterRecord) => Promise<void>
}

/** Between two tries to start a control plane: the first, and the most. */
const RETRY_MS = { first: 1_000, most: 30_000 }

export class RunningPlanes {
  readonly #scope: Scope
  readonly #options: PlaneOptions
  readonly #places: Places
  readonly #records: PlaneRecords
  readonly #starting = new Map<string, Promise<ControlPlane>>()
  /** Those of `#starting` that have started. */
  readonly #alive = new Map<string, ControlPlane>()
  /** Where those listen that listen elsewhere than at their own place. */
  readonly #elsewhere = new Map<string, Place>()
  readonly #failures = new Map<string, string>()

  constructor(scope: Scope, options: PlaneOptions, parts: { places: Places; records: PlaneRecords }) {
    this.#scope = scope
    this.#options = options
    this.#places = parts.places
    this.#records = parts.records
  }

  get ids(): readonly string[] {
    return [...this.#starting.keys()]
  }

  alive(id: string): ControlPlane {
    const plane = this.#alive.get(id)
    const why = this.#failures.get(id)
    if (plane === undefined)
      throw new Error(`The control plane of "${id}" does not run${why === undefined ? '' : `: ${why}`}`)
    return plane
  }

  find(id: string): ControlPlane | undefined {
    return this.#alive.get(id)
  }

  /** Why it does not run although it should. */
  failureOf(id: string): string | undefined {
    return this.#failures.get(id)
  }

  placeOf(record: ClusterRecord): Place {
    return this.#elsewhere.get(record.spec.id) ?? this.#places.of(record.index)
  }

  /** Resolves when it runs. Rejects with why it does not. */
  ensure(record: ClusterRecord): Promise<ControlPlane> {
    const { id } = record.spec
    const known = this.#starting.get(id)
    if (known !== undefined) return known
    const starting = this.#start(record)
    this.#starting.set(id, starting)
    starting.then(
      (plane) => {
        this.#failures.delete(id)
        this.#alive.set(id, plane)
      },
      (error: unknown) => {
        this.#failures.set(id, error instanceof Error ? error.message : String(error))
        this.#starting.delete(id)
      },
    )
    return starting
  }

  /** Tries until it runs, or should run no more. Resolves after the first try, whatever came of it. */
  async keep(record: ClusterRecord, waitMs = RETRY_MS.first): Promise<void> {
    const { id } = record.spec
    try {
      await this.ensure(record)
    } catch (error) {
      if (this.#scope.signal.aborted) return
      this.#scope.log.error('a control plane did not start', { cluster: record.spec.name, error, waitMs })
      this.#scope.clock.after(waitMs, () => {
        const now = this.#records.current(id)
        if (now?.state === 'Running' && !this.#scope.signal.aborted)
          void this.keep(now, Math.min(2 * waitMs, RETRY_MS.most))
      })
    }
  }

  /** Runs as the record says now: one of another version or with other keys ends first. */
  async renew(record: ClusterRecord): Promise<void> {
    await this.haltOlder(record)
    if (record.state === 'Running') await this.ensure(record)
  }

  async haltOlder({ spec, rotations }: ClusterRecord): Promise<void> {
    const running = this.#alive.get(spec.id)?.record
    if (running === undefined) return
    const isCurrent =
      running.spec.kubernetesVersion === spec.kubernetesVersion && isDeepStrictEqual(running.rotations, rotations)
    if (!isCurrent) await this.halt(spec.id)
  }

  async halt(id: string): Promise<void> {
    this.#failures.delete(id)
    const starting = this.#starting.get(id)
    if (starting === undefined) return
    this.#starting.delete(id)
    this.#alive.delete(id)
    // One that cannot start has nothing to be stopped.
    const plane = await starting.catch(() => undefined)
    await plane?.[Symbol.asyncDispose]()
    if (plane?.record.ownStore === true) await this.#records.closeKeyspace(plane.record)
  }

  async #start(record: ClusterRecord): Promise<ControlPlane> {
    const { id } = record.spec
    const { fabric, diskImages, machines, sharedAs, dataDir, ...rest } = this.#options
    // Machines and fabric belong to the host that made them: elsewhere the cluster is served without. A fork has none: what its
    // objects name is its original's.
    const isOurs = sharedAs === undefined || record.madeBy === sharedAs
    // One that several servers may come to work on has nothing that is this host's.
    const isBound = sharedAs === undefined || record.spec.fabricAddress !== undefined
    const drives = isOurs && isBound && record.fork === undefined
    const ours = { ...(fabric === undefined ? {} : { fabric }), ...(diskImages === undefined ? {} : { diskImages }) }
    const { fabricAddress: _, ...spec } = record.spec
    const keyspace = await this.#records.keyspace(record)
    const { place, socket } = await this.#claimed(record, isOurs)
    try {
      return await startControlPlane(this.#scopeOf(record), {
        ...rest,
        ...(drives ? ours : {}),
        ...(machines === undefined ? {} : { machines }),
        candidate: sharedAs ?? hostName(dataDir),
        isAlone: sharedAs === undefined,
        record: drives ? record : { ...record, spec },
        ...keyspace,
        localAddress: place.host,
        localPort: place.port,
        claim: socket,
        tunnelSocket: tunnelSocketOf(dataDir, record),
        access: () => this.#records.current(id)?.access ?? openAccess,
        entraProfile: () => this.#records.current(id)?.entra,
        virtualNetworkId: () => this.#records.current(id)?.virtualNetworkId,
      })
    } catch (error) {
      socket?.close()
      throw error
    }
  }

  #scopeOf(record: ClusterRecord): Scope {
    const own = childScope(this.#scope, { cluster: record.spec.name })
    const offsetMs = record.fork?.clockOffsetMs ?? 0
    return offsetMs === 0 ? own : { ...own, clock: shiftedClock(own.clock, offsetMs) }
  }

  /** The place of its own; one that another server made, and perhaps serves on this host, gets a port of 127.0.0.1. */
  async #claimed(record: ClusterRecord, isOurs: boolean): Promise<{ place: Place; socket: Server | undefined }> {
    if (isOurs) return { place: this.#places.of(record.index), socket: this.#places.handOver(record.index) }
    const found = await anyPlace()
    this.#elsewhere.set(record.spec.id, found.place)
    return found
  }
}

/** Unix socket that the agents of the cluster's nodes dial. */
export function tunnelSocketOf(dataDir: string, record: ClusterRecord): string {
  // Asked of every cluster with every list of them: `join` took more than the list's own work.
  return `${dataDir}/server/tunnel-${record.key}.sock`
}
