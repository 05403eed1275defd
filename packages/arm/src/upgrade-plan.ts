// Decisions of a pool's upgrade: how many more nodes it may have meanwhile, who is next, how many at once. Nothing here waits or
// writes.

import { createHash } from 'node:crypto'
import type { MachineRecord, NodeVersions, PoolProperties, PoolRecord } from './records.ts'
import { localDnsOf } from './resource-providers/container-service/local-dns.ts'

type Upgraded = Pick<
  PoolRecord,
  'name' | 'version' | 'nodeImageVersion' | 'upgrade' | 'properties' | 'progress' | 'power'
>

/** What the machine was made with. */
export function versionsOf(
  machine: Pick<MachineRecord, 'versions'>,
  pool: Pick<PoolRecord, 'version' | 'nodeImageVersion' | 'upgrade'>,
): NodeVersions {
  return machine.versions ?? pool.upgrade?.from ?? goalOf(pool)
}

/** What every machine of the pool is to have. */
export function goalOf(pool: Pick<PoolRecord, 'version' | 'nodeImageVersion'>): NodeVersions {
  return { kubernetes: pool.version, image: pool.nodeImageVersion }
}

/** What a machine is made with besides its versions, and gets anew only when it is made anew: the rules of LocalDNS. */
export function bootOf({ properties }: Pick<PoolRecord, 'properties'>): string {
  const rules = localDnsOf(properties)
  if (rules === undefined) return 'none'
  return createHash('sha256').update(JSON.stringify(rules)).digest('hex').slice(0, 16)
}

export function isCurrent(
  machine: Pick<MachineRecord, 'versions' | 'boot'>,
  pool: Pick<PoolRecord, 'version' | 'nodeImageVersion' | 'upgrade' | 'properties'>,
): boolean {
  const { kubernetes, image } = versionsOf(machine, pool)
  if (kubernetes !== pool.version || image !== pool.nodeImageVersion) return false
  const goal = bootOf(pool)
  return (machine.boot ?? pool.upgrade?.fromBoot ?? goal) === goal
}

/** `5` or `33%` of a count, rounded up; undefined for what is neither. */
export function amountOf(text: unknown, count: number): number | undefined {
  const match = /^(\d{1,4})(%?)$/.exec(String(text))
  if (match === null) return undefined
  const value = Number(match[1])
  return match[2] === '%' ? Math.ceil((count * value) / 100) : value
}

export function isSpot(properties: PoolProperties): boolean {
  return properties['scaleSetPriority'] === 'Spot'
}

export function isBlueGreen(pool: Pick<PoolRecord, 'properties'>): boolean {
  return pool.properties['upgradeStrategy'] === 'BlueGreen'
}

/** An operation works on it, and nobody aborted it. A pool that stands still is upgraded when it is started. */
export function isUpgrading({ upgrade, progress, power }: Pick<PoolRecord, 'upgrade' | 'progress' | 'power'>): boolean {
  return (
    upgrade !== undefined && power === undefined && progress.operationId !== undefined && progress.canceling !== true
  )
}

/** Pools of one operation are upgraded one after the other: system pools first, then by name. */
export function hasTurn(pool: Upgraded, pools: readonly Upgraded[]): boolean {
  if (!isUpgrading(pool)) return false
  const rank = (one: Upgraded): string => `${one.properties.mode === 'System' ? 0 : 1} ${one.name}`
  return pools
    .filter((other) => isUpgrading(other) && other.progress.operationId === pool.progress.operationId)
    .every((other) => rank(pool) <= rank(other))
}

/** How many nodes it is to have beyond its count, now. */
export function surgeWanted(pool: Upgraded, machines: readonly MachineRecord[], turn: boolean): number {
  if (pool.upgrade === undefined || pool.progress.deleting === true) return 0
  const own = machines.filter((machine) => machine.surge !== true && machine.leavingSinceMs === undefined)
  const quarantined = own.filter(({ quarantinedBy }) => quarantinedBy !== undefined).length
  if (!turn) return quarantined
  if (isSpot(pool.properties) || isBlueGreen(pool)) return 0
  if (own.every((machine) => isCurrent(machine, pool))) return 0
  return Math.max(quarantined, maxSurge(pool.properties))
}

export function maxSurge(properties: PoolProperties): number {
  const given = amountOf(properties.upgradeSettings?.['maxSurge'] ?? '10%', properties.count)
  return given ?? 1
}

export function maxUnavailable(properties: PoolProperties): number {
  return amountOf(properties.upgradeSettings?.['maxUnavailable'] ?? '0', properties.count) ?? 0
}

export interface RollingPlan {
  /** Who is still to be upgraded, those first that are under way. */
  readonly queue: readonly MachineRecord[]
  /** How many may be away at the same time. */
  readonly atOnce: number
}

/** `surge`: extra nodes that are Ready. */
export function planRolling(pool: Upgraded, machines: readonly MachineRecord[], surge: number): RollingPlan {
  const queue = machines
    .filter((machine) => machine.surge !== true && machine.leavingSinceMs === undefined && !isCurrent(machine, pool))
    .filter(({ quarantinedBy }) => quarantinedBy === undefined || quarantinedBy !== pool.progress.operationId)
    .toSorted((left, right) => rankOf(left) - rankOf(right) || left.instance - right.instance)
  const spotAtOnce = isSpot(pool.properties) ? Math.max(1, maxSurge(pool.properties)) : 0
  return { queue, atOnce: Math.max(1, surge + maxUnavailable(pool.properties), spotAtOnce) }
}

function rankOf({ step }: MachineRecord): number {
  return step === undefined ? 1 : 0
}

export interface BlueGreenPlan {
  /** Who is to be drained, the next batch first. */
  readonly batches: readonly (readonly MachineRecord[])[]
  readonly batchSoakMs: number
  readonly finalSoakMs: number
}

const MINUTE_MS = 60_000

export function blueGreenSettings(properties: PoolProperties): {
  readonly drainBatchSize: string
  readonly drainTimeoutMs: number
  readonly batchSoakMs: number
  readonly finalSoakMs: number
} {
  const given = (properties['upgradeSettingsBlueGreen'] ?? {}) as Readonly<Record<string, unknown>>
  const minutes = (name: string, standard: number): number => Number(given[name] ?? standard) * MINUTE_MS
  return {
    drainBatchSize: typeof given['drainBatchSize'] === 'string' ? given['drainBatchSize'] : '10%',
    drainTimeoutMs: minutes('drainTimeoutInMinutes', 30),
    batchSoakMs: minutes('batchSoakDurationInMinutes', 15),
    finalSoakMs: minutes('finalSoakDurationInMinutes', 60),
  }
}

/** The old nodes that are not drained yet, in batches. */
export function planBlueGreen(pool: Upgraded, machines: readonly MachineRecord[]): BlueGreenPlan {
  const { drainBatchSize, batchSoakMs, finalSoakMs } = blueGreenSettings(pool.properties)
  const old = machines.filter((machine) => machine.leavingSinceMs === undefined && !isCurrent(machine, pool))
  const left = old
    .filter(({ step }) => step?.kind !== 'Drained')
    .toSorted((one, other) => rankOf(one) - rankOf(other) || one.instance - other.instance)
  const size = Math.max(1, amountOf(drainBatchSize, old.length) ?? 1)
  const batches = Array.from({ length: Math.ceil(left.length / size) }, (_, at) =>
    left.slice(at * size, (at + 1) * size),
  )
  return { batches, batchSoakMs, finalSoakMs }
}
