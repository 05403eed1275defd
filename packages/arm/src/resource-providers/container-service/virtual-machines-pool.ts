// Pools of type VirtualMachines: machines of several sizes in one pool, each size with a count of its own. Pure.

import { invalidParameter } from '../../azure-errors.ts'
import type { Json, MachineRecord, PoolProperties, PoolRecord } from '../../records.ts'
import { objectAt } from '../body.ts'
import { findVmSize } from './vm-sizes.ts'

/** So many machines of one size. */
export interface SizeCount {
  readonly size: string
  readonly count: number
}

const where = 'agentPoolProfile.virtualMachinesProfile.scale'
/** AKS keeps no more profiles. */
const profilesMax = 5

export function isOfVirtualMachines(properties: Pick<PoolProperties, 'count'> & Json): boolean {
  return properties['type'] === 'VirtualMachines'
}

/** What each size is to have; of any other pool its one size. */
export function sizesOf(properties: PoolProperties): readonly SizeCount[] {
  const { vmSize, count } = properties
  return isOfVirtualMachines(properties) ? profilesOf(properties) : [{ size: vmSize, count }]
}

/** The size of a machine. */
export function vmSizeOf(machine: Pick<MachineRecord, 'vmSize'>, pool: Pick<PoolRecord, 'properties'>): string {
  return machine.vmSize ?? pool.properties.vmSize
}

/** Nobody scales by an autoscale profile here: its least count stands. */
function profilesOf(properties: Json): readonly SizeCount[] {
  const { manual, autoscale } = objectAt(objectAt(properties, 'virtualMachinesProfile'), 'scale')
  const list = (value: unknown, count: string): readonly SizeCount[] =>
    (Array.isArray(value) ? value : []).map((one: Json) => ({
      size: String(one['size']),
      count: Number(one[count] ?? 1),
    }))
  return [...list(manual, 'count'), ...list(autoscale, 'minCount')]
}

/** The pool with the count and the size that its profiles come to. Whoever names no profile means one size, as other pools do. */
export function withProfiles(pool: PoolProperties, given: Json): PoolProperties {
  if (!isOfVirtualMachines(pool)) return pool
  const profiles = profilesOf(pool)
  if (profiles.length === 0) {
    const manual = [{ size: pool.vmSize, count: pool.count }]
    return { ...pool, virtualMachinesProfile: { scale: { manual } } }
  }
  const count = profiles.reduce((sum, profile) => sum + profile.count, 0)
  if (given['count'] !== undefined && given['count'] !== count && given['virtualMachinesProfile'] === undefined) {
    throw invalidParameter(
      'agentPoolProfile.count',
      'the count of a VirtualMachines pool follows from its scale profiles and cannot be set by itself',
    )
  }
  return { ...pool, count, vmSize: profiles[0]!.size }
}

/** Throws what Azure would refuse. */
export function judgeProfiles(pool: PoolProperties): void {
  const isSet = pool['virtualMachinesProfile'] !== undefined
  if (!isOfVirtualMachines(pool)) {
    if (!isSet) return
    throw invalidParameter(where, 'virtualMachinesProfile can be set only for agent pools of type VirtualMachines')
  }
  const refuse = (why: string): Error => invalidParameter(where, why)
  if (pool.osType !== 'Linux') throw refuse('VirtualMachines pools are of Linux only')
  if ((pool.availabilityZones ?? []).length > 0) throw refuse('VirtualMachines pools have no availability zones')
  if (pool['scaleSetPriority'] === 'Spot') throw refuse('VirtualMachines pools cannot be spot pools')
  if (pool['creationData'] !== undefined) throw refuse('VirtualMachines pools cannot be made of a snapshot')
  const profiles = profilesOf(pool)
  if (profiles.length > profilesMax)
    throw refuse(`${profiles.length} scale profiles are more than the maximum of ${profilesMax}`)
  for (const { size, count } of profiles) {
    if (findVmSize(size) === undefined) throw refuse(`VM size '${size}' is not available here`)
    if (!Number.isInteger(count) || count < 0 || count > 1000)
      throw refuse(`count ${count} of size '${size}' is out of range`)
  }
  const sizes = profiles.map(({ size }) => size.toLowerCase())
  const twice = sizes.find((size, at) => sizes.indexOf(size) !== at)
  if (twice !== undefined) throw refuse(`VM size '${twice}' is used by more than one profile`)
  const families = new Set(sizes.map(familyOf))
  if (families.size > 1) throw refuse(`VM sizes of one pool must be of one family, found ${[...families].join(', ')}`)
}

/** `standard_d#s_v5`: the size without its number of processors. */
function familyOf(size: string): string {
  return size.replace(/^(standard_[a-z]+)\d+/, '$1#')
}

/** For `virtualMachineNodesStatus`. */
export function nodesStatus(properties: PoolProperties): Json {
  if (!isOfVirtualMachines(properties)) return {}
  return { virtualMachineNodesStatus: profilesOf(properties) }
}

/** After machines have gone by name, so many fewer of their sizes are wanted. */
export function withoutMachines(
  properties: PoolProperties,
  gone: readonly Pick<MachineRecord, 'vmSize'>[],
): PoolProperties {
  const count = properties.count - gone.length
  if (!isOfVirtualMachines(properties)) return { ...properties, count }
  const scale = objectAt(objectAt(properties, 'virtualMachinesProfile'), 'scale')
  const manual = profilesOf({ virtualMachinesProfile: { scale: { manual: scale['manual'] } } }).map((profile) => ({
    ...profile,
    count: Math.max(0, profile.count - gone.filter(({ vmSize }) => vmSize === profile.size).length),
  }))
  return { ...properties, count, virtualMachinesProfile: { scale: { ...scale, manual } } }
}
