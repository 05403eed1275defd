// Values that only one object of the cluster may hold: service addresses and node ports. The pools are filled from the
// stored objects when first needed. Node ports are memory only, since the services say who holds what; addresses also
// have an object each (service-ranges.ts).

import { invalidError, invalid, type FieldError } from '@aksel/api/field-errors'
import type { AllocationNeed, KindRow } from '@aksel/api/kind-row'
import type { KubernetesObject } from '@aksel/api/resource'
import { keyOf, refOfKey } from '@aksel/api/resource'
import { ApiError } from '@aksel/base/errors'
import type { Draft } from '@aksel/base/draft'
import type { Random } from '@aksel/base/ids'
import type { Scope } from '@aksel/base/scope'
import type { Fence } from '@aksel/runtime/fenced-client'
import { freeIn } from './free-value.ts'
import type { RecordStore } from './record-store.ts'
import type { WriteCall } from './registry.ts'
import { ServiceRanges, type IpFamilyName } from './service-ranges.ts'

export interface PoolOptions {
  /** `10.0.0.0/16`, and one of the other family where the cluster has both; the default family first. */
  readonly serviceCidrs: readonly string[]
  readonly nodePorts: { readonly from: number; readonly to: number }
}

type PoolName = AllocationNeed['pool']

interface Pool {
  /** Value to the key of its holder. */
  readonly held: Map<string, string>
  /** Is it a value of this pool; '' or why not. */
  complaint(value: string): string
  /** A free value, or undefined when all are held. */
  free(family: IpFamilyName): string | undefined
  /** Waits until a value that is being freed is free. */
  settled?(value: string): Promise<void>
  /** Writes down who has the value; false where another turns out to have it. */
  claim?(value: string, holder: string, fence: Fence | undefined): Promise<boolean>
  release(value: string): void
}

/** Gives back what an unfinished write reserved, unless it was kept. */
export interface Reservation {
  release(): void
}

export class AllocationPools {
  /** Of service addresses, the cluster's default first. */
  readonly serviceFamilies: readonly IpFamilyName[]
  readonly #records: RecordStore
  readonly #rows: readonly KindRow[]
  readonly #pools: Readonly<Record<PoolName, Pool>>
  #filled: Promise<void> | undefined

  readonly #ranges: ServiceRanges

