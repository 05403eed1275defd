// Insights over HTTP, and the writes that they stop: what is told beforehand is what refuses.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { podDisruptionBudgets } from '@aksel/api/resources'
import { openFrontDoor, subscriptionId, type OpenedFrontDoor } from './testing/opened-front-door.ts'

const group = `/subscriptions/${subscriptionId}/resourcegroups/rg`
const cluster = `${group}/providers/Microsoft.ContainerService/managedClusters/c1`
const system = { name: 'system', mode: 'System', count: 1, orchestratorVersion: '1.35' }

function put(opened: OpenedFrontDoor, properties: object) {
  const body = { location: 'eastus', properties: { dnsPrefix: 'c1', kubernetesVersion: '1.35', ...properties } }
  return opened.call('PUT', cluster, { body })
}

const upgraded = { kubernetesVersion: '1.36', agentPoolProfiles: [{ ...system, orchestratorVersion: '1.36' }] }

async function opened(): Promise<OpenedFrontDoor> {
  const door = await openFrontDoor()
  await door.call('PUT', group, { body: { location: 'eastus' } })
  await put(door, { agentPoolProfiles: [system] })
  await door.door.idle()
  return door
}

interface Insight {
  readonly upgradeInsight: string
  readonly detectedIssues: readonly {
    readonly issueType: string
    readonly severity: string
    readonly message: string
  }[]
}

async function evaluate(door: OpenedFrontDoor): Promise<Insight> {
  const path = `${cluster}/upgradeInsights/default/evaluate?targetKubernetesVersion=1.36&api-version=2026-05-02-preview`
  return (await door.call('POST', path)).body as unknown as Insight
}

test('a budget that cannot be met is told beforehand, and stops the upgrade of nodes, not that of the control plane', async () => {
  await using door = await opened()
  assert.deepEqual(await evaluate(door).then(({ upgradeInsight }) => upgradeInsight), 'NoIssuesDetected')
  const client = door.engine.client([...door.engine.clusters.keys()][0]!)
  client.put(podDisruptionBudgets, {
    metadata: { name: 'web', namespace: 'default' },
    spec: {},
    status: { currentHealthy: 1, desiredHealthy: 1, expectedPods: 1, disruptionsAllowed: 0 },
  })
  const { detectedIssues, upgradeInsight } = await evaluate(door)
  assert.equal(upgradeInsight, 'UpgradeIssueDetected')
  assert.deepEqual(
    detectedIssues.map(({ issueType, severity }) => `${issueType} ${severity}`),
    ['PDBConstraint Blocking'],
  )
  const refused = await put(door, upgraded)
  assert.deepEqual([refused.status, (refused.body as unknown as { code: string }).code], [400, 'UnsatisfiablePDB'])
  assert.match(refused.text, /PodDisruptionBudget default\/web allows no disruption/)
  assert.equal((await put(door, { kubernetesVersion: '1.36' })).status, 200)
  await door.door.idle()
  const pool = await door.call('PUT', `${cluster}/agentPools/system`, {
    body: { properties: { ...system, orchestratorVersion: '1.36' } },
  })
  assert.deepEqual([pool.status, (pool.body as unknown as { code: string }).code], [400, 'UnsatisfiablePDB'])
})

test('a write through an API that goes away stops an upgrade for twelve hours, or until somebody overrides it', async () => {
  await using door = await opened()
  const use = { group: 'g', version: 'v1beta1', resource: 'things', removedIn: '1.36' }
  door.engine.uses = [{ ...use, lastSeenMs: Date.now() - 60_000 }]
  const refused = await put(door, upgraded)
  const { code, subcode } = refused.body as unknown as { readonly code: string; readonly subcode: string }
  assert.deepEqual([refused.status, code, subcode], [400, 'ValidationError', 'UpgradeBlockedOnDeprecatedAPIUsage'])
  assert.match(refused.text, /things\.v1beta1\.g, removed in 1\.36, last used at 20/)
  const overrideSettings = { forceUpgrade: true, until: new Date(Date.now() + 3_600_000).toISOString() }
  const forced = await put(door, { ...upgraded, upgradeSettings: { overrideSettings } })
  assert.equal(forced.status, 200, forced.text)
  await using later = await opened()
  later.engine.uses = [{ ...use, lastSeenMs: Date.now() - 13 * 3_600_000 }]
  assert.equal((await put(later, upgraded)).status, 200)
})
