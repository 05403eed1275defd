// Pools as the cluster autoscaler sees them: groups of like nodes with limits, made larger and smaller without an operation.

import type { Node } from '@aksel/api/types/core-v1'
import { aksReserved } from '@aksel/base/aks-reserved'
import { uuid } from '@aksel/base/ids'
import type { Scope } from '@aksel/base/scope'
import type { NodeGroup, NodeGroups } from '@aksel/provider/node-groups'
import { parseTaint, subnetOf } from '../../machine-spec.ts'
import { nodeLabels } from '../../node-labels.ts'
import { digitsOf, machineName } from '../../plan.ts'
import type { ClusterRecord, MachineRecord, PoolRecord } from '../../records.ts'
import { keys, type Change, type ResourceStore, type Stored } from '../../store-keyspace.ts'
import { machinesOf, poolsOf } from './cluster-store.ts'
import { isOfVirtualMachines } from './virtual-machines-pool.ts'
import { findVmSize } from './vm-sizes.ts'

/** Its machines are made and let go by the autoscaler. Pools of mixed sizes scale by hand only. */
export function isAutoscaled({ properties, power, progress }: PoolRecord): boolean {
  return (
    properties['enableAutoScaling'] === true &&
    !isOfVirtualMachines(properties) &&
    power !== 'Stopped' &&
    progress.deleting !== true
  )
}

export function nodeGroupsOf(
  scope: Scope,
  parts: { readonly store: ResourceStore; readonly clusterId: string; readonly wake: (id: string) => void },
): NodeGroups {
  const { store, clusterId } = parts
  const read = async (): Promise<
    { readonly cluster: Stored<ClusterRecord>; readonly pools: readonly Stored<PoolRecord>[] } | undefined
  > => {
    const cluster = await store.get<ClusterRecord>(keys.resource(clusterId))
    if (cluster === undefined) return undefined
    const pools = await poolsOf(store, clusterId)
    return { cluster, pools: pools.filter(({ value }) => isAutoscaled(value)) }
  }
  /** Changes a pool's count, and more, unless somebody else works on it. */
  const change = async (
    name: string,
    next: (
      pool: PoolRecord,
      machines: readonly Stored<MachineRecord>[],
    ) => { readonly count: number; readonly more: readonly Change[] } | undefined,
  ): Promise<boolean> => {
    const found = await read()
    const pool = found?.pools.find(({ value }) => groupName(found.cluster.value, value) === name)
    if (found === undefined || pool === undefined || isBusy(found.cluster.value, pool.value)) return false
    const machines = (await machinesOf(store, clusterId)).filter(({ value }) => value.pool === pool.value.name)
    const wanted = next(pool.value, machines)
    if (wanted === undefined) return false
    const value: PoolRecord = {
      ...pool.value,
      properties: { ...pool.value.properties, count: wanted.count },
      eTag: uuid(scope.random),
    }
    const done = await store.commit([
      { kind: 'put', key: pool.key, value, expected: pool.modRevision },
      // An operation that began meanwhile has the next word.
      { kind: 'put', key: found.cluster.key, value: found.cluster.value, expected: found.cluster.modRevision },
      ...wanted.more,
    ])
    if (done) parts.wake(clusterId)
    return done
  }
  return {
    async list() {
      const found = await read()
      if (found === undefined) return []
      const machines = (await machinesOf(store, clusterId)).map(({ value }) => value)
      return found.pools.map(({ value }) => groupOf(found.cluster.value, value, machines))
    },
    resize: (name, target) =>
      change(name, ({ properties }) => {
        const most = Number(properties['maxCount'])
        return target > properties.count && target <= Math.max(most, Number(properties['minCount']))
          ? { count: target, more: [] }
          : undefined
      }),
    remove: (name, nodeNames) =>
      change(name, ({ properties }, machines) => {
        const chosen = machines.filter(
          ({ value }) => nodeNames.includes(value.name) && value.leavingSinceMs === undefined,
        )
        const count = properties.count - chosen.length
        if (chosen.length === 0 || count < Number(properties['minCount'])) return undefined
        const more = chosen.map(({ key, value, modRevision }): Change => ({
          kind: 'put',
          key,
          value: { ...value, leavingSinceMs: scope.clock.now() },
          expected: modRevision,
        }))
        return { count, more }
      }),
  }
}