  constructor(options: PoolOptions & { scope: Scope; records: RecordStore; rows: readonly KindRow[] }) {
    const { scope, records, rows, serviceCidrs } = options
    this.serviceFamilies = serviceCidrs.map((cidr) => (cidr.includes(':') ? 'IPv6' : 'IPv4'))
    this.#records = records
    this.#rows = rows.filter((row) => row.allocations !== undefined && row.storedAs === undefined)
    const rowOf = (kind: string): KindRow => rows.find((row) => row.kind === kind && row.storedAs === undefined)!
    this.#ranges = new ServiceRanges({
      scope,
      records,
      addressRow: rowOf('IPAddress'),
      rangeRow: rowOf('ServiceCIDR'),
      serviceRow: rowOf('Service'),
      serviceCidrs,
    })
    this.#pools = { clusterIP: addressPool(this.#ranges), nodePort: portPool(options.nodePorts, scope.random) }
  }

  /**
   * Fills in what the object needs; nothing is written down for a `dryRun`. Throws Invalid where a value that was asked
   * for is taken or out of range.
   */
  async reserve(
    { row, dryRun, fence }: Pick<WriteCall, 'row' | 'dryRun' | 'fence'>,
    object: Draft<KubernetesObject>,
    old: KubernetesObject | undefined,
  ): Promise<Reservation> {
    const rules = row.allocations
    if (rules === undefined) return { release: () => {} }
    await (this.#filled ??= this.#fill())
    const holder = keyOf(object as KubernetesObject)
    const needs = rules.needs(object as KubernetesObject, old)
    const taken: { pool: Pool; value: string }[] = []
    const release = (): void =>
      taken.splice(0).forEach(({ pool, value }) => (dryRun ? pool.held.delete(value) : pool.release(value)))
    const shared = new Map<string, string>()
    const values: string[] = []
    for (const need of needs) {
      const known = need.shareKey === undefined ? undefined : shared.get(need.shareKey)
      if (known !== undefined) {
        values.push(known)
        continue
      }
      const pool = this.#pools[need.pool]
      if (need.value !== undefined) await pool.settled?.(need.value)
      const error = need.value === undefined ? undefined : this.#complaint(need, pool, holder)
      if (error !== undefined) {
        release()
        throw invalidError({ group: row.group, kind: row.kind, name: object.metadata.name }, [error])
      }
      const value = need.value ?? pool.free(need.family ?? 'IPv4')
      if (value === undefined) {
        release()
        throw new ApiError('InternalError', `Internal error occurred: failed to allocate a ${need.pool}: range is full`)
      }
      if (!pool.held.has(value)) {
        pool.held.set(value, holder)
        if (dryRun || (await pool.claim?.(value, holder, fence)) !== false) taken.push({ pool, value })
        else {
          release()
          const complaint = invalid(need.field, value, alreadyAllocated(need.pool, value))
          throw invalidError({ group: row.group, kind: row.kind, name: object.metadata.name }, [complaint])
        }
      }
      if (need.shareKey !== undefined) shared.set(need.shareKey, value)
      values.push(value)
    }
    if (needs.length > 0) rules.assign(object, needs, values)
    return { release }
  }

  /** Frees what the old object held and the new one does not; undefined: it is gone. */
  settle(row: KindRow, old: KubernetesObject | undefined, now: KubernetesObject | undefined): void {
    const rules = row.allocations
    if (rules === undefined || old === undefined) return
    const kept = new Set(now === undefined ? [] : rules.holds(now).map(({ pool, value }) => `${pool} ${value}`))
    for (const { pool, value } of rules.holds(old)) {
      if (!kept.has(`${pool} ${value}`)) this.#pools[pool].release(value)
    }
  }

  #complaint(need: AllocationNeed, pool: Pool, holder: string): FieldError | undefined {
    const value = need.value!
    const complaint = pool.complaint(value)
    const shown = need.pool === 'nodePort' ? Number(value) : value
    if (complaint !== '') return invalid(need.field, shown, complaint)
    const current = pool.held.get(value)
    if (current === undefined || current === holder) return undefined
    return invalid(need.field, shown, alreadyAllocated(need.pool, value))
  }

  async #fill(): Promise<void> {
    await this.#ranges.fill()
    for (const row of this.#rows) {
      for (const record of await this.#records.list(row)) {
        for (const { pool, value } of row.allocations!.holds(record.object)) {
          this.#pools[pool].held.set(value, keyOf(record.object))
        }
      }
    }
  }
}

function alreadyAllocated(pool: PoolName, value: string): string {
  return pool === 'nodePort'
    ? 'provided port is already allocated'
    : `failed to allocate IP ${value}: provided IP is already allocated`
}

function addressPool(ranges: ServiceRanges): Pool {
  return {
    held: ranges.held,
    complaint: (value) => ranges.complaint(value),
    free: (family) => ranges.free(family),
    settled: (value) => ranges.settled(value),
    claim(value, holder, fence) {
      const { namespace = '', name } = refOfKey(holder)
      return ranges.claim(value, { namespace, name }, fence)
    },
    release: (value) => ranges.release(value),
  }
}

function portPool({ from, to }: PoolOptions['nodePorts'], random: Random): Pool {
  const held = new Map<string, string>()
  return {
    held,
    complaint(value) {
      const port = Number(value)
      return port >= from && port <= to
        ? ''
        : `provided port is not in the valid range. The range of valid ports is ${from}-${to}`
    },
    free: () => freeIn(random, from, to, held, String),
    release: (value) => void held.delete(value),
  }
}
