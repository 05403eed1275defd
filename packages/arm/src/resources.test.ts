// What lies beside clusters and pools: snapshots that others begin with, maintenance configurations, credentials in all forms.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { openFrontDoor, subscriptionId, type Answer, type OpenedFrontDoor } from './testing/opened-front-door.ts'

const group = `/subscriptions/${subscriptionId}/resourcegroups/rg`
const provider = `${group}/providers/Microsoft.ContainerService`
const cluster = `${provider}/managedClusters/c1`

async function withCluster(properties: object = {}): Promise<OpenedFrontDoor> {
  const opened = await openFrontDoor()
  await opened.call('PUT', group, { body: { location: 'eastus' } })
  const agentPoolProfiles = [{ name: 'system', mode: 'System', count: 1, orchestratorVersion: '1.35' }]
  const body = { location: 'eastus', properties: { dnsPrefix: 'c1', kubernetesVersion: '1.36', ...properties } }
  const put = await opened.call('PUT', cluster, {
    body: { ...body, properties: { agentPoolProfiles, ...body.properties } },
  })
  assert.equal(put.status, 201, put.text)
  await opened.door.idle()
  return opened
}

function codeOf({ status, body }: Answer): string {
  return `${status} ${(body as unknown as { code: string }).code}`
}

test('a snapshot keeps what a pool ran, and another pool begins with it', async () => {
  await using opened = await withCluster()
  const path = `${provider}/snapshots/s1`
  const properties = { creationData: { sourceResourceId: `${cluster}/agentPools/system` } }
  const made = await opened.call('PUT', path, { body: { location: 'eastus', tags: { a: 'b' }, properties } })
  assert.equal(made.status, 201, made.text)
  const kept = (made.body as unknown as { properties: Record<string, unknown> }).properties
  assert.deepEqual(
    [kept['kubernetesVersion'], kept['snapshotType'], kept['osSku'], kept['vmSize']],
    ['1.35.7', 'NodePool', 'Ubuntu', 'Standard_D2s_v5'],
  )
  const listed = await opened.call('GET', `${provider}/snapshots`)
  assert.equal((listed.body as unknown as { value: readonly unknown[] }).value.length, 1)
  const creationData = { sourceResourceId: path }
  const pool = await opened.call('PUT', `${cluster}/agentPools/two`, {
    body: { properties: { count: 1, creationData } },
  })
  assert.equal(pool.status, 201, pool.text)
  const begun = (pool.body as unknown as { properties: Record<string, unknown> }).properties
  assert.deepEqual(
    [begun['currentOrchestratorVersion'], begun['nodeImageVersion']],
    ['1.35.7', kept['nodeImageVersion']],
  )
  const other = await opened.call('PUT', `${cluster}/agentPools/three`, {
    body: { properties: { count: 1, vmSize: 'Standard_E4s_v5', creationData } },
  })
  assert.equal(codeOf(other), '400 InvalidParameter', other.text)
  const lost = await opened.call('PUT', `${cluster}/agentPools/three`, {
    body: { properties: { creationData: { sourceResourceId: `${path}x` } } },
  })
  assert.equal(codeOf(lost), '400 InvalidResourceReference', lost.text)
  assert.equal((await opened.call('DELETE', path)).status, 200)
  assert.equal((await opened.call('DELETE', path)).status, 204)
  assert.equal((await opened.call('GET', path)).status, 404)
})

