// Tables over the decisions: who is added, who leaves, which names and pod ranges.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { digitsOf, machineName, planPool, type PoolFacts } from './plan.ts'
import type { MachineRecord } from './records.ts'

interface Row {
  readonly name: string
  readonly count: number
  readonly deleting?: boolean
  /** Instance numbers of the machines there are; `-` before one that is leaving, `@zone` after. */
  readonly machines: readonly string[]
  readonly zones?: readonly string[]
  readonly nextInstance?: number
  readonly failed?: readonly number[]
  readonly notReady?: readonly number[]
  readonly podCidr?: string
  readonly add?: readonly string[]
  readonly leave?: readonly number[]
  readonly withoutPodCidr?: number
}

const rows: readonly Row[] = [
  { name: 'an empty pool gets all its machines', count: 2, machines: [], add: ['0 10.244.0.0/24', '1 10.244.1.0/24'] },
  { name: 'a full pool is left alone', count: 2, machines: ['0', '1'] },
  { name: 'numbers are never used twice', count: 2, machines: ['0'], nextInstance: 5, add: ['5 10.244.1.0/24'] },
  {
    name: 'a machine that leaves is replaced, and keeps its pod range until it is gone',
    count: 1,
    machines: ['-0'],
    nextInstance: 1,
    add: ['1 10.244.1.0/24'],
  },
  { name: 'the youngest leaves first', count: 1, machines: ['0', '1', '2'], leave: [2, 1] },
  {
    name: 'a broken machine leaves before a younger sound one',
    count: 2,
    machines: ['0', '1', '2'],
    failed: [0],
    leave: [0],
  },
  {
    name: 'a node that is not Ready leaves before a Ready one',
    count: 2,
    machines: ['0', '1', '2'],
    notReady: [1],
    leave: [1],
  },
  { name: 'who is leaving already is not told again', count: 1, machines: ['0', '-1'] },
  { name: 'a pool to be deleted keeps nobody', count: 3, deleting: true, machines: ['0', '1'], leave: [1, 0] },
  {
    name: 'machines spread over the zones',
    count: 3,
    machines: ['0@1'],
    zones: ['1', '2'],
    nextInstance: 1,
    add: ['1@2 10.244.1.0/24', '2@1 10.244.2.0/24'],
  },
  { name: 'the fullest zone loses first', count: 2, machines: ['0@1', '1@1', '2@2'], zones: ['1', '2'], leave: [1] },
  {
    name: 'a full pod range adds who still fits',
    count: 3,
    machines: [],
    podCidr: '10.244.0.0/23',
    add: ['0 10.244.0.0/24', '1 10.244.1.0/24'],
    withoutPodCidr: 1,
  },
]

function machine(text: string, index: number): MachineRecord {
  const match = /^(-?)(\d+)(?:@(\d))?$/.exec(text)!
  const instance = Number(match[2])
  return {
    kind: 'machine',
    name: machineName('a', '12345678', instance),
    clusterId: 'c',
    pool: 'a',
    instance,
    ...(match[3] === undefined ? {} : { zone: match[3] }),
    podCidr: `10.244.${index}.0/24`,
    labels: {},
    taints: [],
    ...(match[1] === '-' ? { leavingSinceMs: 1 } : {}),
  }
}

function factsOf(row: Row): PoolFacts {
  const machines = row.machines.map(machine)
  const numberOf = (name: string): number => Number.parseInt(name.slice(-6), 36)
  return {
    pool: {
      name: 'a',
      clusterId: 'c',
      version: '1.35.7',
      nodeImageVersion: 'image-1',
      nextInstance: row.nextInstance ?? machines.length,
      progress: { provisioningState: 'Updating', ...(row.deleting === true ? { deleting: true } : {}) },
      properties: {
        count: row.count,
        vmSize: 'Standard_D2s_v5',
        mode: 'User',
        osType: 'Linux',
        osSKU: 'Ubuntu',
        maxPods: 250,
        orchestratorVersion: '1.35.7',
        ...(row.zones === undefined ? {} : { availabilityZones: row.zones }),
      },
    },
    clusterDigits: '12345678',
    podCidr: row.podCidr ?? '10.244.0.0/16',
    machines,
    usedPodCidrs: new Set(machines.map(({ podCidr }) => podCidr)),
    factsOf: (name) => ({
      failed: row.failed?.includes(numberOf(name)) === true,
      ready: row.notReady?.includes(numberOf(name)) !== true,
    }),
    nowMs: 7,
  }
}

for (const row of rows) {
  test(`planPool(): ${row.name}`, () => {
    const plan = planPool(factsOf(row))
    const added = plan.add.map(
      ({ instance, zone, podCidr }) => `${instance}${zone === undefined ? '' : `@${zone}`} ${podCidr}`,
    )
    assert.deepEqual(added, row.add ?? [])
    assert.deepEqual(
      plan.leave.map(({ instance }) => instance),
      row.leave ?? [],
    )
    assert.ok(plan.leave.every(({ leavingSinceMs }) => leavingSinceMs === 7))
    assert.equal(plan.withoutPodCidr, row.withoutPodCidr ?? 0)
  })
}

test('machineName() counts in base 36 with six digits, as AKS does', () => {
  assert.equal(machineName('nodepool1', '12345678', 0), 'aks-nodepool1-12345678-vmss000000')
  assert.equal(machineName('nodepool1', '12345678', 10), 'aks-nodepool1-12345678-vmss00000a')
  assert.equal(machineName('nodepool1', '12345678', 36), 'aks-nodepool1-12345678-vmss000010')
})

test('digitsOf() is eight digits, the same for the same cluster', () => {
  assert.match(digitsOf('0123456789abcdef01234567'), /^\d{8}$/)
  assert.equal(digitsOf('000000000007aaaaaaaaaaaa'), '00000007')
})
