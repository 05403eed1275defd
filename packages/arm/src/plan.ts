// The reconciler's decisions about machines: facts in, verdict out. Nothing here waits or writes.

import { firstFreePart } from './ip-ranges.ts'
import type { MachineRecord, PoolRecord } from './records.ts'

/** What is known of a machine beyond its record, for choosing whom to let go. */
export interface MachineFacts {
  readonly failed: boolean
  readonly ready: boolean
}

export interface PoolFacts {
  readonly pool: Pick<PoolRecord, 'name' | 'clusterId' | 'properties' | 'nextInstance' | 'progress'>
  /** Digits that nodes of the cluster share. */
  readonly clusterDigits: string
  /** Range that nodes get their pod ranges from; each node a /24. */
  readonly podCidr: string
  readonly machines: readonly MachineRecord[]
  /** Pod ranges of all machines of the cluster. */
  readonly usedPodCidrs: ReadonlySet<string>
  readonly factsOf: (name: string) => MachineFacts
  readonly nowMs: number
}

export interface PoolPlan {
  readonly add: readonly MachineRecord[]
  /** Machines that are told to leave now. */
  readonly leave: readonly MachineRecord[]
  readonly nextInstance: number
  /** Machines wanted for which the pod range has no room. */
  readonly withoutPodCidr: number
}

const podPrefixLength = 24

export function planPool(facts: PoolFacts): PoolPlan {
  const { pool, machines } = facts
  const wanted = pool.progress.deleting === true ? 0 : pool.properties.count
  const staying = machines.filter(({ leavingSinceMs }) => leavingSinceMs === undefined)
  const surplus = staying.length - wanted
  if (surplus > 0) {
    const leave = chooseLeavers(staying, surplus, facts.factsOf)
    return {
      add: [],
      leave: leave.map((machine) => ({ ...machine, leavingSinceMs: facts.nowMs })),
      nextInstance: pool.nextInstance,
      withoutPodCidr: 0,
    }
  }
  return planAdditions(facts, staying, wanted - staying.length)
}

function planAdditions(facts: PoolFacts, staying: readonly MachineRecord[], missing: number): PoolPlan {
  const { pool } = facts
  const used = new Set(facts.usedPodCidrs)
  const present = [...staying]
  const add: MachineRecord[] = []
  let instance = pool.nextInstance
  while (add.length < missing) {
    const podCidr = firstFreePart(facts.podCidr, podPrefixLength, used)
    if (podCidr === undefined) break
    used.add(podCidr)
    const zone = emptiestZone(pool.properties.availabilityZones ?? [], present)
    const machine: MachineRecord = {
      kind: 'machine',
      name: machineName(pool.name, facts.clusterDigits, instance),
      clusterId: pool.clusterId.toLowerCase(),
      pool: pool.name,
      instance,
      ...(zone === undefined ? {} : { zone }),
      podCidr,
      labels: pool.properties.nodeLabels ?? {},
      taints: pool.properties.nodeTaints ?? [],
    }
    add.push(machine)
    present.push(machine)
    instance += 1
  }
  return { add, leave: [], nextInstance: instance, withoutPodCidr: missing - add.length }
}

/** `aks-nodepool1-12345678-vmss00000a`: the number in base 36, six digits. */
export function machineName(pool: string, digits: string, instance: number): string {
  return `aks-${pool}-${digits}-vmss${instance.toString(36).padStart(6, '0')}`
}

/** Broken ones first, then those of the fullest zone, the youngest of them. */
export function chooseLeavers(
  machines: readonly MachineRecord[],
  count: number,
  factsOf: (name: string) => MachineFacts,
): readonly MachineRecord[] {
  const remaining = [...machines]
  const chosen: MachineRecord[] = []
  while (chosen.length < count && remaining.length > 0) {
    const inZone = (zone: string | undefined): number => remaining.filter((machine) => machine.zone === zone).length
    const rank = (machine: MachineRecord): readonly number[] => {
      const { failed, ready } = factsOf(machine.name)
      return [failed ? 1 : 0, ready ? 0 : 1, inZone(machine.zone), machine.instance]
    }
    const next = remaining.reduce((best, machine) => (compare(rank(machine), rank(best)) > 0 ? machine : best))
    remaining.splice(remaining.indexOf(next), 1)
    chosen.push(next)
  }
  return chosen
}

function compare(left: readonly number[], right: readonly number[]): number {
  const at = left.findIndex((value, index) => value !== right[index])
  return at < 0 ? 0 : left[at]! - right[at]!
}

function emptiestZone(zones: readonly string[], present: readonly MachineRecord[]): string | undefined {
  const inZone = (zone: string): number => present.filter((machine) => machine.zone === zone).length
  return zones.reduce<string | undefined>(
    (best, zone) => (best === undefined || inZone(zone) < inZone(best) ? zone : best),
    undefined,
  )
}

/** Eight digits that belong to a cluster: the same for all its pools and its network. */
export function digitsOf(uid: string): string {
  return String(Number.parseInt(uid.slice(0, 12), 16) % 100_000_000).padStart(8, '0')
}
