// Values that only one object of the cluster may hold: service addresses and node ports. The pools are filled from the
// stored objects when first needed; they are memory only, since the objects say who holds what.

import { BlockList, isIP } from 'node:net'
import { invalidError, invalid, type FieldError } from '@aksel/api/field-errors'
import type { AllocationNeed, KindRow } from '@aksel/api/kind-row'
import type { KubernetesObject } from '@aksel/api/resource'
import { keyOf } from '@aksel/api/resource'
import { ApiError } from '@aksel/base/errors'
import type { Draft } from '@aksel/base/draft'
import type { Random } from '@aksel/base/ids'
import type { RecordStore } from './record-store.ts'

export interface PoolOptions {
  /** IPv4: `10.0.0.0/16`. */
  readonly serviceCidr: string
  readonly nodePorts: { readonly from: number; readonly to: number }
}

type PoolName = AllocationNeed['pool']

interface Pool {
  /** Value to the uid (or key, while it has none) of its holder. */
  readonly held: Map<string, string>
  /** Is it a value of this pool; '' or why not. */
  complaint(value: string): string
  /** A free value, or undefined when all are held. */
  free(): string | undefined
}

/** Gives back what an unfinished write reserved, unless it was kept. */
export interface Reservation {
  release(): void
}

export class AllocationPools {
  readonly #records: RecordStore
  readonly #rows: readonly KindRow[]
  readonly #pools: Readonly<Record<PoolName, Pool>>
  #filled: Promise<void> | undefined

  constructor(options: PoolOptions & { records: RecordStore; rows: readonly KindRow[]; random: Random }) {
    this.#records = options.records
    this.#rows = options.rows.filter((row) => row.allocations !== undefined && row.storedAs === undefined)
    this.#pools = {
      clusterIP: addressPool(options.serviceCidr, options.random),
      nodePort: portPool(options.nodePorts, options.random),
    }
  }

  /** Fills in what the object needs. Throws Invalid where a value that was asked for is taken or out of range. */
  async reserve(
    row: KindRow,
    object: Draft<KubernetesObject>,
    old: KubernetesObject | undefined,
  ): Promise<Reservation> {
    const rules = row.allocations
    if (rules === undefined) return { release: () => {} }
    await (this.#filled ??= this.#fill())
    const holder = keyOf(object as KubernetesObject)
    const needs = rules.needs(object as KubernetesObject, old)
    const taken: { pool: Pool; value: string }[] = []
    const release = (): void => taken.splice(0).forEach(({ pool, value }) => pool.held.delete(value))
    const shared = new Map<string, string>()
    const values: string[] = []
    for (const need of needs) {
      const known = need.shareKey === undefined ? undefined : shared.get(need.shareKey)
      if (known !== undefined) {
        values.push(known)
        continue
      }
      const pool = this.#pools[need.pool]
      const error = need.value === undefined ? undefined : this.#complaint(need, pool, holder)
      if (error !== undefined) {
        release()
        throw invalidError({ group: row.group, kind: row.kind, name: object.metadata.name }, [error])
      }
      const value = need.value ?? pool.free()
      if (value === undefined) {
        release()
        throw new ApiError('InternalError', `Internal error occurred: failed to allocate a ${need.pool}: range is full`)
      }
      if (!pool.held.has(value)) taken.push({ pool, value })
      pool.held.set(value, holder)
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
      if (!kept.has(`${pool} ${value}`)) this.#pools[pool].held.delete(value)
    }
  }

  #complaint(need: AllocationNeed, pool: Pool, holder: string): FieldError | undefined {
    const value = need.value!
    const complaint = pool.complaint(value)
    const shown = need.pool === 'nodePort' ? Number(value) : value
    if (complaint !== '') return invalid(need.field, shown, complaint)
    const current = pool.held.get(value)
    if (current === undefined || current === holder) return undefined
    const taken =
      need.pool === 'nodePort'
        ? 'provided port is already allocated'
        : 'failed to allocate IP ' + `${value}: provided IP is already allocated`
    return invalid(need.field, shown, taken)
  }

  async #fill(): Promise<void> {
    for (const row of this.#rows) {
      for (const record of await this.#records.list(row)) {
        for (const { pool, value } of row.allocations!.holds(record.object)) {
          this.#pools[pool].held.set(value, keyOf(record.object))
        }
      }
    }
  }
}

function addressPool(cidr: string, random: Random): Pool {
  const [network = '', lengthText = ''] = cidr.split('/')
  const length = Number(lengthText)
  const size = 2 ** (32 - length)
  const base = toNumber(network)
  const inside = new BlockList()
  inside.addSubnet(network, length, 'ipv4')
  const held = new Map<string, string>()
  // The lower band is left to those who ask for an address: upstream's min(max(16, size / 16), 256).
  const reserved = Math.min(Math.max(16, Math.floor(size / 16)), 256)
  return {
    held,
    complaint(value) {
      if (isIP(value) !== 4 || !inside.check(value, 'ipv4')) {
        return `failed to allocate IP ${value}: the provided IP (${value}) is not in the valid range. The range of valid IPs is ${cidr}`
      }
      const offset = toNumber(value) - base
      return offset === 0 || offset === size - 1
        ? `failed to allocate IP ${value}: the provided network address is not usable`
        : ''
    },
    free: () =>
      freeIn(random, base + Math.min(reserved, size - 2), base + size - 2, held, toAddress) ??
      freeIn(random, base + 1, base + Math.min(reserved, size - 2), held, toAddress),
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
  }
}

/** A random free value between `from` and `to`; walks on from a random start. */
function freeIn(
  random: Random,
  from: number,
  to: number,
  held: ReadonlyMap<string, string>,
  show: (value: number) => string,
): string | undefined {
  const size = to - from + 1
  if (size <= 0) return undefined
  const [a = 0, b = 0, c = 0, d = 0] = random.nextBytes(4)
  const start = (((a << 24) | (b << 16) | (c << 8) | d) >>> 0) % size
  for (let step = 0; step < size; step += 1) {
    const value = show(from + ((start + step) % size))
    if (!held.has(value)) return value
  }
  return undefined
}

function toNumber(address: string): number {
  return address.split('.').reduce((sum, part) => sum * 256 + Number(part), 0)
}

function toAddress(value: number): string {
  return [value >>> 24, (value >>> 16) & 255, (value >>> 8) & 255, value & 255].join('.')
}