test('maintenance configurations are judged, kept, named as recorded, and go with their cluster', async () => {
  await using opened = await withCluster()
  const path = `${cluster}/maintenanceConfigurations`
  const window = (schedule: object, more: object = {}): object => ({
    body: { properties: { maintenanceWindow: { schedule, durationHours: 8, startTime: '03:00', ...more } } },
  })
  const weekly = { weekly: { intervalWeeks: 1, dayOfWeek: 'Friday' } }
  const made = await opened.call('PUT', `${path}/aksManagedAutoUpgradeSchedule`, window(weekly))
  assert.equal(made.status, 201, made.text)
  assert.equal(made.headers['warning'], undefined)
  assert.match(made.text, /"utcOffset":"\+00:00"/)
  assert.equal((await opened.call('PUT', `${path}/aksManagedAutoUpgradeSchedule`, window(weekly))).status, 200)
  const week = [{ day: 'Monday', hourSlots: [1, 2] }]
  const fallback = await opened.call('PUT', `${path}/default`, { body: { properties: { timeInWeek: week } } })
  assert.equal(fallback.status, 201)
  assert.match(String(fallback.headers['warning']), /recorded without effect: maintenanceConfigurations\.default/)
  const refused = [
    await opened.call('PUT', `${path}/mine`, window(weekly)),
    await opened.call('PUT', `${path}/default`, window({ daily: { intervalDays: 1 } })),
    await opened.call('PUT', `${path}/aksManagedNodeOSUpgradeSchedule`, window({ daily: { intervalDays: 8 } })),
    await opened.call('PUT', `${path}/aksManagedNodeOSUpgradeSchedule`, window({ ...weekly, daily: {} })),
    await opened.call('PUT', `${path}/aksManagedNodeOSUpgradeSchedule`, window(weekly, { durationHours: 2 })),
    await opened.call('PUT', `${path}/aksManagedNodeOSUpgradeSchedule`, window(weekly, { startTime: '25:00' })),
  ]
  assert.deepEqual(refused.map(codeOf), ['400 BadRequest', ...Array.from({ length: 5 }, () => '400 InvalidParameter')])
  assert.equal(((await opened.call('GET', path)).body as unknown as { value: unknown[] }).value.length, 2)
  assert.equal((await opened.call('DELETE', `${path}/default`)).status, 200)
  assert.equal((await opened.call('DELETE', `${path}/default`)).status, 204)
  await opened.call('DELETE', cluster)
  await opened.door.idle()
  await opened.call('PUT', cluster, {
    body: {
      location: 'eastus',
      properties: { dnsPrefix: 'c1', agentPoolProfiles: [{ name: 'system', mode: 'System' }] },
    },
  })
  await opened.door.idle()
  assert.equal(((await opened.call('GET', path)).body as unknown as { value: unknown[] }).value.length, 0)
})

test('credentials of a private cluster lead to its address, or to its public name where it has one', async () => {
  const profile = { enablePrivateCluster: true }
  await using opened = await withCluster({ apiServerAccessProfile: profile })
  const serverOf = async (query: string): Promise<string> => {
    const { body, text } = await opened.call('POST', `${cluster}/listClusterAdminCredential${query}`)
    const [first] = (body as unknown as { kubeconfigs?: { value: string }[] }).kubeconfigs ?? []
    if (first === undefined) return text
    return /server: "?([^\s"]+)/.exec(Buffer.from(first.value, 'base64').toString())![1]!
  }
  const { fqdn } = ((await opened.call('GET', cluster)).body as unknown as { properties: { fqdn: string } }).properties
  const plain = new URL(await serverOf(''))
  const named = new URL(await serverOf('?server-fqdn=public'))
  assert.deepEqual([named.hostname, named.port], [fqdn, plain.port])
  assert.notEqual(plain.hostname, fqdn)
  await using hidden = await withCluster({
    apiServerAccessProfile: { ...profile, enablePrivateClusterPublicFQDN: false },
  })
  const refused = await hidden.call('POST', `${cluster}/listClusterUserCredential?server-fqdn=public`)
  assert.match(refused.text, /public FQDN of this private cluster is disabled/)
})

test('user credentials come with a certificate, or by kubelogin where the cluster has an Entra profile', async () => {
  await using opened = await withCluster()
  const config = async (action: string): Promise<Answer & { readonly yaml: string }> => {
    const answer = await opened.call('POST', `${cluster}/${action}`)
    const [first] = (answer.body as unknown as { kubeconfigs?: { value: string }[] }).kubeconfigs ?? []
    return { ...answer, yaml: Buffer.from(first?.value ?? '', 'base64').toString() }
  }
  const plain = await config('listClusterUserCredential?format=exec')
  assert.match(plain.yaml, /clusterUser_/)
  assert.doesNotMatch(plain.yaml, /kubelogin/)
  assert.match((await config('listClusterMonitoringUserCredential')).text, /"name":"clusterMonitoringUser"/)
  assert.equal(codeOf(await config('listClusterUserCredential?format=azure')), '400 BadRequest')
  await using entra = await withCluster({ aadProfile: { managed: true, tenantID: 'the-tenant' } })
  const answer = await entra.call('POST', `${cluster}/listClusterUserCredential?format=exec`)
  const [first] = (answer.body as unknown as { kubeconfigs: { value: string }[] }).kubeconfigs
  const yaml = Buffer.from(first!.value, 'base64').toString()
  assert.match(yaml, /command: kubelogin/)
  assert.match(yaml, /6dae42f8-4368-4678-94ff-3960e28e3630/)
  assert.match(yaml, /the-tenant/)
  assert.doesNotMatch(yaml, /token: |client-certificate-data/)
})
