// Load balancers of clusters and the addresses of their services, read through Azure's own SDK.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { NetworkManagementClient } from '@azure/arm-network'
import type { LoadBalancerRule } from '@aksel/provider/fabric'
import { testScope } from '@aksel/testing/test-scope'
import { openFrontDoor, subscriptionId, type OpenedFrontDoor } from './testing/opened-front-door.ts'
import { sdkAccess } from './testing/sdk-access.ts'

const subscription = `/subscriptions/${subscriptionId}`
const nodeGroup = 'MC_rg_c1_eastus'
const network = `${subscription}/resourceGroups/${nodeGroup}/providers/Microsoft.Network`
const nodes = ['10.224.0.4', '10.224.0.5']

interface Opened {
  readonly client: NetworkManagementClient
  /** As the loop of services asks for it. */
  readonly serve: (service: string, id: string, more: { address?: string; subnet?: string }) => Promise<void>
  readonly unserve: (id: string) => Promise<void>
}

const rule = (protocol: 'TCP' | 'UDP', port: number, more: Partial<LoadBalancerRule> = {}): LoadBalancerRule => ({
  protocol,
  port,
  backends: nodes.map((address) => ({ address, port: 30_000 + port })),
  sourceRanges: [],
  ...more,
})

async function withCluster(opened: OpenedFrontDoor): Promise<Opened> {
  const group = `${subscription}/resourcegroups/rg`
  await opened.call('PUT', group, { body: { location: 'eastus' } })
  const pool = { name: 'system', mode: 'System', count: 2 }
  const put = await opened.call('PUT', `${group}/providers/Microsoft.ContainerService/managedClusters/c1`, {
    body: { location: 'eastus', properties: { dnsPrefix: 'c1', agentPoolProfiles: [pool] } },
  })
  assert.equal(put.status, 201, put.text)
  await opened.door.idle()
  const { credential, options } = sdkAccess(opened)
  const client = new NetworkManagementClient(credential, subscriptionId, {
    ...options,
    credentialScopes: options.credentials.scopes,
  })
  const virtualNetworkId = [...opened.fabric.networks.keys()][0]!
  const probe = { protocol: 'Tcp', port: 30_080, intervalSeconds: 5, failures: 2 } as const
  return {
    client,
    async serve(service, id, { subnet, ...more }) {
      const [namespace, name] = service.split('/') as [string, string]
      const clusterId = `${group}/providers/microsoft.containerservice/managedclusters/c1`.toLowerCase()
      await opened.fabric.ensureLoadBalancer(testScope(), {
        id,
        virtualNetworkId,
        rules: [rule('TCP', 80, { probe, idleTimeoutMinutes: 4 }), rule('UDP', 53, { isBySource: true })],
        owner: { clusterId, namespace, name },
        ...(subnet === undefined ? {} : { internal: { subnet } }),
        ...more,
      })
    },
    unserve: (id) => opened.fabric.deleteLoadBalancer(testScope(), { id }),
  }
}

async function names(items: AsyncIterable<{ readonly name?: string }>): Promise<readonly string[]> {
  const all: string[] = []
  for await (const { name } of items) all.push(name ?? '')
  return all
}

const uid = '12345678-1234-4321-8765-123456789000'
const base = 'a1234567812344321876512345678900'