/** While an operation works on the pool or on its cluster, the autoscaler rests. */
const isBusy = (cluster: ClusterRecord, pool: PoolRecord): boolean =>
  cluster.progress.operationId !== undefined || pool.progress.operationId !== undefined || pool.upgrade !== undefined

const groupName = (cluster: ClusterRecord, pool: PoolRecord): string => `aks-${pool.name}-${digitsOf(cluster.uid)}-vmss`

function groupOf(cluster: ClusterRecord, pool: PoolRecord, machines: readonly MachineRecord[]): NodeGroup {
  const { properties } = pool
  const own = machines.filter(
    (machine) => machine.pool === pool.name && machine.leavingSinceMs === undefined && machine.surge !== true,
  )
  const resting = isBusy(cluster, pool)
  return {
    name: groupName(cluster, pool),
    minCount: resting ? properties.count : Number(properties['minCount']),
    maxCount: resting ? properties.count : Number(properties['maxCount']),
    target: properties.count,
    nodeNames: own.map(({ name }) => name),
    template: templateOf(cluster, pool, own),
  }
}

/** The next node as it will stand in the cluster once its cloud has said what it is. */
function templateOf(cluster: ClusterRecord, pool: PoolRecord, present: readonly MachineRecord[]): Node {
  const { properties } = pool
  const zones = properties.availabilityZones ?? []
  const inZone = (zone: string): number => present.filter((machine) => machine.zone === zone).length
  const zone = zones.toSorted((left, right) => inZone(left) - inZone(right))[0]
  const name = machineName(pool.name, digitsOf(cluster.uid), pool.nextInstance)
  const machine: MachineRecord = {
    kind: 'machine',
    name,
    clusterId: cluster.id,
    pool: pool.name,
    instance: pool.nextInstance,
    podCidr: '',
    labels: {},
    taints: [],
    ...(zone === undefined ? {} : { zone }),
  }
  const zoneLabel = zone === undefined ? '0' : `${cluster.location}-${zone}`
  const labels = {
    'kubernetes.io/hostname': name,
    'kubernetes.io/os': 'linux',
    'kubernetes.io/arch': 'amd64',
    'beta.kubernetes.io/os': 'linux',
    'beta.kubernetes.io/arch': 'amd64',
    'node.kubernetes.io/instance-type': properties.vmSize,
    'beta.kubernetes.io/instance-type': properties.vmSize,
    'topology.kubernetes.io/region': cluster.location,
    'topology.kubernetes.io/zone': zoneLabel,
    'topology.disk.csi.azure.com/zone': zone === undefined ? '' : zoneLabel,
    'failure-domain.beta.kubernetes.io/region': cluster.location,
    'failure-domain.beta.kubernetes.io/zone': zoneLabel,
    ...nodeLabels({ cluster, pool, machine, subnetId: subnetOf(cluster, pool) }),
    ...properties.nodeLabels,
  }
  const taints = (properties.nodeTaints ?? []).map(parseTaint)
  return {
    apiVersion: 'v1',
    kind: 'Node',
    metadata: { name, labels },
    spec: taints.length === 0 ? {} : { taints },
    status: { allocatable: allocatableOf(pool), conditions: [{ type: 'Ready', status: 'True' }] },
  } as Node
}

/** Simulated nodes keep nothing back; real ones what AKS keeps. */
function allocatableOf({ properties, simulated }: PoolRecord): Readonly<Record<string, string>> {
  const size = findVmSize(properties.vmSize)!
  const kept = simulated
    ? { cpuMilli: 0, memoryBytes: 0 }
    : aksReserved(size.vcpus, size.memoryBytes, properties.maxPods)
  return {
    cpu: `${size.vcpus * 1000 - kept.cpuMilli}m`,
    memory: `${Math.floor((size.memoryBytes - kept.memoryBytes) / 1024)}Ki`,
    pods: String(properties.maxPods),
    'ephemeral-storage': '119716326407',
  }
}
