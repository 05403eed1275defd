// Azure's own SDK, unmodified, and the verbs of `az`: create, wait, list, scale, credentials, delete; and what is refused.

import assert from 'node:assert/strict'
import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { ContainerServiceClient } from '@azure/arm-containerservice'
import { ClientSecretCredential } from '@azure/identity'
import { Aksel } from './aksel.ts'

interface Connection {
  readonly armUrl: string
  readonly caPath: string
  readonly tenantId: string
  readonly clientId: string
  readonly clientSecret: string
  readonly subscriptionId: string
}

let aksel: Aksel
let connection: Connection
let client: ContainerServiceClient

before(async () => {
  aksel = await Aksel.inNewFolder()
  await aksel.ok(['up', '--nodes', '1'], { timeoutMs: 170_000 })
  connection = JSON.parse(await readFile(join(aksel.dataDir, 'server', 'connection.json'), 'utf8')) as Connection
  client = await sdkClient(connection)
})

after(async () => {
  await aksel[Symbol.asyncDispose]()
})

/** The SDK as its documentation sets it up for a private cloud; the one thing of ours is which authority to trust. */
async function sdkClient({
  armUrl,
  caPath,
  tenantId,
  clientId,
  clientSecret,
  subscriptionId,
}: Connection): Promise<ContainerServiceClient> {
  const tls = { ca: await readFile(caPath, 'utf8') }
  const credential = new ClientSecretCredential(tenantId, clientId, clientSecret, {
    authorityHost: armUrl,
    disableInstanceDiscovery: true,
    tlsOptions: tls,
  })
  return new ContainerServiceClient(credential, subscriptionId, {
    endpoint: armUrl,
    credentials: { scopes: [`${armUrl}/.default`] },
    tlsOptions: tls,
  })
}

const group = 'sdk-group'
const name = 'sdk-cluster'

test(
  'the SDK creates a cluster of two pools beside the first, and waits on its poller',
  { timeout: 180_000 },
  async () => {
    await aksel.ok(['az', 'group', 'create', '-n', group, '-l', 'westeurope'])
    const created = await client.managedClusters.createOrUpdate(group, name, {
      location: 'westeurope',
      dnsPrefix: 'sdk',
      identity: { type: 'SystemAssigned' },
      agentPoolProfiles: [
        { name: 'system', mode: 'System', count: 1, vmSize: 'Standard_D2s_v5', osType: 'Linux' },
        { name: 'user', mode: 'User', count: 1, vmSize: 'Standard_D2s_v5', osType: 'Linux' },
      ],
    })
    assert.equal(created.provisioningState, 'Succeeded')
    const names: string[] = []
    for await (const cluster of client.managedClusters.list()) names.push(cluster.name!)
    assert.deepEqual(names.sort(), ['demo', name])
  },
)

test('a pool scales from one node to three, and kubectl accepts the credentials', { timeout: 180_000 }, async () => {
  const pool = await client.agentPools.createOrUpdate(group, name, 'user', {
    mode: 'User',
    count: 3,
    vmSize: 'Standard_D2s_v5',
    osType: 'Linux',
  })
  assert.equal(pool.count, 3)
  const { kubeconfigs } = await client.managedClusters.listClusterAdminCredentials(group, name)
  const kubeconfig = join(aksel.dataDir, 'sdk-kubeconfig')
  await writeFile(kubeconfig, kubeconfigs![0]!.value!)
  const nodes = await aksel.kubectl(['--kubeconfig', kubeconfig, 'get', 'nodes'])
  assert.equal(nodes.match(/aks-(system|user)-\d{8}-vmss\w{6} +Ready/g)?.length, 4, nodes)
  // Both clusters use the same ranges, side by side.
  assert.match(await aksel.kubectl('get nodes'), /aks-nodepool1-\d{8}-vmss\w{6} +Ready/)
})

test('`az` sees and changes the same things', { timeout: 120_000 }, async () => {
  const shown = JSON.parse(await aksel.ok(['az', 'aks', 'show', '-g', group, '-n', name])) as {
    provisioningState: string
    agentPoolProfiles: { name: string; count: number }[]
  }
  assert.equal(shown.provisioningState, 'Succeeded')
  assert.deepEqual(
    shown.agentPoolProfiles.map((pool) => `${pool.name}:${pool.count}`),
    ['system:1', 'user:3'],
  )
  await aksel.ok(['az', 'aks', 'nodepool', 'scale', '-g', group, '--cluster-name', name, '-n', 'user', '-c', '1'])
  assert.match(
    await aksel.ok(['az', 'aks', 'nodepool', 'list', '-g', group, '--cluster-name', name, '-o', 'table']),
    /user/,
  )
})

test('what Azure refuses is refused in its words, and nothing is made', { timeout: 60_000 }, async () => {
  const base = {
    location: 'westeurope',
    dnsPrefix: 'x',
    agentPoolProfiles: [{ name: 'np', mode: 'System' as const, count: 1, vmSize: 'Standard_D2s_v5' }],
  }
  const code = async (
    cluster: Parameters<typeof client.managedClusters.createOrUpdate>[2],
    clusterName = 'bad',
  ): Promise<string> => {
    try {
      await client.managedClusters.createOrUpdate(group, clusterName, cluster)
      return 'accepted'
    } catch (error) {
      return (error as { code?: string }).code ?? String(error)
    }
  }
  assert.notEqual(
    await code({ ...base, agentPoolProfiles: [{ ...base.agentPoolProfiles[0]!, vmSize: 'Standard_Nonsense' }] }),
    'accepted',
  )
  assert.notEqual(await code(base, 'bad_name!'), 'accepted')
  assert.notEqual(await code({ ...base, kubernetesVersion: '1.2.3' }), 'accepted')
  assert.match(await aksel.fails(['az', 'aks', 'show', '-g', group, '-n', 'none']), /\(ResourceNotFound\)/)
  const names: string[] = []
  for await (const cluster of client.managedClusters.listByResourceGroup(group)) names.push(cluster.name!)
  assert.deepEqual(names, [name])
})

test('the SDK deletes the cluster, and the first goes on', { timeout: 120_000 }, async () => {
  await client.managedClusters.delete(group, name)
  assert.match(await aksel.fails(['az', 'aks', 'show', '-g', group, '-n', name]), /\(ResourceNotFound\)/)
  assert.match(await aksel.kubectl('get nodes'), / Ready /)
})