test('the load balancer of a cluster shows its way out, and follows a service: frontend, rules, probe, pool and address', async () => {
  await using opened = await openFrontDoor()
  const { client, serve, unserve } = await withCluster(opened)
  const before = await client.loadBalancers.get(nodeGroup, 'kubernetes')
  assert.deepEqual([before.sku?.name, before.loadBalancingRules, before.probes], ['Standard', [], []])
  const [outbound] = before.outboundRules!
  assert.deepEqual(
    [outbound!.name, outbound!.protocol, outbound!.idleTimeoutInMinutes, outbound!.enableTcpReset],
    ['aksOutboundRule', 'All', 30, true],
  )
  assert.equal(
    outbound!.backendAddressPool?.id,
    `${network}/loadBalancers/kubernetes/backendAddressPools/aksOutboundBackendPool`,
  )
  assert.match(before.frontendIPConfigurations![0]!.publicIPAddress!.id!, /\/publicIPAddresses\/aks-outbound-\d{8}-0$/)

  await serve('shop/front', uid, { address: '20.9.9.9' })
  const after = await client.loadBalancers.get(nodeGroup, 'Kubernetes')
  assert.notEqual(after.etag, before.etag)
  const balancer = `${network}/loadBalancers/kubernetes`
  const frontend = `${balancer}/frontendIPConfigurations/${base}`
  const shownRule = after.loadBalancingRules!.find(({ name }) => name === `${base}-TCP-80`)!
  const { id: _, etag: __, type: ___, ...facts } = shownRule
  const pool = { id: `${balancer}/backendAddressPools/kubernetes` }
  assert.deepEqual(facts, {
    name: `${base}-TCP-80`,
    provisioningState: 'Succeeded',
    frontendIPConfiguration: { id: frontend },
    frontendPort: 80,
    backendPort: 30_080,
    enableFloatingIP: false,
    idleTimeoutInMinutes: 4,
    protocol: 'Tcp',
    enableTcpReset: true,
    loadDistribution: 'Default',
    disableOutboundSnat: true,
    backendAddressPool: pool,
    backendAddressPools: [pool],
    probe: { id: `${balancer}/probes/${base}-TCP-80` },
  })
  const udp = await client.loadBalancerLoadBalancingRules.get(nodeGroup, 'kubernetes', `${base}-UDP-53`)
  assert.deepEqual([udp.protocol, udp.loadDistribution, udp.probe], ['Udp', 'SourceIP', undefined])
  const probe = await client.loadBalancerProbes.get(nodeGroup, 'kubernetes', `${base}-TCP-80`)
  assert.deepEqual([probe.protocol, probe.port, probe.intervalInSeconds, probe.numberOfProbes], ['Tcp', 30_080, 5, 2])
  const members = await client.loadBalancerBackendAddressPools.get(nodeGroup, 'kubernetes', 'kubernetes')
  assert.match(members.backendIPConfigurations![1]!.id!, /virtualMachines\/1\/networkInterfaces\/.*\/ipconfig1$/)

  const address = await client.publicIPAddresses.get(nodeGroup, `kubernetes-${base}`)
  assert.deepEqual(
    [address.ipAddress, address.ipConfiguration?.id, address.tags],
    ['20.9.9.9', frontend, { 'k8s-azure-cluster-name': 'kubernetes', 'k8s-azure-service': 'shop/front' }],
  )
  const listed = await names(client.publicIPAddresses.list(nodeGroup))
  assert.deepEqual(listed.map((name) => name.replace(/\d{8}-0/, 'D')).toSorted(), [
    'aks-outbound-D',
    `kubernetes-${base}`,
  ])
  const resources = await opened.call('GET', `${subscription}/resourceGroups/${nodeGroup}/resources`)
  assert.match(resources.text, /loadBalancers\/kubernetes"/)

  await unserve(uid)
  assert.deepEqual((await client.loadBalancers.get(nodeGroup, 'kubernetes')).loadBalancingRules, [])
  await assert.rejects(client.publicIPAddresses.get(nodeGroup, `kubernetes-${base}`), { statusCode: 404 })
})

test('an internal service has its frontend in the subnet, where its address counts as taken', async () => {
  await using opened = await openFrontDoor()
  const { client, serve } = await withCluster(opened)
  assert.deepEqual(await names(client.loadBalancers.list(nodeGroup)), ['kubernetes'])
  await serve('shop/back', uid, { address: '10.224.0.77', subnet: 'aks-subnet' })
  assert.deepEqual(await names(client.loadBalancers.listAll()), ['kubernetes', 'kubernetes-internal'])
  const balancer = await client.loadBalancers.get(nodeGroup, 'kubernetes-internal')
  const [frontend] = balancer.frontendIPConfigurations!
  assert.equal(frontend!.name, `${base}-aks-subnet`)
  assert.deepEqual([frontend!.privateIPAddress, frontend!.publicIPAddress], ['10.224.0.77', undefined])
  assert.equal(balancer.loadBalancingRules![0]!.name, `${base}-aks-subnet-TCP-80`)
  assert.deepEqual(balancer.outboundRules, [])
  const subnet = frontend!.subnet!.id!
  assert.match(subnet, /\/virtualNetworks\/aks-vnet-\d{8}\/subnets\/aks-subnet$/)
  const [owner] = (await client.subnets.get(nodeGroup, subnet.split('/')[8]!, 'aks-subnet')).ipConfigurations!.slice(-1)
  assert.equal(owner!.id, frontend!.id)
})

test('the health of a rule tells which nodes its probe finds', async () => {
  await using opened = await openFrontDoor()
  const { client, serve } = await withCluster(opened)
  await serve('shop/front', uid, {})
  opened.fabric.lostBackends.add('10.224.0.5')
  const health = await client.loadBalancerLoadBalancingRules.beginHealthAndWait(
    nodeGroup,
    'kubernetes',
    `${base}-TCP-80`,
  )
  assert.deepEqual([health.up, health.down], [1, 1])
  assert.deepEqual(
    health.loadBalancerBackendAddresses?.map(({ ipAddress, state }) => [ipAddress, state]),
    [
      ['10.224.0.4', 'Up'],
      ['10.224.0.5', 'Down'],
    ],
  )
})

test('two services that share a reserved address have one public address, which does not go while they use it', async () => {
  await using opened = await openFrontDoor()
  const { client, serve } = await withCluster(opened)
  const own = await client.publicIPAddresses.beginCreateOrUpdateAndWait(nodeGroup, 'own', {
    location: 'eastus',
    sku: { name: 'Standard' },
    publicIPAllocationMethod: 'Static',
  })
  await serve('shop/a', uid, { address: own.ipAddress! })
  await serve('shop/b', uid.replace('1', '2'), { address: own.ipAddress! })
  const balancer = await client.loadBalancers.get(nodeGroup, 'kubernetes')
  const users = balancer.frontendIPConfigurations!.filter(({ publicIPAddress }) => publicIPAddress?.id === own.id)
  assert.equal(users.length, 2)
  assert.equal((await names(client.publicIPAddresses.list(nodeGroup))).length, 2)
  await assert.rejects(client.publicIPAddresses.beginDeleteAndWait(nodeGroup, 'own'), {
    code: 'PublicIPAddressCannotBeDeleted',
  })
})

test('what follows services is not written: by whole, by part, by tag, by delete', async () => {
  await using opened = await openFrontDoor()
  const { client, serve } = await withCluster(opened)
  await serve('shop/front', uid, {})
  const refused = { code: 'OperationNotAllowed', statusCode: 409 }
  const { loadBalancers, publicIPAddresses, loadBalancerBackendAddressPools: pools } = client
  const eastus = { location: 'eastus' }
  await assert.rejects(loadBalancers.beginCreateOrUpdateAndWait(nodeGroup, 'kubernetes', eastus), refused)
  await assert.rejects(loadBalancers.beginCreateOrUpdateAndWait('rg', 'mine', eastus), refused)
  await assert.rejects(loadBalancers.updateTags(nodeGroup, 'kubernetes', { tags: { a: 'b' } }), refused)
  await assert.rejects(loadBalancers.beginDeleteAndWait(nodeGroup, 'kubernetes'), refused)
  await assert.rejects(pools.beginCreateOrUpdateAndWait(nodeGroup, 'kubernetes', 'mine', {}), refused)
  await assert.rejects(pools.beginDeleteAndWait(nodeGroup, 'kubernetes', 'kubernetes'), refused)
  const address = `kubernetes-${base}`
  await assert.rejects(publicIPAddresses.beginCreateOrUpdateAndWait(nodeGroup, address, eastus), refused)
  await assert.rejects(publicIPAddresses.updateTags(nodeGroup, address, { tags: {} }), refused)
  await assert.rejects(publicIPAddresses.beginDeleteAndWait(nodeGroup, address), {
    code: 'PublicIPAddressCannotBeDeleted',
  })
  assert.equal((await publicIPAddresses.get(nodeGroup, address)).tags?.['k8s-azure-service'], 'shop/front')
})

test("a cluster that goes takes the load balancers of its services along, and leaves those of its neighbour in the user's network", async () => {
  await using opened = await openFrontDoor()
  const group = `${subscription}/resourcegroups/rg`
  await opened.call('PUT', group, { body: { location: 'eastus' } })
  const own = `${group}/providers/Microsoft.Network/virtualNetworks/own`
  const subnets = [{ name: 'nodes', properties: { addressPrefix: '10.1.0.0/24' } }]
  await opened.call('PUT', own, {
    body: { location: 'eastus', properties: { addressSpace: { addressPrefixes: ['10.1.0.0/16'] }, subnets } },
  })
  await opened.door.idle()
  const clusterId = (name: string): string =>
    `${group}/providers/microsoft.containerservice/managedclusters/${name}`.toLowerCase()
  for (const name of ['c1', 'c2']) {
    const pool = { name: 'system', mode: 'System', count: 1, vnetSubnetID: `${own}/subnets/nodes` }
    const body = {
      location: 'eastus',
      properties: {
        dnsPrefix: name,
        networkProfile: { podCidr: name === 'c1' ? '10.244.0.0/16' : '10.245.0.0/16' },
        agentPoolProfiles: [pool],
      },
    }
    const put = await opened.call('PUT', clusterId(name), { body })
    assert.equal(put.status, 201, put.text)
    await opened.door.idle()
    await opened.fabric.ensureLoadBalancer(testScope(), {
      id: `of-${name}`,
      virtualNetworkId: own.toLowerCase(),
      rules: [],
      owner: { clusterId: clusterId(name), namespace: 'shop', name: 'front' },
    })
  }
  await opened.call('DELETE', clusterId('c1'))
  await opened.door.idle()
  assert.deepEqual([...opened.fabric.loadBalancers.keys()], ['of-c2'])
})
