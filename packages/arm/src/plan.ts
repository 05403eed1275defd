// The reconciler's decisions about machines: facts in, verdict out. Nothing here waits or writes.

import { firstFreePart } from '@aksel/base/ipv4'
import type { MachineRecord, PoolRecord } from './records.ts'
import { isOfVirtualMachines, sizesOf } from './resource-providers/container-service/virtual-machines-pool.ts'
import { bootOf, goalOf, isBlueGreen, isCurrent } from './upgrade-plan.ts'

/** What is known of a machine beyond its record, for choosing whom to let go. */
export interface MachineFacts {
  readonly failed: boolean
  readonly ready: boolean
}

export interface PoolFacts {
  readonly pool: Pick<
    PoolRecord,
    'name' | 'clusterId' | 'properties' | 'nextInstance' | 'progress' | 'version' | 'nodeImageVersion' | 'upgrade'
  >
  /** Digits that nodes of the cluster share. */
  readonly clusterDigits: string
  /** Range that nodes get their pod ranges from; each node a /24. */
  readonly podCidr: string
  readonly machines: readonly MachineRecord[]
  /** Pod ranges of all machines of the cluster. */
  readonly usedPodCidrs: ReadonlySet<string>
  readonly factsOf: (name: string) => MachineFacts
  readonly nowMs: number
  /** Rotations of the cluster's certificates so far. */
  readonly certificates?: number
  /** Extra machines for the time of an upgrade. */
  readonly surge?: number
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
  const { pool, machines, surge = 0 } = facts
  const deleting = pool.progress.deleting === true
  const staying = machines.filter(({ leavingSinceMs }) => leavingSinceMs === undefined)
  const extra = staying.filter((machine) => machine.surge === true)
  // While old and new nodes stand side by side, only those of the new versions are counted.
  const isCounted = (machine: MachineRecord): boolean =>
    deleting || pool.upgrade === undefined || !isBlueGreen(pool) || isCurrent(machine, pool)
  const own = staying.filter((machine) => machine.surge !== true && isCounted(machine))
  const kinds = [
    ...sizeKinds(pool, own).map((kind) => ({ ...kind, wanted: deleting ? 0 : kind.wanted, isSurge: false })),
    { present: extra, wanted: deleting ? 0 : surge, isSurge: true, vmSize: undefined },
  ]
  const leave = kinds.flatMap(({ present, wanted }) =>
    chooseLeavers(present, Math.max(0, present.length - wanted), facts.factsOf),
  )
  let plan: PoolPlan = {
    add: [],
    leave: leave.map((machine) => ({ ...machine, leavingSinceMs: facts.nowMs })),
    nextInstance: pool.nextInstance,
    withoutPodCidr: 0,
  }
  for (const { present, wanted, isSurge, vmSize } of kinds) {
    plan = withAdditions(facts, plan, { staying, missing: Math.max(0, wanted - present.length), isSurge, vmSize })
  }
  return plan
}

interface SizeKind {
  readonly present: readonly MachineRecord[]
  readonly wanted: number
  /** Absent where all machines of the pool are of one size. */
  readonly vmSize: string | undefined
}

/** The machines by size, those of sizes that are wanted no more included. */
function sizeKinds({ properties }: PoolFacts['pool'], own: readonly MachineRecord[]): readonly SizeKind[] {
  if (!isOfVirtualMachines(properties)) return [{ present: own, wanted: properties.count, vmSize: undefined }]
  const wanted = sizesOf(properties)
  const others = own.filter(({ vmSize }) => !wanted.some(({ size }) => size === vmSize))
  return [
    ...wanted.map(({ size, count }) => ({
      present: own.filter(({ vmSize }) => vmSize === size),
      wanted: count,
      vmSize: size,
    })),
    { present: others, wanted: 0, vmSize: undefined },
  ]
}

function withAdditions(
  facts: PoolFacts,
  plan: PoolPlan,
  wish: {
    readonly staying: readonly MachineRecord[]
    readonly missing: number
    readonly isSurge: boolean
    readonly vmSize: string | undefined
  },
): PoolPlan {
  const { pool } = facts
  const used = new Set([...facts.usedPodCidrs, ...plan.add.map(({ podCidr }) => podCidr)])
  const present = [...wish.staying, ...plan.add]
  const add: MachineRecord[] = []
  let instance = plan.nextInstance
  while (add.length < wish.missing) {
    const podCidr = firstFreePart(facts.podCidr, podPrefixLength, used)
    if (podCidr === undefined) break
    used.add(podCidr)
    const zone = emptiestZone(pool.properties.availabilityZones ?? [], present)
    const machine: MachineRecord = {
      kind: 'machine',
      name: isOfVirtualMachines(pool.properties)
        ? `aks-${pool.name}-${facts.clusterDigits}-vms${instance + 1}`
        : machineName(pool.name, facts.clusterDigits, instance),
      clusterId: pool.clusterId.toLowerCase(),
      pool: pool.name,
      instance,
      ...(zone === undefined ? {} : { zone }),
      ...(wish.vmSize === undefined ? {} : { vmSize: wish.vmSize }),
      podCidr,
      labels: pool.properties.nodeLabels ?? {},
      taints: pool.properties.nodeTaints ?? [],
      versions: goalOf(pool),
      boot: bootOf(pool),
      ...(facts.certificates === undefined || facts.certificates === 0 ? {} : { certificates: facts.certificates }),
      ...(wish.isSurge ? { surge: true } : {}),
    }
    add.push(machine)
    present.push(machine)
    instance += 1
  }
  return {
    ...plan,
    add: [...plan.add, ...add],
    nextInstance: instance,
    withoutPodCidr: plan.withoutPodCidr + wish.missing - add.length,
  }
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
