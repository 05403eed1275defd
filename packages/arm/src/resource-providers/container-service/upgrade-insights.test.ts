// A table over what would stop an upgrade: each fact alone gives its issue, and none gives none.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { PodDisruptionBudget } from '@aksel/api/types/policy-v1'
import type { MachineRecord, PoolRecord } from '../../records.ts'
import { judgeUpgrade, type Issue, type UpgradeFacts } from './upgrade-insights.ts'

const nowMs = Date.UTC(2026, 10, 27)
const HOUR_MS = 3_600_000

const pool = (more: Partial<PoolRecord> = {}, count = 3): PoolRecord => ({
  kind: 'pool',
  id: 'p',
  name: 'a',
  clusterId: 'c',
  properties: {
    count,
    vmSize: 'Standard_D2s_v5',
    mode: 'System',
    osType: 'Linux',
    osSKU: 'Ubuntu',
    maxPods: 250,
    orchestratorVersion: '1.35',
  },
  eTag: 'e',
  simulated: true,
  version: '1.35.7',
  nodeImageVersion: 'AKSUbuntu-2404gen2containerd-202611.23.0',
  nextInstance: 3,
  recorded: [],
  progress: { provisioningState: 'Succeeded' },
  ...more,
})

const budget = (status: object): PodDisruptionBudget =>
  ({ metadata: { name: 'web', namespace: 'shop' }, spec: {}, status }) as PodDisruptionBudget

const use = { group: 'storage.k8s.io', version: 'v1beta1', resource: 'volumeattributesclasses', removedIn: '1.36' }

const facts = (more: Partial<UpgradeFacts> = {}): UpgradeFacts => ({
  cluster: { name: 'c1', version: '1.35.7', sku: {}, properties: {} as UpgradeFacts['cluster']['properties'] },
  pools: [pool()],
  machines: [],
  target: '1.36',
  upgradedPools: ['a'],
  deprecatedUses: [],
  budgets: [],
  nodes: [],
  podCidr: '10.244.0.0/16',
  forced: false,
  nowMs,
  ...more,
})

interface Row {
  readonly name: string
  readonly facts: Partial<UpgradeFacts>
  readonly wanted: readonly string[]
}

const machine = (index: number): MachineRecord => ({ name: String(index) }) as MachineRecord

const rows: readonly Row[] = [
  { name: 'nothing stands in the way', facts: {}, wanted: [] },
  { name: 'a version that is not offered', facts: { target: '1.99' }, wanted: ['Blocking K8sVersionNotSupported c1'] },
  {
    name: 'a minor that is skipped',
    facts: { cluster: { ...facts().cluster, version: '1.34.10' } },
    wanted: ['Blocking OperationNotAllowed c1'],
  },
  {
    name: 'a pool that would be too old, where it stays behind',
    facts: { pools: [pool({ version: '1.32.1' })], upgradedPools: [] },
    wanted: ['Blocking NodePoolMcVersionIncompatible a', 'Warning NodeImageOutOfSupport a'],
  },
  {
    name: 'a write through an API that goes away, an hour ago',
    facts: { deprecatedUses: [{ ...use, lastSeenMs: nowMs - HOUR_MS }] },
    wanted: ['Blocking UpgradeBlockedOnDeprecatedAPIUsage storage.k8s.io/v1beta1/volumeattributesclasses'],
  },
  {
    name: 'the same thirteen hours ago',
    facts: { deprecatedUses: [{ ...use, lastSeenMs: nowMs - 13 * HOUR_MS }] },
    wanted: [],
  },
  {
    name: 'the same, for an API that a later minor takes away',
    facts: { deprecatedUses: [{ ...use, removedIn: '1.37', lastSeenMs: nowMs }] },
    wanted: [],
  },
  {
    name: 'the same, passed over by an override',
    facts: { deprecatedUses: [{ ...use, lastSeenMs: nowMs }], forced: true },
    wanted: ['Warning UpgradeBlockedOnDeprecatedAPIUsage storage.k8s.io/v1beta1/volumeattributesclasses'],
  },
  {
    name: 'a budget that cannot be met',
    facts: { budgets: [budget({ expectedPods: 2, desiredHealthy: 2, disruptionsAllowed: 0 })] },
    wanted: ['Blocking UnsatisfiablePDB shop/web'],
  },
  {
    name: 'the same, where no pool is upgraded',
    facts: { budgets: [budget({ expectedPods: 2, desiredHealthy: 2, disruptionsAllowed: 0 })], upgradedPools: [] },
    wanted: [],
  },
  {
    name: 'a budget that is not met now, and could be',
    facts: { budgets: [budget({ expectedPods: 3, desiredHealthy: 2, disruptionsAllowed: 0 })] },
    wanted: ['Warning UnsatisfiablePDB shop/web'],
  },
  {
    name: 'no pod range left for an extra node',
    facts: { podCidr: '10.244.0.0/22', machines: [1, 2, 3, 4].map(machine) },
    wanted: ['Blocking InsufficientPodCidr a'],
  },
  {
    name: 'more nodes than a pool may have',
    facts: { pools: [pool({}, 1000)], podCidr: '10.0.0.0/8' },
    wanted: ['Blocking QuotaExceeded a'],
  },
  {
    name: 'a node that is not Ready',
    facts: { nodes: [{ metadata: { name: 'n1' }, spec: {}, status: { conditions: [] } }] },
    wanted: ['Warning NodeNotReady n1'],
  },
  {
    name: 'an old node image that stays',
    facts: { pools: [pool({ nodeImageVersion: 'AKSUbuntu-2404gen2containerd-202501.06.0' })], upgradedPools: [] },
    wanted: ['Warning NodeImageOutOfSupport a'],
  },
]

for (const row of rows) {
  test(`judgeUpgrade(): ${row.name}`, () => {
    const issues = judgeUpgrade(facts(row.facts))
    const shown = ({ severity, reason, impactedResource }: Issue): string => `${severity} ${reason} ${impactedResource}`
    assert.deepEqual(issues.map(shown), row.wanted)
    assert.ok(issues.every(({ message, recommendedActions }) => message !== '' && recommendedActions.length > 0))
  })
}
