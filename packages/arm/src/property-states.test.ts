// The four states of properties: what is recorded stays named, what is refused is refused, and strictness leaves nothing recorded.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import {
  clusterEffects,
  poolEffects,
  valueEffects,
  type Effects,
} from './resource-providers/container-service/recorded.ts'
import { openFrontDoor, subscriptionId, type OpenedFrontDoor } from './testing/opened-front-door.ts'

const group = `/subscriptions/${subscriptionId}/resourcegroups/rg`
const cluster = `${group}/providers/Microsoft.ContainerService/managedClusters/c1`
const system = { name: 'system', mode: 'System', count: 1 }

async function put(opened: OpenedFrontDoor, properties: object, headers: Readonly<Record<string, string>> = {}) {
  await opened.call('PUT', group, { body: { location: 'eastus' } })
  const body = { location: 'eastus', properties: { dnsPrefix: 'c1', agentPoolProfiles: [system], ...properties } }
  return opened.call('PUT', cluster, { body, headers })
}

/** `{a: {b: value}}` for `a.b`. */
function nested(path: string, value: unknown): object {
  return path.split('.').reduceRight<unknown>((inner, name) => ({ [name]: inner }), value) as object
}

function refusedValues(effects: Effects): readonly (readonly [string, unknown])[] {
  return Object.entries(effects).flatMap(([path, effect]) => {
    if (effect === true || effect === 'simulated') return []
    return (valueEffects(effect).refused ?? []).map((value) => [path, value] as const)
  })
}

test('every value that the table calls refused is refused with an error of its own, and nothing is made', async () => {
  await using opened = await openFrontDoor()
  const ofCluster = refusedValues(clusterEffects).map(([path, value]) => [path, nested(path, value)] as const)
  const ofPool = refusedValues(poolEffects).map(
    ([path, value]) => [path, { agentPoolProfiles: [system, { name: 'two', ...nested(path, value) }] }] as const,
  )
  assert.ok(ofCluster.length > 0 && ofPool.length > 0)
  for (const [path, properties] of [...ofCluster, ...ofPool]) {
    const answer = await put(opened, properties)
    assert.ok(answer.status >= 400 && answer.status < 500, `${path}: ${answer.status} ${answer.text}`)
    assert.equal((await opened.call('GET', cluster)).status, 404, path)
  }
})

test('a property stays named as recorded by an update that does not speak of it', async () => {
  await using opened = await openFrontDoor()
  await put(opened, { diskEncryptionSetID: '/x' })
  await opened.door.idle()
  const again = await put(opened, {})
  assert.equal(again.headers['warning'], '199 aksel "recorded without effect: diskEncryptionSetID"')
})

test('a strict caller and a strict server refuse what would only be recorded', async () => {
  const given = { diskEncryptionSetID: '/x' }
  const code = (answer: { readonly body: unknown }): unknown => (answer.body as { readonly code: string }).code
  await using lax = await openFrontDoor()
  const refused = await put(lax, given, { 'x-aksel-strict': 'true' })
  assert.deepEqual([refused.status, code(refused)], [400, 'PropertyWithoutEffect'], refused.text)
  assert.match(refused.text, /would be recorded without effect: diskEncryptionSetID\./)
  assert.equal((await put(lax, given)).status, 201)
  await using strict = await openFrontDoor({ strict: true })
  assert.equal((await put(strict, given)).status, 400)
  assert.equal((await put(strict, {})).status, 201)
  await strict.door.idle()
  const pool = await strict.call('PUT', `${cluster}/agentPools/two`, { body: { properties: { enableUltraSSD: true } } })
  assert.deepEqual([pool.status, code(pool)], [400, 'PropertyWithoutEffect'], pool.text)
})

test('what an AKS guide names and is only recorded is named in the warning, each by its property, and read back', async () => {
  await using opened = await openFrontDoor()
  const workspace = `${group}/providers/microsoft.operationalinsights/workspaces/logs`
  const ofCluster = {
    apiServerAccessProfile: { enableVnetIntegration: true },
    httpProxyConfig: { httpProxy: 'http://proxy.example:3128' },
    securityProfile: {
      azureKeyVaultKms: { enabled: true, keyId: 'https://vault.example/keys/a/1' },
      customCATrustCertificates: ['Q0E='],
      defender: { logAnalyticsWorkspaceResourceId: workspace, securityMonitoring: { enabled: true } },
      imageCleaner: { enabled: true, intervalHours: 48 },
    },
    workloadAutoScalerProfile: { keda: { enabled: true }, verticalPodAutoscaler: { enabled: true } },
    serviceMeshProfile: { mode: 'Istio', istio: { revisions: ['asm-1-27'] } },
    azureMonitorProfile: { metrics: { enabled: true }, containerInsights: { enabled: true } },
    metricsProfile: { costAnalysis: { enabled: true } },
    nodeProvisioningProfile: { mode: 'Auto' },
    addonProfiles: { azureKeyvaultSecretsProvider: { enabled: true } },
    aiToolchainOperatorProfile: { enabled: true },
  }
  const ofPool = {
    enableEncryptionAtHost: true,
    enableUltraSSD: true,
    enableFIPS: true,
    proximityPlacementGroupID: '/ppg',
    capacityReservationGroupID: '/crg',
    hostGroupID: '/hosts',
    securityProfile: { enableVTPM: true, enableSecureBoot: true },
    artifactStreamingProfile: { enabled: true },
  }
  const made = await put(opened, { ...ofCluster, agentPoolProfiles: [{ ...system, ...ofPool }] })
  assert.equal(made.status, 201, made.text)
  const [, list = ''] = /^199 aksel "recorded without effect: (.+)"$/.exec(String(made.headers['warning'])) ?? []
  assert.deepEqual(list.split(', ').toSorted(), [
    'addonProfiles',
    'aiToolchainOperatorProfile',
    'apiServerAccessProfile.enableVnetIntegration',
    'azureMonitorProfile',
    'httpProxyConfig',
    'metricsProfile.costAnalysis.enabled',
    'nodeProvisioningProfile',
    'securityProfile.azureKeyVaultKms',
    'securityProfile.customCATrustCertificates',
    'securityProfile.defender',
    'securityProfile.imageCleaner',
    'serviceMeshProfile',
    'system.artifactStreamingProfile',
    'system.capacityReservationGroupID',
    'system.enableEncryptionAtHost',
    'system.enableFIPS',
    'system.enableUltraSSD',
    'system.hostGroupID',
    'system.proximityPlacementGroupID',
    'system.securityProfile.enableSecureBoot',
    'system.securityProfile.enableVTPM',
    'workloadAutoScalerProfile.keda',
    'workloadAutoScalerProfile.verticalPodAutoscaler',
  ])
  await opened.door.idle()
  const { properties } = (await opened.call('GET', cluster)).body as unknown as { properties: Record<string, unknown> }
  assert.partialDeepStrictEqual(properties, ofCluster)
})
